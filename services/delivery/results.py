"""Results of attempts, written together; single messages are answered in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence

from services.delivery.domain.runs import FINAL, RunKind
from services.delivery.store.runs import RunStore
from services.delivery.store.sending import Result, SendingStore
from shared.uow import Work
from topics.delivery import MessageOutcome


async def write_results(work: Work, results: Sequence[Result]) -> None:
    """Write what came of attempts; mark the runs whose totals changed."""
    if not results:
        return
    ended = await SendingStore(work.connection).end(results, work.now)
    single = {one.run_id for one in results if one.kind is RunKind.TRANSACTIONAL}
    for row in ended:
        if row.run_id in single and row.outcome in FINAL:
            work.emit(
                MessageOutcome(
                    message_id=row.run_id, outcome=row.outcome, reason=row.reason, at=work.now
                )
            )
    others = {row.run_id for row in ended} - single
    if others:
        await RunStore(work.connection).mark(*others)
