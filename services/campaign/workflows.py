"""operationMgt: creates occurrences ahead, asks for their approvals, starts what is due, ends."""

from __future__ import annotations

from typing import Final

from services.campaign import conductor, series, starting
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow


async def operation_mgt(work: Work) -> Step:
    """Do up to a handful of each of its tasks; go on while one of them found something to do."""
    done = 0
    for task in (
        series.create_ahead,
        starting.start_due,
        series.ask_approvals,
        starting.end_due,
        series.finish_series,
    ):
        done += await task(work)
    return Step(rows_in=done, rows_out=done, more=done > 0)


OPERATION_MGT: Final = TechnicalWorkflow(
    name="operationMgt",
    label="Campaign jobs",
    label_fr="Traitements sur les opérations",
    package="Campaign",
    run=operation_mgt,
    timers=(
        conductor.START_TIMER,
        conductor.END_TIMER,
        conductor.PROOF_TIMER,
        series.SCHEDULE_TIMER,
    ),
)
WORKFLOWS: Final = (OPERATION_MGT,)
