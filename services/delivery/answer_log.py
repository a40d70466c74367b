"""What servers said of single messages, told to Message Center for its archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.delivery.domain.qualification import Qualified
from services.delivery.domain.quarantine import Failure
from shared.ids import new_id
from shared.uow import Work
from topics.logs import AnswerKind, AnswersLogged, LoggedAnswer, Qualification

MOST: Final = 500
"""Answers of one message: far under the broker's limit of a record."""
COMPLAINT: Final = "complaint"


def log_answers(work: Work, told: Sequence[tuple[Failure, str, Qualified]]) -> None:
    """Tell what was said of single messages and what each text means; of campaigns nothing."""
    single = [one for one in told if is_single(one[0])]
    for first in range(0, len(single), MOST):
        some = single[first : first + MOST]
        means = {_text(failure, text): meaning for failure, text, meaning in some}
        work.emit(
            AnswersLogged(
                batch_id=new_id(),
                qualifications=tuple(_meaning(text, one) for text, one in means.items()),
                answers=tuple(_answer(failure, text) for failure, text, _ in some),
                at=work.now,
            )
        )


def log_meaning(work: Work, text: str, qualified: Qualified) -> None:
    """Tell what a person made of a text."""
    work.emit(
        AnswersLogged(batch_id=new_id(), qualifications=(_meaning(text, qualified),), at=work.now)
    )


def is_single(failure: Failure) -> bool:
    """Whether it is of a single message: its run, with itself as the only member."""
    return failure.run_id == failure.member_id


def _text(failure: Failure, text: str) -> str:
    return COMPLAINT if failure.complaint else text or failure.code or "unknown"


def _meaning(text: str, qualified: Qualified) -> Qualification:
    return Qualification(
        text=text, reason=qualified.reason, severity=qualified.severity, status=qualified.status
    )


def _answer(failure: Failure, text: str) -> LoggedAnswer:
    kind = AnswerKind.BOUNCE if failure.late else AnswerKind.REFUSAL
    return LoggedAnswer(
        message_id=failure.run_id,
        text=_text(failure, text),
        kind=AnswerKind.COMPLAINT if failure.complaint else kind,
        at=failure.at,
    )
