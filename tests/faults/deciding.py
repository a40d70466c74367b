"""What a person does meanwhile: look at what may have left twice, and have it sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from services.cli.letters import opened
from services.delivery import ambiguous
from services.supplier.deciding import decide
from services.supplier.domain.jobs import Decision
from shared.errors import INTERRUPTIONS
from shared.service import Runtime
from tests.driving import Rig
from topics.message import system_actor


@asynccontextmanager
async def deciding(rig: Rig, services: Sequence[str]) -> AsyncIterator[None]:
    """Have what is ambiguous sent again for as long as the block lasts."""
    over = asyncio.Event()
    decider = asyncio.create_task(_decide(rig, services, over))
    try:
        yield
    finally:
        over.set()
        await decider


async def _decide(rig: Rig, services: Sequence[str], over: asyncio.Event) -> None:
    async with opened("delivery", rig.settings) as delivery:
        while not over.is_set():
            with suppress(*INTERRUPTIONS):
                await _send_again(rig, delivery)
                if "supplier" in services:
                    await router_again(rig)
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.3)


async def _send_again(rig: Rig, delivery: Runtime) -> None:
    rows: list[dict[str, UUID]] = await rig.rows(
        "SELECT run_id, member_id FROM delivery.ledger WHERE outcome = 'ambiguous'"
    )
    for row in rows:
        async with delivery.uow.begin() as work:
            await ambiguous.resend(work, run_id=row["run_id"], member_id=row["member_id"])


async def router_again(rig: Rig) -> None:
    """Have the supplier's ambiguous mails sent again; only the supplier service knows them."""
    waiting = await rig.rows(
        "SELECT file_id FROM supplier.jobs WHERE state IN ('ambiguous', 'failed')"
    )
    if not waiting:
        return
    async with opened("supplier", rig.settings) as supplier:
        for row in waiting:
            async with supplier.uow.begin() as work:
                await decide(work, row["file_id"], Decision.SEND_AGAIN, system_actor("supplier"))
