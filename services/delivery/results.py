"""Results of attempts, written together; single messages are answered in the same transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.delivery.domain.quarantine import Failure
from services.delivery.domain.runs import FINAL, Reason, RunKind, Verdict
from services.delivery.quarantining import note_failures
from services.delivery.store.runs import RunStore
from services.delivery.store.sending import Claimed, Ended, Result, SendingStore
from services.delivery.store.slices import SliceStore
from services.delivery.tracking.activity import Untold
from shared.uow import Work
from topics.delivery import Channel, MessageOutcome, Outcome

_TOLD: Final[dict[str, str]] = {
    Verdict.SENT: "sent",
    Verdict.FAILED: "failed",
    Verdict.DEFERRED: "deferred",
}


async def write_results(work: Work, results: Sequence[Result]) -> None:
    """Write what came of attempts; mark the runs whose totals changed."""
    if not results:
        return
    ended = await SendingStore(work.connection).end(results, work.now)
    await _note_refusals(work, results, ended)
    single = {one.run_id for one in results if one.kind is RunKind.TRANSACTIONAL}
    _answer_single(work, [row for row in ended if row.run_id in single])
    others = {row.run_id for row in ended} - single
    if others:
        await RunStore(work.connection).mark(*others)


async def _note_refusals(work: Work, results: Sequence[Result], ended: Sequence[Ended]) -> None:
    """Count what servers refused for good against its addresses; a proof's are colleagues'.

    Of SMS only that a number is none: what else a gateway refuses says nothing of its owner.
    """
    proofs = {one.run_id for one in results if one.kind is RunKind.PROOF}
    refused = [
        Failure(
            run_id=row.run_id,
            member_id=row.member_id,
            recipient_key=row.recipient_key,
            channel=row.channel,
            code=row.code,
            at=work.now,
        )
        for row in ended
        if row.outcome is Outcome.FAILED and row.run_id not in proofs and _tells_of_address(row)
    ]
    await note_failures(work, refused)


def _tells_of_address(row: Ended) -> bool:
    if row.channel is Channel.SMS:
        return row.reason == Reason.INVALID_NUMBER
    return row.channel is Channel.EMAIL and bool(row.code)


def note_activity(results: Sequence[Result], untold: Untold) -> None:
    """Note for the live view what came of campaigns' messages."""
    for one in results:
        what = _TOLD.get(one.verdict)
        if one.kind is RunKind.CAMPAIGN and what is not None:
            untold.add(one.run_id, what)


def _answer_single(work: Work, ended: Sequence[Ended]) -> None:
    for row in ended:
        if row.outcome in FINAL:
            work.emit(
                MessageOutcome(
                    message_id=row.run_id, outcome=row.outcome, reason=row.reason, at=work.now
                )
            )


async def write_window(
    work: Work, rows: Sequence[Claimed], results: Sequence[Result], *, owner: str, at: datetime
) -> None:
    """Write what came of a window opened ``at`` a time, whose slice is locked.

    The usual result, sent at the first attempt with the answer that most got, is one statement over
    the window's positions; every other one is written with an attempt of its own.

    ``rows`` are those that were called, or ended without a call, in order of position; ``results``
    has one for each.
    """
    if not rows:
        return
    usual = _usual_code(results)
    pairs = list(zip(rows, results, strict=True))
    sent = [row for row, one in pairs if _is_usual(one, usual)]
    if sent and usual is not None:
        await SliceStore(work.connection).sent(sent, code=usual, at=work.now)
    others = [pair for pair in pairs if not _is_usual(pair[1], usual)]
    await _write_others(work, others, owner, at)


def _usual_code(results: Sequence[Result]) -> str | None:
    codes = Counter(one.code for one in results if _is_usual(one, one.code))
    return codes.most_common(1)[0][0] if codes else None


def _is_usual(result: Result, code: str | None) -> bool:
    return result.verdict == Verdict.SENT and result.number == 1 and result.code == code


async def _write_others(
    work: Work, others: Sequence[tuple[Claimed, Result]], owner: str, at: datetime
) -> None:
    store = SendingStore(work.connection)
    released = [row for row, one in others if one.verdict is Verdict.RELEASED]
    if released:
        # Passed over within a called window: never called itself, so it is no attempt.
        await store.enqueue(
            [row.run_id for row in released],
            [row.member_id for row in released],
            [False] * len(released),
            [work.now] * len(released),
        )
    called = [one for _, one in others if one.verdict is not Verdict.RELEASED]
    if called:
        await store.begin(
            [one.run_id for one in called],
            [one.member_id for one in called],
            [one.number for one in called],
            owner,
            at,
        )
        await write_results(work, called)
