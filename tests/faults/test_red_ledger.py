"""The ledger's protections switched off: its unique keys, the attempt before the call."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.delivery import invariants as delivery_invariants
from services.delivery.app import SERVICE as DELIVERY
from services.delivery.store import ledger as ledger_store
from services.delivery.store import queue, sending
from services.delivery.store.ledger import LedgerStore
from services.delivery.store.runs import RunStore
from shared import faults
from shared.service import Runtime
from tests.conftest import Open
from tests.faults.checks import compared
from tests.faults.mails import Sink
from tests.faults.switches import (
    a_service,
    answering,
    names,
    switched,
)
from tests.faults.world import FROM_ADDRESS, manager
from tests.instances import Instance
from tests.integration.test_core import running
from tests.waiting import PATIENCE, eventually
from topics.delivery import SaveTemplate, SendMessage
from topics.message import Message

# -- the ledger's unique key


_ONE_WAITS = """
SELECT EXISTS (SELECT 1 FROM pg_stat_activity
               WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0)
"""


@switched
async def test_without_the_ledgers_unique_keys_two_fills_send_twice(
    open_service: Open, instance: Instance, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    runtime = await open_service(DELIVERY)
    if not protected:
        owner = await asyncpg.connect(instance.database_url)
        await owner.execute(
            "ALTER TABLE delivery.ledger DROP CONSTRAINT ledger_pkey;"
            "DROP INDEX delivery.ledger_recipient"
        )
        await owner.close()
        bare = ledger_store._FILL.replace("ON CONFLICT (run_id, member_id) DO NOTHING", "")
        monkeypatch.setattr(ledger_store, "_FILL", bare)
    run_id = await a_filled_snapshot(runtime)
    both_begun, filled = asyncio.Barrier(2), list[int]()

    async with runtime.uow.begin() as work:
        run = await RunStore(work.connection).lock(run_id)
    assert run is not None

    async def both_have_written() -> bool:
        # With the key the second cannot: it waits for the first one's commit.
        return len(filled) == 2 or await runtime.pool.fetchval(_ONE_WAITS)

    async def fill() -> None:
        async with runtime.uow.begin() as work:
            # Both have begun, and written what they can, before either commits: as with a lease
            # that was lost.
            await both_begun.wait()
            filled.append(await LedgerStore(work.connection).fill(run, until_chunk=1, at=work.now))
            await eventually(both_have_written, what="the other fill")

    results = await asyncio.gather(fill(), fill(), return_exceptions=True)
    refused = [one for one in results if isinstance(one, BaseException)]
    assert all(isinstance(one, asyncpg.UniqueViolationError) for one in refused), refused
    async with runtime.uow.begin() as work:
        broken = await delivery_invariants.broken(work.connection)
    assert ("I1" in names(broken)) is (not protected)
    assert names(broken) <= {"I1", "I2"}


async def a_filled_snapshot(runtime: Runtime) -> UUID:
    run_id, snapshot_id, member_id = uuid4(), uuid4(), uuid4()
    member = {"member_id": str(member_id), "email": "a@b.example", "recipient_key": "k", "site": {}}
    async with runtime.uow.begin() as work:
        await work.connection.execute(
            "INSERT INTO snapshots (snapshot_id, campaign_id, first_at) VALUES ($1, $2, now())",
            snapshot_id,
            uuid4(),
        )
        await work.connection.execute(
            "INSERT INTO snapshot_chunks (snapshot_id, index, size, members) VALUES ($1, 0, 1, $2)",
            snapshot_id,
            [member],
        )
        await work.connection.execute(
            "INSERT INTO runs (run_id, kind, state, campaign_id, snapshot_id, count, chunks,"
            " filled, retry_until, asked_at)"
            " VALUES ($1, 'campaign', 'started', $2, $3, 1, 1, true, now(), now())",
            run_id,
            uuid4(),
            snapshot_id,
        )
    return run_id


# -- the attempt before the call


@switched
async def test_an_attempt_written_after_its_call_is_repeated_without_a_trace(
    open_service: Open, instance: Instance, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    runtime = await a_service(
        open_service, DELIVERY, SENDER_CONNECTIONS="1", SENDER_LEASE_SECONDS="600"
    )
    if not protected:
        switch_attempts_off(monkeypatch)
    domain = f"{instance.namespace.rstrip('.')}.example"
    sink = Sink(instance.mail_url, f"@{domain}")
    await sink.begin()
    called = asyncio.Event()
    monkeypatch.setattr(faults, "reach", loses_connection_once("sender.after_call", called))
    message = a_message(f"somebody@{domain}")
    await runtime.execute(a_template(message.template_id))
    await runtime.execute(message)
    async with running(runtime):
        await asyncio.wait_for(called.wait(), PATIENCE)
        # Now, and not before: a lease that ended before the call would need no protection.
        await runtime.pool.execute(
            "UPDATE queue SET lease_until = clock_timestamp() - interval '1 second'"
            " WHERE lease_until IS NOT NULL"
        )
        await eventually(
            lambda: runtime.pool.fetchval(
                "SELECT outcome IN ('ambiguous', 'sent') FROM ledger WHERE run_id = $1",
                message.message_id,
            ),
            what="the message's end",
        )
        found = await compared(runtime.pool.fetch, sink)
    assert names(found.broken) == (set() if protected else {"I3"})
    assert found.ambiguous == int(protected)


def switch_attempts_off(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, end = sending.SendingStore.begin, sending.SendingStore.end

    async def begin_and_end(self: Any, results: Any, at: Any) -> Any:
        numbers = [one.number for one in results]
        await begin(self, *sending.keys(results), numbers, "late", at)
        return await end(self, results, at)

    monkeypatch.setattr(queue.QueueStore, "lease", answering(None))
    monkeypatch.setattr(sending.SendingStore, "end", begin_and_end)


def loses_connection_once(point: str, lost: asyncio.Event) -> Any:
    def reach(reached: str) -> None:
        if reached == point and not lost.is_set():
            lost.set()
            raise ConnectionError

    return reach


def a_template(template_id: UUID) -> Message:
    return SaveTemplate(
        template_id=template_id,
        actor=manager,
        label="Order",
        subject="Order",
        body="<p>Thank you</p>",
        text="Thank you",
        from_address=FROM_ADDRESS,
    )


def a_message(address: str) -> SendMessage:
    return SendMessage(
        message_id=uuid4(), template_id=uuid4(), address=address, recipient_key=uuid4().hex
    )
