"""A sender frozen over claimed rows wakes when its successor has them: its claim is void.

Both senders live in this process, with real rows and a real mail server between them. Who does what
when is forced, never waited out: a sender "freezes" at an event behind its calls, and its lease
ends when the test says so. So nothing here needs luck, and each test turns red without its fence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.app import SERVICE
from services.delivery.claims import Batch, Claims, Share
from services.delivery.composers import Composers
from services.delivery.mail_carrier import MailCarrier, Shared
from services.delivery.precedence import Precedence
from services.delivery.progress import look
from services.delivery.sender import Worker
from services.delivery.settings import DeliverySettings
from services.delivery.smtp import Answer, Relays
from services.delivery.store import sending, slices
from services.delivery.store.ledger import LedgerStore
from services.delivery.store.runs import RunStore
from services.delivery.store.sending import Claimed
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    Case,
    Catcher,
    add_operators,
    catching,
    member,
    prepare,
)
from tests.waiting import eventually

switched = pytest.mark.parametrize("protected", [True, False], ids=["protected", "switched off"])
WINDOW, PEOPLE = 3, 9
SETTINGS = {
    "SENDER_CONNECTIONS": "1",
    "SENDER_WINDOW": str(WINDOW),
    # No lease and no call ends by itself here, however slow the machine: the test ends them.
    "SENDER_LEASE_SECONDS": "600",
    "AMBIGUOUS_POLICY": "hold",
}


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[Catcher]:
    async with catching(tmp_path) as made:
        yield made


@dataclass
class Sender:
    """A worker that freezes behind its calls, before it writes what came of them.

    Attributes:
        called: set once it is frozen there.
        woken: set to let it go on, from then on without a stop.
    """

    worker: Worker
    claims: Claims
    called: asyncio.Event = field(default_factory=asyncio.Event)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    never: asyncio.Event = field(default_factory=asyncio.Event)

    async def hand_over(self, found: Batch | Share | None) -> None:
        """Do with a claim what the worker's own loop does, then close the connection."""
        assert found is not None, "there was something to claim"
        assert await self.worker._carrier.ready()
        try:
            if isinstance(found, Share):
                await self.worker._send_share(found, self.never)
            else:
                await self.worker._send_batch(found, self.never)
        finally:
            await self.worker._carrier.close()


def a_sender(runtime: Runtime, name: str) -> Sender:
    settings = runtime.settings
    assert isinstance(settings, DeliverySettings)
    claims = Claims(runtime.uow, settings, name)
    shared = Shared(Composers(runtime.pool, settings), Relays(settings.relays))
    carrier = MailCarrier(runtime, shared)
    worker = Worker(runtime, carrier, claims, asyncio.Lock(), Precedence(), urgent=False, bulk=True)
    made, send = Sender(worker, claims), worker.send

    async def sending_then_frozen(
        rows: Sequence[Claimed], until: float, stop: asyncio.Event
    ) -> list[tuple[Answer, str]]:
        answers = await send(rows, until, stop)
        made.called.set()
        await made.woken.wait()
        return answers

    worker.send = sending_then_frozen  # type: ignore[method-assign]  # of this one worker
    return made


async def a_campaign(runtime: Runtime, people: int) -> Case:
    """Return a campaign whose rows wait in one slice."""
    case = Case([member(f"p{n}@people.example") for n in range(people)], chunk_size=people)
    await add_operators(runtime)
    await prepare(runtime, case)
    for chunk in case.chunks:
        await runtime.execute(chunk)
    async with runtime.uow.begin() as work:
        await work.connection.execute(
            "INSERT INTO runs (run_id, kind, state, campaign_id, campaign_number, campaign_label,"
            " delivery_id, template_hash, snapshot_id, count, chunks, filled, next_chunk,"
            " retry_until, asked_at, started_at)"
            " SELECT $1, 'campaign', 'started', campaign_id, 1042, 'Spring', delivery_id,"
            " template_hash, $3, $4, 1, true, 0, now() + interval '1 day', now(), now()"
            " FROM deliveries WHERE delivery_id = $2",
            case.run_id,
            case.delivery_id,
            case.snapshot_id,
            people,
        )
        run = await RunStore(work.connection).lock(case.run_id)
        assert run is not None
        await LedgerStore(work.connection).fill(run, until_chunk=1, at=work.now)
    return case


async def lease_ends(runtime: Runtime, *tables: str) -> None:
    """Let every lease have run out, and have what its holders called given up."""
    for table in tables:
        await runtime.pool.execute(
            f"UPDATE {table} SET lease_until = clock_timestamp() - interval '1 second'"
            " WHERE lease_until IS NOT NULL"
        )
    await look(runtime)


async def outcomes(runtime: Runtime, run_id: UUID) -> list[str]:
    """Return the outcomes of a run's rows in the order they were to be called."""
    rows = await runtime.pool.fetch(
        "SELECT outcome FROM ledger WHERE run_id = $1 ORDER BY position", run_id
    )
    return [row["outcome"] for row in rows]


async def received(catcher: Catcher) -> list[str]:
    """Return the addresses of all mails the server took, in order."""
    return sorted(address for address, _ in await catcher.listed())


# -- a slice


@switched
async def test_a_slice_that_a_successor_holds_is_not_sent_on_by_the_one_who_wakes(
    open_service: Open, catcher: Catcher, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    if not protected:
        # Whoever remembers a slice has it, whatever its epoch says by now.
        bare = slices._HELD.replace(
            "AND s.lease_epoch = $3 AND s.lease_owner = $4",
            "AND $3::bigint IS NOT NULL AND $4::text IS NOT NULL",
        )
        assert bare != slices._HELD
        monkeypatch.setattr(slices, "_HELD", bare)
    runtime = await open_service(SERVICE, **SETTINGS, SMTP_PORT=str(catcher.port))
    case = await a_campaign(runtime, PEOPLE)
    addresses = [one.email or "" for one in case.members]
    frozen, successor = a_sender(runtime, "frozen"), a_sender(runtime, "successor")

    first = asyncio.create_task(frozen.hand_over(await frozen.claims.take_bulk()))
    await frozen.called.wait()
    await lease_ends(runtime, "slices")
    assert await outcomes(runtime, case.run_id) == ["ambiguous"] * 3 + ["pending"] * 6
    second = asyncio.create_task(successor.hand_over(await successor.claims.take_bulk()))
    await successor.called.wait()
    # It has called the next window, and nothing of that is in the rows yet: the one who wakes sees
    # pending rows in a slice it once had.
    frozen.woken.set()
    await first
    if protected:
        assert await received(catcher) == addresses[: 2 * WINDOW]
        assert await outcomes(runtime, case.run_id) == ["sent"] * 3 + ["pending"] * 6
    successor.woken.set()
    await second
    doubled = [] if protected else addresses[WINDOW : 2 * WINDOW]
    assert await received(catcher) == sorted(addresses + doubled)
    assert (
        await outcomes(runtime, case.run_id)
        == ["sent" if protected else "ambiguous"] * 3 + ["sent"] * 6
    )


# -- a row of the queue


@switched
async def test_a_row_that_a_successor_calls_is_not_freed_by_the_one_who_wakes(
    open_service: Open, catcher: Catcher, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    if not protected:
        # A result is written to its row, whichever attempt is under way there by now.
        bare = sending._END_ROWS.replace("AND l.attempts = k.number", "")
        assert bare != sending._END_ROWS
        monkeypatch.setattr(sending, "_END_ROWS", bare)
    runtime = await open_service(
        SERVICE,
        **SETTINGS | {"AMBIGUOUS_POLICY": "resend", "SENDER_RETRY_BASE_SECONDS": "0.01"},
        SMTP_PORT=str(catcher.port),
    )
    case = await a_campaign(runtime, 1)
    frozen, successor, third = (a_sender(runtime, name) for name in ("frozen", "second", "third"))

    # The first is told to come again later, and freezes before it has written so.
    catcher.misbehave(FaultRule(action=Action.REFUSE_MESSAGE, code=451, times=1))
    first = asyncio.create_task(frozen.hand_over(await frozen.claims.take_bulk()))
    await frozen.called.wait()
    await lease_ends(runtime, "slices")
    # By policy it goes again: the successor's attempt is under way when the first one wakes.
    second = asyncio.create_task(successor.hand_over(await successor.claims.take_bulk()))
    await successor.called.wait()
    frozen.woken.set()
    await first
    freed = "SELECT EXISTS (SELECT 1 FROM queue WHERE lease_until IS NULL)"
    assert await runtime.pool.fetchval(freed) is not protected
    if not protected:
        third.woken.set()
        await third.hand_over(await due(third.claims.take_bulk))
    successor.woken.set()
    await second
    assert len(await received(catcher)) == (1 if protected else 2)
    assert await outcomes(runtime, case.run_id) == ["sent"]


async def due(take: Callable[[], Awaitable[Any]]) -> Any:
    """Claim what a back-off of a few milliseconds holds back."""
    return await eventually(take, what="a row that is due")
