"""The consumer's protections switched off: inbox, offsets after the commit, outbox in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.campaign.app import SERVICE as CAMPAIGN
from services.cli.checking import verdicts
from shared import consumer, faults, inbox, kafka
from shared.batch import Item
from shared.consumer import Consumer
from shared.uow import UnitOfWork, Work
from tests.conftest import Open
from tests.faults.switches import (
    a_campaign,
    a_service,
    drained,
    names,
    reading,
    saved,
    switched,
)
from tests.integration.test_core import running, send
from tests.waiting import eventually

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
