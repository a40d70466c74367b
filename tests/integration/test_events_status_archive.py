"""mcSynch_<account> and the archive, as rows with a driven clock: order, pointers, purge, weeks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.events_status.app import SERVICE
from services.events_status.archive.accounts import Account, read_accounts
from services.events_status.archive.pointers import Stage
from services.events_status.archive.synchronising import synchronise
from services.events_status.copying import note_told, update_statuses
from services.events_status.domain import Told
from services.events_status.purge import purge_events
from services.events_status.statistics import LONGEST_TRANSACTION
from services.events_status.workflows import process_realtime
from shared.clock import DrivenClock
from shared.service import Runtime
from shared.settings import SettingsError
from tests.conftest import Open
from tests.integration.events_story import (
    ADDRESS,
    KIND,
    MANAGER,
    READER,
    actor,
    broken,
    calling,
    held_back,
    know_operators,
    statuses,
)
from tests.integration.test_events_status_rows import TEMPLATE, as_, link, say, step, stop, take
from tests.integration.test_events_status_steering import ends, exhausted
from topics.delivery import Outcome
from topics.events import EventsFound, FindEvents

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)  # a Thursday
MONDAY = date(2026, 11, 23)
DEFAULT = partial(synchronise, account="default")


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(NOW)


@pytest.fixture
async def runtime(open_service: Open, clock: DrivenClock) -> Runtime:
    opened = await open_service(SERVICE, clock, MUSTER_ZONE="Europe/Paris")
    await know_operators(opened)
    await opened.execute(link(KIND, TEMPLATE))
    return opened


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(runtime) as opened:
        yield opened


async def archived(runtime: Runtime) -> dict[UUID, tuple[str, int]]:
    """Return the archived events with their status and version."""
    rows = await runtime.pool.fetch("SELECT event_id, status, version FROM archived_events")
    return {row["event_id"]: (row["status"], row["version"]) for row in rows}


async def lines(runtime: Runtime) -> set[tuple[Any, ...]]:
    """Return the archive's deliveries: week, template, status, events."""
    query = "SELECT week, template_id, status, events FROM archived_deliveries WHERE events <> 0"
    return {tuple(row) for row in await runtime.pool.fetch(query)}


async def test_processed_events_are_archived_by_template_and_week_without_their_address(
    runtime: Runtime,
) -> None:
    sent = await take(runtime, "sent")
    unheard = await take(runtime, "unheard", kind="unheard.of")
    await ends(runtime, sent, Outcome.SENT)
    await take(runtime, "waits")
    await exhausted(runtime, DEFAULT)
    assert await archived(runtime) == {sent: ("sent", 3), unheard: ("not_covered", 2)}
    assert await lines(runtime) == {
        (MONDAY, TEMPLATE, "sent", 1),
        (MONDAY, None, "not_covered", 1),
    }
    [log] = await runtime.pool.fetch("SELECT event_id, outcome FROM archived_delivery_logs")
    assert tuple(log) == (sent, "sent")
    rows = await runtime.pool.fetch("SELECT a::text AS row FROM archived_events a")
    assert "A-17" not in str(rows)
    assert ADDRESS not in str(rows)
    assert (await step(runtime, DEFAULT))[0].rows_in == 0
    assert await broken(runtime) == []


async def test_a_late_bounce_moves_an_archived_event_to_the_week_it_came_in(
    runtime: Runtime, clock: DrivenClock
) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.SENT)
    await exhausted(runtime, DEFAULT)
    clock.advance(timedelta(days=8))
    await say(runtime, event, Outcome.FAILED)
    await step(runtime, update_statuses)
    await exhausted(runtime, DEFAULT)
    assert await archived(runtime) == {event: ("delivery_error", 4)}
    assert await lines(runtime) == {(MONDAY + timedelta(7), TEMPLATE, "delivery_error", 1)}
    logs = await runtime.pool.fetch("SELECT outcome FROM archived_delivery_logs ORDER BY at")
    assert [row["outcome"] for row in logs] == ["sent", "failed"]
    assert await broken(runtime) == []


async def test_an_outcome_that_changes_nothing_is_archived_too(
    runtime: Runtime, clock: DrivenClock
) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.FAILED)
    await exhausted(runtime, DEFAULT)
    clock.advance(timedelta(seconds=1))
    await say(runtime, event, Outcome.SENT)  # it was overtaken by its bounce
    await step(runtime, update_statuses)
    await exhausted(runtime, DEFAULT)
    assert await archived(runtime) == {event: ("delivery_error", 3)}
    logs = await runtime.pool.fetch("SELECT outcome FROM archived_delivery_logs ORDER BY at")
    assert [row["outcome"] for row in logs] == ["failed", "sent"]


async def test_an_outcome_that_is_said_while_its_event_is_archived_is_archived_too(
    runtime: Runtime, clock: DrivenClock
) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.FAILED)
    clock.advance(timedelta(seconds=1))
    async with runtime.uow.begin() as late:
        await note_told(late, [Told(event, Outcome.SENT, "", late.now)])
        archiving = asyncio.create_task(exhausted(runtime, DEFAULT))
        await asyncio.wait([archiving], timeout=1)
    await archiving
    await exhausted(runtime, DEFAULT)
    logs = await runtime.pool.fetch("SELECT outcome FROM archived_delivery_logs ORDER BY at")
    assert [row["outcome"] for row in logs] == ["failed", "sent"]
    assert await runtime.pool.fetchval("SELECT count(*) FROM archive_due") == 0


async def test_what_commits_behind_the_pointer_is_archived_by_the_next_run(
    runtime: Runtime, clock: DrivenClock
) -> None:
    async with held_back(runtime):
        slow = await take(runtime, "slow", kind="unheard.of")
        quick = await take(runtime, "quick", kind="unheard.of")
    move = (
        "UPDATE events SET status = 'not_covered', version = 2, changed_at = $2 WHERE event_id = $1"
    )
    async with runtime.uow.begin() as late:
        await late.connection.execute(move, slow, late.now)
        clock.advance(timedelta(seconds=15))
        await runtime.pool.execute(move, quick, clock.now())
        clock.advance(timedelta(seconds=1))
        await exhausted(runtime, DEFAULT)
        assert set(await archived(runtime)) == {quick}
    clock.advance(timedelta(hours=1))
    await exhausted(runtime, DEFAULT)
    assert set(await archived(runtime)) == {quick, slow}
    reached = await runtime.pool.fetchval(
        "SELECT reached_at FROM archive_pointers WHERE step = 'events'"
    )
    assert reached == clock.now() - LONGEST_TRANSACTION


async def test_the_purge_waits_for_the_archive_and_says_so(
    runtime: Runtime, client: httpx.AsyncClient, clock: DrivenClock
) -> None:
    event = await take(runtime, "1", external_id="X-1")
    await ends(runtime, event, Outcome.SENT)
    await runtime.execute(stop("mcSynch_default"))
    clock.advance(timedelta(days=32))
    await exhausted(runtime, purge_events)
    assert await statuses(runtime) == {"1": "sent"}
    headers = as_(runtime, READER)
    found = (await client.get("/archive", headers=headers)).json()
    assert (found["purge_waits_for"], found["events"]) == (1, 0)
    [account] = found["accounts"]
    assert account["held_by"] == {"workflow": "mcSynch_default", "status": "stopped"}
    await exhausted(runtime, DEFAULT)
    await exhausted(runtime, purge_events)
    assert await statuses(runtime) == {}
    detail = (await client.get(f"/events/{event}", headers=headers)).json()
    assert (detail["event"]["status"], detail["event"]["archived"]) == ("sent", True)
    assert [one["outcome"] for one in detail["outcomes"]] == ["sent"]
    search = FindEvents(search_id=event, actor=actor(MANAGER), external_id="X-1")
    [said] = await runtime.execute(search)
    assert isinstance(said, EventsFound)
    assert [(one.event_id, one.status, one.archived) for one in said.events] == [
        (event, "sent", True)
    ]
    page = (await client.get("/events?external_id=X-1", headers=headers)).json()
    assert [(one["ce_id"], one["archived"]) for one in page["events"]] == [("1", True)]
    found = (await client.get("/archive", headers=headers)).json()
    assert (found["purge_waits_for"], found["events"]) == (0, 1)
    steps = found["accounts"][0]["steps"]
    assert [one["step"] for one in steps] == list(Stage)
    assert [one["waiting"] for one in steps] == [None, 0, 0, 0, 0, 0]
    weeks = (await client.get("/archive/deliveries", headers=headers)).json()["deliveries"]
    assert [(one["week"], one["status"], one["events"]) for one in weeks] == [
        (str(MONDAY), "sent", 1)
    ]


async def test_the_archive_is_purged_after_its_year(runtime: Runtime, clock: DrivenClock) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.SENT)
    await exhausted(runtime, DEFAULT)
    clock.advance(timedelta(days=366))
    await exhausted(runtime, purge_events)
    assert set(await archived(runtime)) == {event}
    clock.advance(timedelta(days=1))
    await exhausted(runtime, purge_events)
    assert await archived(runtime) == {}
    assert await runtime.pool.fetchval("SELECT count(*) FROM archived_deliveries") == 0
    assert await runtime.pool.fetchval("SELECT count(*) FROM archived_delivery_logs") == 0


async def test_what_a_pointer_passed_by_is_called_back_by_the_purge(
    runtime: Runtime, clock: DrivenClock
) -> None:
    async with held_back(runtime):
        event = await take(runtime, "1", kind="unheard.of")
    await exhausted(runtime, DEFAULT)
    await runtime.pool.execute(
        "UPDATE events SET status = 'not_covered', version = 2,"
        " changed_at = changed_at - '1 hour'::interval"
    )
    clock.advance(timedelta(days=32))
    await exhausted(runtime, DEFAULT)
    assert await archived(runtime) == {}
    await exhausted(runtime, purge_events)
    await exhausted(runtime, DEFAULT)
    assert set(await archived(runtime)) == {event}


BREAKS = {
    "I4 what ended up to the pointer": "DELETE FROM archived_events",
    "I4 an archived event stands": "UPDATE archived_events SET status = 'expired'",
    "I2 the archive's deliveries": "UPDATE archived_deliveries SET events = 7",
}


@pytest.mark.parametrize("name", BREAKS)
async def test_each_check_of_the_archive_notices_what_it_is_for(
    runtime: Runtime, clock: DrivenClock, name: str
) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.SENT)
    clock.advance(timedelta(hours=1))
    await exhausted(runtime, DEFAULT)
    assert await broken(runtime) == []
    await runtime.pool.execute(BREAKS[name])
    assert any(one.startswith(name) for one in await broken(runtime))


async def test_each_account_takes_the_events_of_its_systems_and_the_default_one_what_is_left(
    runtime: Runtime, clock: DrivenClock
) -> None:
    two = read_accounts("shop=/shop/")
    shop = partial(synchronise, account="shop", accounts=two)
    first = await take(runtime, "1", kind="unheard.of")
    await exhausted(runtime, process_realtime)
    await exhausted(runtime, partial(synchronise, account="default", accounts=two))
    assert await archived(runtime) == {}
    await exhausted(runtime, shop)
    assert set(await archived(runtime)) == {first}
    await ends(runtime, await take(runtime, "2"), Outcome.SENT)
    await step(runtime, shop)  # killed once its events were archived; then it is named no more
    clock.advance(timedelta(hours=1))
    await exhausted(runtime, DEFAULT)
    logs = await runtime.pool.fetch("SELECT outcome FROM archived_delivery_logs")
    assert [row["outcome"] for row in logs] == ["sent"]
    assert await broken(runtime) == []


@pytest.mark.parametrize(
    "text", ["Shop=/shop", "shop", "shop=", "shop=/a,shop=/b", "a=/s,b=/s", "x-1=/s", "default=/s"]
)
def test_a_setting_of_accounts_that_is_wrong_says_what_is(text: str) -> None:
    with pytest.raises(SettingsError, match="MESSAGE_CENTER_ACCOUNTS: "):
        read_accounts(text)


def test_there_is_always_a_default_account() -> None:
    assert read_accounts("") == read_accounts("default") == (Account("default"),)
    assert read_accounts("shop=/shop/") == (Account("default"), Account("shop", "/shop/"))
