"""Rules of runs: what may start, what becomes of a message that could not be handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.delivery.domain.approvals import Approval, covers, is_open
from topics.delivery import ApprovalKind, ApprovalOutcome, Outcome


class RunKind(StrEnum):
    """What a run sends: a campaign's delivery, its proof, its seeds, an event's message, a test."""

    CAMPAIGN = "campaign"
    PROOF = "proof"
    TRANSACTIONAL = "transactional"
    SEEDS = "seeds"
    """A campaign's seeds: what its recipients get, in a run beside theirs."""
    TEST = "test"
    """A sample of an event's message, for its template's seeds."""

    @property
    def may_be_refused(self) -> bool:
        """Whether its messages are a campaign's: who opted out gets none, and may with a link."""
        return self in {RunKind.CAMPAIGN, RunKind.SEEDS}


class Reason(StrEnum):
    """Why a recipient got nothing, as counted and shown."""

    DOUBLE = "double"
    NO_ADDRESS = "no_address"
    OPTED_OUT = "opted_out"
    QUARANTINE = "quarantine"
    DENYLISTED = "denylisted"
    STOPPED = "stopped"
    LEFT_OVER = "left_over"
    """The run was ended by an edit before this message left; a later run may take it."""
    EARLIER_RUN = "earlier_run"
    """An earlier run of the campaign has dealt with this member."""
    PRESSURE = "pressure"
    """A pressure rule allows this recipient no further message now."""
    ERASED = "erased"
    BAD_ADDRESS = "bad_address"
    PERSONALISATION = "personalisation"
    REFUSED_BY_SERVER = "refused_by_server"
    UNSENDABLE = "unsendable"
    DEFERRED_TOO_LONG = "deferred_too_long"
    UNKNOWN_TEMPLATE = "unknown_template"
    UNKNOWN_CONTENT = "unknown_content"
    SUPPLIER_REFUSED = "supplier_refused"
    WRONG_CHANNEL = "wrong_channel"
    """The template is for another channel than the message."""
    NO_GATEWAY = "no_gateway"
    """No SMS gateway is configured here."""
    REFUSED_BY_GATEWAY = "refused_by_gateway"
    INVALID_NUMBER = "invalid_number"
    """The gateway says that nobody has this number, or nobody can be reached by SMS under it."""
    TOO_LONG = "too_long"
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    ENDPOINT_DISABLED = "endpoint_disabled"
    REFUSED_BY_ENDPOINT = "refused_by_endpoint"
    FORBIDDEN_ADDRESS = "forbidden_address"
    """The endpoint's host leads into a network that webhooks may not reach."""
    UNAVAILABLE = "unavailable"
    NO_ANSWER = "no_answer"


NOT_TAKEN: Final = frozenset(
    {Reason.UNKNOWN_TEMPLATE, Reason.UNKNOWN_CONTENT, Reason.WRONG_CHANNEL, Reason.NO_GATEWAY}
)
"""Why a message is refused before anything was attempted, though it may go well once mended."""
REST: Final = frozenset({Reason.LEFT_OVER, Reason.DOUBLE, Reason.PERSONALISATION, Reason.PRESSURE})
"""What a run that was ended by an edit leaves to the next one, which judges it anew.

Whose address somebody else had may be first now, an edit may mend what could not be made, and who
had got too much may get something again.
Everybody else was sent to, may have been, refused it or did not want it: that stays.
"""


@dataclass(frozen=True, slots=True)
class StartAsked:
    """What a start names, and what is here: both must be what was approved.

    Attributes:
        content_hash: as the command says; ``content_now`` as the delivery stands.
        members: how many members of the snapshot arrived here.
        snapshot_at: when its first chunk came.
    """

    content_hash: str
    content_now: str | None
    snapshot_hash: str
    count: int
    members: int
    snapshot_at: datetime | None


def start_refusal(
    asked: StartAsked, approval: Approval | None, *, max_age_days: float, now: datetime
) -> str | None:
    """Return why a delivery may not start, in words; ``None`` when it may."""
    if approval is None or approval.kind is not ApprovalKind.PROOF:
        return "its content and target were never approved; ask for the proof"
    if approval.outcome is not ApprovalOutcome.APPROVED:
        why = f" ({approval.reason})" if approval.reason else ""
        return f"its approval is {approval.outcome}{why}; ask for the proof again"
    return _differs(asked, approval) or _too_old(asked, max_age_days, now)


def not_granted(
    approvals: Mapping[ApprovalKind, Approval | None], snapshot_id: UUID | None
) -> str | None:
    """Return which of the further approvals ended otherwise, or was never asked; else ``None``."""
    for kind, approval in approvals.items():
        if not is_open(approval) and (approval is None or not covers(approval, snapshot_id)):
            why = f" is {approval.outcome}" if approval else " was never asked"
            return f"its approval of the {kind}{why}; ask for the proof again"
    return None


def _differs(asked: StartAsked, approval: Approval) -> str | None:
    if not asked.content_hash == asked.content_now == approval.content_hash:
        return "its content is not the one that was approved; ask for the proof again"
    if asked.snapshot_hash != approval.snapshot_hash:
        return "its target is not the snapshot that was approved; ask for the proof again"
    if not asked.count == asked.members == approval.count:
        return (
            f"{approval.count} recipients were approved, {asked.count} are asked for and"
            f" {asked.members} are in the snapshot; ask for the proof again"
        )
    return None


def _too_old(asked: StartAsked, max_age_days: float, now: datetime) -> str | None:
    if asked.snapshot_at is None or now - asked.snapshot_at > timedelta(days=max_age_days):
        return f"its snapshot is over {max_age_days:g} days old; ask for the proof again"
    return None


class Verdict(StrEnum):
    """What a call to a server came to."""

    SENT = "sent"
    FAILED = "failed"
    DEFERRED = "deferred"
    RELEASED = "released"
    """The call was never made."""
    AMBIGUOUS = "ambiguous"
    """The server may have it: the connection was lost before its answer."""


FINAL: Final = frozenset({Outcome.SENT, Outcome.FAILED, Outcome.IGNORED})
RETRY_CAP: Final = timedelta(hours=1)


def back_off(attempt: int, base_seconds: float, spread: float) -> timedelta:
    """Return how long to wait after the ``attempt``-th deferral: doubling, at most an hour.

    ``spread`` from 0 to 1 shortens it by up to a fifth, so that what failed together does not
    come back together.
    """
    seconds = min(base_seconds * 2 ** (attempt - 1), RETRY_CAP.total_seconds())
    return timedelta(seconds=seconds * (1 - spread / 5))


def verdict_of(code: int) -> Verdict:
    """Return what a server's answer to a message means (RFC 5321: 4yz come again, 5yz do not)."""
    if 200 <= code < 300:
        return Verdict.SENT
    return Verdict.FAILED if 500 <= code < 600 else Verdict.DEFERRED


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a ledger row becomes after a call."""

    outcome: Outcome
    reason: str = ""
    next_at: datetime | None = None


SENT: Final = Ruling(Outcome.SENT)
_POLICY: Final[dict[str, Outcome]] = {
    "hold": Outcome.AMBIGUOUS,
    "assume_sent": Outcome.SENT,
    "resend": Outcome.PENDING,
}


def ambiguous_outcome(kind: RunKind, policy: str) -> Outcome:
    """Return what an ambiguous row becomes; a proof or test goes again, its readers expect it."""
    return Outcome.PENDING if kind in {RunKind.PROOF, RunKind.TEST} else _POLICY[policy]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a ruling depends on besides the verdict."""

    kind: RunKind
    policy: str
    attempt: int
    retry_until: datetime
    base_seconds: float
    spread: float
    now: datetime
    wait: timedelta = timedelta(0)
    """What the server asked to be given before the next try (Retry-After), at least."""


def rule(verdict: Verdict, reason: str, around: Circumstances) -> Ruling:
    """Return what a row becomes; a deferral past the deadline is a failure."""
    if verdict is Verdict.SENT:
        return SENT
    if verdict is Verdict.FAILED:
        return Ruling(Outcome.FAILED, reason)
    pause = back_off(around.attempt, around.base_seconds, around.spread)
    next_at = around.now + max(pause, around.wait)
    if verdict is Verdict.RELEASED:
        return Ruling(Outcome.PENDING, next_at=next_at if around.wait else None)
    if verdict is Verdict.AMBIGUOUS:
        return _ambiguous(around, next_at)
    if next_at > around.retry_until:
        return Ruling(Outcome.FAILED, Reason.DEFERRED_TOO_LONG)
    return Ruling(Outcome.PENDING, reason, next_at)


def _ambiguous(around: Circumstances, next_at: datetime) -> Ruling:
    outcome = ambiguous_outcome(around.kind, around.policy)
    if outcome is not Outcome.PENDING:
        return Ruling(outcome)
    if next_at > around.retry_until:
        return Ruling(Outcome.AMBIGUOUS)
    return Ruling(outcome, next_at=next_at)
