"""Each protection switched off by a patch: the same check turns red and names its invariant.

A check that has never been red proves nothing. Every test here runs twice: with the protection
nothing is broken, without it exactly the invariant that it stands for is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.campaign.app import SERVICE as CAMPAIGN
from services.cli.checking import verdicts
from services.delivery import invariants as delivery_invariants
from services.delivery.app import SERVICE as DELIVERY
from services.delivery.store import ledger as ledger_store
from services.delivery.store import queue, sending
from services.delivery.store.ledger import LedgerStore
from services.delivery.store.runs import RunStore
from shared import consumer, faults, inbox, kafka, relay, topics_admin
from shared.batch import Item
from shared.consumer import Consumer
from shared.relay import Relay
from shared.service import Runtime
from shared.uow import UnitOfWork, Work
from tests.conftest import Open
from tests.driving import MANAGER, OPERATORS
from tests.faults.checks import Journal, compared
from tests.faults.mails import Sink
from tests.faults.world import FROM_ADDRESS, manager
from tests.instances import Instance
from tests.integration.test_core import running, send
from tests.waiting import eventually
from topics.campaign import CampaignPlan, CreateCampaign
from topics.delivery import SaveTemplate, SendMessage
from topics.message import Message
from topics.names import all_topics
from topics.operators import OperatorState

switched = pytest.mark.parametrize("protected", [True, False], ids=["protected", "switched off"])


def names(broken: Sequence[str]) -> set[str]:
    """Return the invariants that broken rows name."""
    return {line.split()[0] for line in broken}


def answering(value: object) -> Any:
    """Return a function that answers whatever it is asked, for a protection to be switched off."""

    async def answer(*_: object, **__: object) -> object:
        return value

    return answer


@asynccontextmanager
async def reading(runtime: Runtime) -> AsyncIterator[Journal]:
    journal = Journal(runtime.settings)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


async def a_service(open_service: Open, service: Any, **more: str) -> Runtime:
    runtime = await open_service(service, **more)
    await topics_admin.apply(runtime.settings, topics=all_topics())
    roles = OPERATORS[MANAGER]
    await runtime.execute(
        OperatorState(operator_id=MANAGER, version=1, name="Manager", roles=roles)
    )
    return runtime


def a_campaign() -> CreateCampaign:
    return CreateCampaign(campaign_id=uuid4(), actor=manager, plan=CampaignPlan(label="Autumn"))


async def drained(runtime: Runtime) -> None:
    await eventually(
        lambda: runtime.pool.fetchval("SELECT NOT EXISTS (SELECT 1 FROM outbox)"),
        what="an empty outbox",
    )


async def saved(runtime: Runtime, campaign_id: UUID) -> None:
    await eventually(
        lambda: runtime.pool.fetchval(
            "SELECT 1 FROM campaigns WHERE campaign_id = $1", campaign_id
        ),
        seconds=30,
        what="the campaign",
    )


# -- the inbox


async def everything_is_new(*asked: Any) -> inbox.Taken:
    _connection, _consumer, identities, _keys = asked
    return inbox.Taken(set(identities), set())


@switched
async def test_without_the_inbox_a_message_that_comes_twice_is_acted_on_twice(
    open_service: Open, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    runtime = await a_service(open_service, CAMPAIGN)
    if not protected:
        monkeypatch.setattr(inbox, "take", everything_is_new)
    first, last = a_campaign(), a_campaign()
    async with reading(runtime) as journal:
        async with running(runtime):
            await send(runtime, first, ids=["same"])
            await saved(runtime, first.campaign_id)
            await send(runtime, first, ids=["same"])
            await send(runtime, last)
            await saved(runtime, last.campaign_id)
            await drained(runtime)
        await journal.read()
        assert names(journal.broken) == (set() if protected else {"I4"})


# -- offsets after the commit


class Died(BaseException):
    """The process is gone."""


async def offsets_first(self: Consumer, client: Any, stop: asyncio.Event) -> None:
    while not stop.is_set():
        fetched = await client.getmany(timeout_ms=200, max_records=1)
        records = [
            kafka.as_record(self._settings, raw) for raws in fetched.values() for raw in raws
        ]
        if records:
            await self._commit(client, records)
            await self._handle_surely(records, stop)


@switched
async def test_offsets_committed_before_the_work_lose_what_a_dying_process_had_in_hand(
    open_service: Open, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    runtime = await a_service(open_service, CAMPAIGN)
    if not protected:
        monkeypatch.setattr(Consumer, "_loop", offsets_first)
    command, later = a_campaign(), a_campaign()
    await send(runtime, command)
    with monkeypatch.context() as dying:
        dying.setattr(faults, "reach", dies_at("uow.before_commit"))
        stop = asyncio.Event()
        with pytest.raises(Died):
            await asyncio.wait_for(runtime.consumers[0].run(stop), 30)
    async with running(runtime):
        await send(runtime, later)
        await saved(runtime, later.campaign_id)
        if protected:
            await saved(runtime, command.campaign_id)
    [verdict] = await verdicts(runtime.settings, ["campaign"])
    assert names(verdict.broken) == (set() if protected else {"I4"})


def dies_at(point: str) -> Any:
    def reach(reached: str) -> None:
        if reached == point:
            raise Died

    return reach


# -- the outbox in the same transaction


@asynccontextmanager
async def outbox_afterwards(self: UnitOfWork) -> AsyncIterator[Work]:
    async with self.pool.acquire() as connection:
        async with connection.transaction():
            work = Work(
                connection, service=self.service, settings=self.settings, now=self.clock.now()
            )
            yield work
        faults.reach("uow.before_commit")
        async with connection.transaction():
            await work.flush()


@switched
async def test_an_outbox_in_a_transaction_of_its_own_loses_answers(
    open_service: Open, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    runtime = await a_service(open_service, CAMPAIGN)
    if not protected:
        monkeypatch.setattr(UnitOfWork, "begin", outbox_afterwards)
    command = a_campaign()
    async with reading(runtime) as journal, running(runtime):
        # The batch is tried again after a lost connection: a crash and a restart, in short.
        lose_connection_over("told", monkeypatch)
        await send(runtime, command, ids=["told"])
        await saved(runtime, command.campaign_id)
        handled = "SELECT 1 FROM inbox WHERE id = 'told'"
        await eventually(lambda: runtime.pool.fetchval(handled), what="the command in the inbox")
        await send(runtime, last := a_campaign(), ids=["last"])
        await saved(runtime, last.campaign_id)

        async def last_answered() -> bool:
            await journal.read()
            return not journal.unanswered(["last"])

        await eventually(last_answered, what="the last command's answers")
        assert names(journal.unanswered(["told"])) == (set() if protected else {"I4"})


def lose_connection_over(message_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lose the connection before the commit of the first batch that holds a message."""
    inner, struck = consumer.handle_run, dict[Any, bool]()

    async def handle_run(run: Sequence[Item], work: Work) -> None:
        await inner(run, work)
        if any(item.envelope.id == message_id for item in run):
            struck.setdefault(asyncio.current_task(), False)

    def reach(reached: str) -> None:
        task = asyncio.current_task()
        if reached == "uow.before_commit" and struck.get(task) is False:
            struck[task] = True
            raise ConnectionError

    monkeypatch.setattr(consumer, "handle_run", handle_run)
    monkeypatch.setattr(faults, "reach", reach)


# -- the ledger's unique key


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
    both_read, both_filled = asyncio.Barrier(2), asyncio.Barrier(2)

    async with runtime.uow.begin() as work:
        run = await RunStore(work.connection).lock(run_id)
    assert run is not None

    async def fill() -> None:
        async with runtime.uow.begin() as work:
            # Both have begun before either commits, as with a lease that was lost.
            await both_read.wait()
            await LedgerStore(work.connection).fill(run, until_chunk=1, at=work.now)
            # With the key, the second waits for the first one's commit.
            with suppress(TimeoutError):
                await asyncio.wait_for(both_filled.wait(), 1)

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


# -- the relay's lease and epoch


@switched
async def test_without_the_relays_lease_two_relays_publish_everything_twice(
    open_service: Open, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    runtime = await a_service(open_service, CAMPAIGN)
    all_published: Callable[[], Awaitable[Any]] = partial(drained, runtime)
    if not protected:
        all_published = switch_the_lease_off(monkeypatch)
    async with reading(runtime) as journal:
        async with runtime.uow.begin() as work:
            for _ in range(20):
                work.emit(a_campaign())
        relays = [
            asyncio.create_task(Relay(runtime.pool, runtime.settings, "campaign").run())
            for _ in range(2)
        ]
        await asyncio.wait_for(all_published(), 60)
        for one in relays:
            one.cancel()
        await asyncio.wait(relays)
        await journal.read()
        assert names(journal.doubled) == (set() if protected else {"I4"})


def switch_the_lease_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Awaitable[Any]]:
    """Let two relays lead at once; return a wait for both to have published the same rows."""
    inner = kafka.producer
    both_read, both_published = asyncio.Barrier(2), asyncio.Barrier(3)
    publish = Relay._publish

    def unfenced(settings: Any, *, transactional_id: str) -> Any:
        return inner(settings, transactional_id=f"{transactional_id}.{uuid4()}")

    async def together(self: Relay, producer: Any, epoch: int, rows: Any) -> None:
        # Both have read the same rows before either marks them.
        await both_read.wait()
        await publish(self, producer, epoch, rows)
        await both_published.wait()

    monkeypatch.setattr(Relay, "_acquire", answering(1))
    monkeypatch.setattr(Relay, "_renew", answering(None))
    monkeypatch.setattr(Relay, "_publish", together)
    monkeypatch.setattr(
        relay,
        "_MARK",
        "WITH gone AS (DELETE FROM outbox WHERE seq = ANY ($2::bigint[])) SELECT $1::bigint",
    )
    monkeypatch.setattr(kafka, "producer", unfenced)
    return both_published.wait


# -- the attempt before the call


@switched
async def test_an_attempt_written_after_its_call_is_repeated_without_a_trace(
    open_service: Open, instance: Instance, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    runtime = await a_service(
        open_service, DELIVERY, SENDER_CONNECTIONS="1", SENDER_LEASE_SECONDS="1"
    )
    if not protected:
        switch_attempts_off(monkeypatch)
    domain = f"{instance.namespace.rstrip('.')}.example"
    sink = Sink(instance.mail_url, f"@{domain}")
    await sink.begin()
    monkeypatch.setattr(faults, "reach", loses_connection_once("sender.after_call"))
    message = a_message(f"somebody@{domain}")
    await runtime.execute(a_template(message.template_id))
    await runtime.execute(message)
    async with running(runtime):
        await eventually(
            lambda: runtime.pool.fetchval(
                "SELECT outcome IN ('ambiguous', 'sent') FROM ledger WHERE run_id = $1",
                message.message_id,
            ),
            seconds=30,
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


def loses_connection_once(point: str) -> Any:
    left = [1]

    def reach(reached: str) -> None:
        if reached == point and left[0]:
            left[0] -= 1
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
