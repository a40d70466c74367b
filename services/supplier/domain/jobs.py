"""The states of a file on its way, what people decide about it, when it is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.mail.outcome import Outcome

ROWS_PER_CHUNK: Final = 1_000


class JobState(StrEnum):
    """How far a file has come. Each step is a unit of work of its own and may be done again."""

    COLLECTING = "collecting"
    ROWS_COMPLETE = "rows_complete"
    FILE_TO_APPROVE = "file_to_approve"
    """Written and shown; it leaves once this very file is approved."""
    FILE_RETURNED = "file_returned"
    """Not approved. A person has it written again, or gives it up."""
    FILE_WRITTEN = "file_written"
    MAIL_ATTEMPTED = "mail_attempted"
    AWAITING_PROOF = "awaiting_proof"
    """The router has the file and prints once its proof of it is approved; none is here yet."""
    PROOF_TO_APPROVE = "proof_to_approve"
    NOTIFIED = "notified"
    AWAITING_RESULTS = "awaiting_results"
    """The router has the file; its result file says what became of each letter."""
    POST_PROCESSED = "post_processed"
    REMOVED = "removed"
    AMBIGUOUS = "ambiguous"
    """An attempt has no outcome: the router may have the mail, or not. A person decides."""
    FAILED = "failed"
    """The router's server refused for good. A person mends the service and sends again."""
    REFUSED = "refused"


class Decision(StrEnum):
    """What a person says about a file that does not go on by itself."""

    SENT = "sent"
    SEND_AGAIN = "send_again"
    WRITE_AGAIN = "write_again"
    GIVE_UP = "give_up"
    REST_SENT = "rest_sent"
    """The letters that no result file names count as sent."""
    REST_FAILED = "rest_failed"


AFTER: Final[dict[Outcome, JobState]] = {
    Outcome.ACCEPTED: JobState.NOTIFIED,
    Outcome.DEFERRED: JobState.FILE_WRITTEN,
    Outcome.REFUSED: JobState.FAILED,
    Outcome.AMBIGUOUS: JobState.AMBIGUOUS,
}
_MAIL: Final = {
    Decision.SENT: JobState.NOTIFIED,
    Decision.SEND_AGAIN: JobState.FILE_WRITTEN,
    Decision.GIVE_UP: JobState.REFUSED,
}
DECIDED: Final[dict[JobState, dict[Decision, JobState]]] = {
    # Whoever gives up an ambiguous mail would count letters as failed that may be printed.
    JobState.AMBIGUOUS: {key: to for key, to in _MAIL.items() if key is not Decision.GIVE_UP},
    JobState.FAILED: _MAIL,
    JobState.FILE_RETURNED: {
        Decision.WRITE_AGAIN: JobState.ROWS_COMPLETE,
        Decision.GIVE_UP: JobState.REFUSED,
    },
    JobState.AWAITING_PROOF: {
        Decision.SENT: JobState.NOTIFIED,
        Decision.GIVE_UP: JobState.REFUSED,
    },
    JobState.AWAITING_RESULTS: dict.fromkeys(
        (Decision.REST_SENT, Decision.REST_FAILED), JobState.AWAITING_RESULTS
    ),
}
"""What a person may decide in which state, and the state it leads to."""
RETURNED: Final = {
    JobState.FILE_TO_APPROVE: JobState.FILE_RETURNED,
    JobState.PROOF_TO_APPROVE: JobState.AWAITING_PROOF,
}
"""Where what is not approved waits for better."""
WITH_FILE: Final = (
    JobState.FILE_TO_APPROVE,
    JobState.FILE_RETURNED,
    JobState.FILE_WRITTEN,
    JobState.MAIL_ATTEMPTED,
    JobState.AMBIGUOUS,
    JobState.FAILED,
    JobState.AWAITING_PROOF,
    JobState.PROOF_TO_APPROVE,
    JobState.NOTIFIED,
    JobState.AWAITING_RESULTS,
    JobState.POST_PROCESSED,
)


def after_writing(*, needs_approval: bool, approved: bool) -> JobState:
    """Return the state of a file that was just written; ``approved``: these very bytes are."""
    if needs_approval and not approved:
        return JobState.FILE_TO_APPROVE
    return JobState.FILE_WRITTEN


def after_mail(*, router_proof: bool, proof_approved: bool) -> JobState:
    """Return the state of a file whose router took the mail: with the file, or to print it."""
    if router_proof and not proof_approved:
        return JobState.AWAITING_PROOF
    return JobState.NOTIFIED


def ordinal(index: int, position: int) -> int:
    """Return the place of a row in its file."""
    return index * ROWS_PER_CHUNK + position


def retry_at(now: datetime, failures: int, base_seconds: float) -> datetime:
    """Return when a step that failed is tried again: twice as late each time, an hour at most."""
    return now + timedelta(seconds=min(base_seconds * 2.0 ** min(failures, 20), 3600.0))


def after_attempt(outcome: Outcome, failures: int, most: int) -> JobState:
    """Return a job's state after an attempt; ``failures`` counts this one."""
    if outcome is Outcome.DEFERRED and failures >= most:
        return JobState.FAILED
    return AFTER[outcome]
