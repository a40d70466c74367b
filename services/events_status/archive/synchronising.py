"""mcSynch_<account>: from execution to archive in its ordered steps, a bounded chunk each time.

Which step comes next stands beside the pointers: killed anywhere, the next run goes on there. Each
chunk is one transaction with its pointer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from services.events_status.archive.accounts import ACCOUNTS, Account, keep_accounts
from services.events_status.archive.catalogues import (
    archive_qualifications,
    archive_quarantine,
    archive_urls,
)
from services.events_status.archive.events import archive_events
from services.events_status.archive.logs import archive_logs, archive_tracking
from services.events_status.archive.pointers import Pointer, PointerStore, Stage
from shared import faults
from shared.schedules import Cron
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow

CONTROL: Final = "Transactional message control (Message Center - Control)"
Piece = Callable[[Work, str, Pointer], Awaitable[tuple[int, bool]]]
PIECES: Final[dict[Stage, Piece]] = {
    Stage.EVENTS: archive_events,
    Stage.QUALIFICATIONS: archive_qualifications,
    Stage.DELIVERY_LOGS: archive_logs,
    Stage.URLS: archive_urls,
    Stage.TRACKING_LOGS: archive_tracking,
    Stage.QUARANTINE: archive_quarantine,
}


async def synchronise(work: Work, account: str, accounts: Sequence[Account] = ACCOUNTS) -> Step:
    """Do a chunk of the step that comes next; the run ends with the last step."""
    await keep_accounts(work, accounts)
    pointers = PointerStore(work.connection, account)
    pointer = await pointers.take()
    rows, more = await PIECES[pointer.stage](work, account, pointer)
    if not more:
        more = await pointers.go_on(pointer.stage)
    faults.reach(f"archive.{pointer.stage}")
    return Step(rows, rows, more=more)


def workflow_of(account: Account) -> TechnicalWorkflow:
    """Return the technical workflow that synchronises an account."""
    return TechnicalWorkflow(
        account.workflow,
        f"Message Center {account.name}",
        f"Message Center {account.name}",
        CONTROL,
        partial(synchronise, account=account.name),
        schedule=Cron("0 * * * *"),
    )


SYNCHRONISATIONS: Final = tuple(workflow_of(account) for account in ACCOUNTS)
