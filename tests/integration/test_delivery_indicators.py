"""From events to windows and indicators: each counted once, whatever dies, and said as of when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.delivery.app import SERVICE, make_app
from services.delivery.domain.tracking import EventKind
from services.delivery.invariants import broken
from services.delivery.store.ledger import LedgerStore, NewRow
from services.delivery.store.tracking import TrackingEvent, TrackingStore
from services.delivery.store.windows import WindowStore
from services.delivery.tracking import workflows
from services.delivery.tracking.workflows import consolidate_tracking, count_indicators
from shared.ids import new_id
from shared.service import Runtime
from shared.uow import Work
from shared.workflows import Step
from tests.conftest import Open
from tests.integration.delivery_harness import MANAGER, Case, add_operators, member, prepare
from tests.integration.test_delivery_api import by
from topics.delivery import Outcome

CLICK, OPEN = EventKind.CLICK, EventKind.OPEN
BODY = '<body><a href="https://x.example">Shop</a><a href="https://y.example">More</a></body>'


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    return await open_service(SERVICE)


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=make_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as found:
        yield found


async def a_run(runtime: Runtime, *rows: tuple[str, str]) -> Case:
    """Write a finished run whose ledger rows have these outcomes and reasons."""
    await add_operators(runtime)
    case = Case([member(f"p{n}@x.example") for n in range(len(rows))])
    await prepare(runtime, case, body=BODY, track_clicks=True, track_opens=True)
    await runtime.pool.execute(
        "INSERT INTO runs (run_id, kind, state, delivery_id, campaign_id, template_hash, count,"
        " filled, retry_until, asked_at, finished_at)"
        " SELECT $1, 'campaign', 'finished', delivery_id, campaign_id, template_hash, $3, true,"
        " now(), now(), now() FROM deliveries WHERE delivery_id = $2",
        case.run_id,
        case.delivery_id,
        len(rows),
    )
    async with runtime.uow.begin() as work:
        await LedgerStore(work.connection).add(
            [
                NewRow(
                    run_id=case.run_id,
                    member_id=one.member_id,
                    recipient_key=one.recipient_key or "",
                    address=one.email or "",
                    merge={},
                    outcome=Outcome(outcome),
                    reason=reason,
                )
                for one, (outcome, reason) in zip(case.members, rows, strict=True)
            ],
            work.now,
        )
    return case


def an_event(
    runtime: Runtime,
    case: Case,
    kind: EventKind,
    who: int = 0,
    *,
    url: int = 4,
    source: bytes = b"a",
    machine: bool = False,
    at: datetime | None = None,
) -> TrackingEvent:
    return TrackingEvent(
        event_id=new_id(),
        run_id=case.run_id,
        member_id=case.members[who].member_id,
        kind=kind,
        url=1 if kind is OPEN else url,
        at=at or runtime.clock.now(),
        source=source,
        agent="browser",
        is_machine=machine,
    )


async def write(runtime: Runtime, *events: TrackingEvent) -> None:
    async with runtime.uow.begin() as work:
        await TrackingStore(work.connection).write(events)


async def in_a_transaction(runtime: Runtime, do: Callable[[Work], Awaitable[None]]) -> None:
    async with runtime.uow.begin() as work:
        await do(work)


async def run_to_end(runtime: Runtime, step: Any) -> list[Step]:
    steps: list[Step] = []
    while not steps or steps[-1].more:
        async with runtime.uow.begin() as work:
            steps.append(await step(work))
    return steps


async def windows(runtime: Runtime) -> list[tuple[int, int, int]]:
    rows = await runtime.pool.fetch("SELECT * FROM tracking_windows ORDER BY url, kind, begins")
    return [(row["url"], row["events"], row["machines"]) for row in rows]


async def violations(runtime: Runtime) -> list[str]:
    async with runtime.pool.acquire() as connection:
        return [line for line in await broken(connection) if "window" in line]


async def test_events_are_counted_in_their_window_once_also_late_ones(runtime: Runtime) -> None:
    case = await a_run(runtime, ("sent", ""), ("sent", ""))
    noon = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    at = [noon, noon + timedelta(minutes=4, seconds=59), noon + timedelta(minutes=5)]
    await write(runtime, *(an_event(runtime, case, CLICK, at=one) for one in at))
    await run_to_end(runtime, consolidate_tracking)
    await run_to_end(runtime, consolidate_tracking)
    assert await windows(runtime) == [(4, 2, 0), (4, 1, 0)]
    late = an_event(runtime, case, CLICK, at=noon + timedelta(minutes=1), machine=True)
    await write(runtime, late, an_event(runtime, case, OPEN, at=noon))
    await run_to_end(runtime, consolidate_tracking)
    assert await windows(runtime) == [(1, 1, 0), (4, 3, 1), (4, 1, 0)]
    assert await violations(runtime) == []


async def test_a_step_is_bounded_and_killed_before_its_end_it_counted_nothing(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflows, "EVENTS_A_STEP", 10)
    case = await a_run(runtime, ("sent", ""))
    await write(runtime, *(an_event(runtime, case, CLICK) for _ in range(25)))

    async def killed(work: Work) -> None:
        await consolidate_tracking(work)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await in_a_transaction(runtime, killed)
    assert await windows(runtime) == []
    steps = await run_to_end(runtime, consolidate_tracking)
    assert [step.rows_in for step in steps] == [10, 10, 5, 0]
    assert sum(events for _, events, _ in await windows(runtime)) == 25


async def test_an_event_committed_after_younger_ones_is_not_passed_over(runtime: Runtime) -> None:
    case = await a_run(runtime, ("sent", ""))
    slow = an_event(runtime, case, CLICK)
    async with runtime.uow.begin() as work:
        await TrackingStore(work.connection).write([slow])
        await write(runtime, an_event(runtime, case, CLICK))
        await run_to_end(runtime, consolidate_tracking)
        assert sum(events for _, events, _ in await windows(runtime)) == 1
    await run_to_end(runtime, consolidate_tracking)
    assert sum(events for _, events, _ in await windows(runtime)) == 2


async def test_two_consolidations_side_by_side_count_each_event_once(runtime: Runtime) -> None:
    case = await a_run(runtime, ("sent", ""))
    await write(runtime, *(an_event(runtime, case, CLICK) for _ in range(400)))

    async def one() -> int:
        async with runtime.uow.begin() as work:
            return (await WindowStore(work.connection).consolidate(50)).events

    taken = 0
    while counted := sum(await asyncio.gather(one(), one(), one())):
        taken += counted
    assert taken == 400
    assert sum(events for _, events, _ in await windows(runtime)) == 400


async def test_a_window_that_counted_too_much_or_too_little_is_seen(runtime: Runtime) -> None:
    case = await a_run(runtime, ("sent", ""))
    now = runtime.clock.now()
    for minutes in (0, 10):
        await write(runtime, an_event(runtime, case, CLICK, at=now - timedelta(minutes=minutes)))
    await run_to_end(runtime, consolidate_tracking)
    await runtime.pool.execute("UPDATE tracking_windows SET events = 0")
    assert len(await violations(runtime)) == 2
    await runtime.pool.execute("UPDATE tracking_windows SET events = 2")
    assert len(await violations(runtime)) == 1


async def test_indicators_are_counted_from_rows_and_say_as_of_when(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    case = await a_run(
        runtime,
        ("sent", ""),
        ("sent", ""),
        ("failed", "user_unknown"),
        ("ignored", "double"),
        ("pending", ""),
    )
    path = f"/api/v1/delivery/deliveries/{case.delivery_id}"
    who = by(runtime, MANAGER)
    before = (await client.get(f"{path}/indicators", headers=who)).json()
    assert (before["total_target"], before["success"], before["opens"]) == (5, 2, 0)
    assert before["reactivity"] is None
    await write(
        runtime,
        an_event(runtime, case, OPEN),
        an_event(runtime, case, OPEN, machine=True),
        an_event(runtime, case, OPEN, 1, machine=True),
        an_event(runtime, case, CLICK),
        an_event(runtime, case, CLICK, source=b"b"),
        an_event(runtime, case, CLICK, url=5),
        an_event(runtime, case, EventKind.MIRROR, url=3),
    )
    await run_to_end(runtime, consolidate_tracking)
    await run_to_end(runtime, count_indicators)
    found = (await client.get(f"{path}/indicators", headers=who)).json()
    assert {name: found[name] for name in ("rejected", "to_deliver", "processed")} == {
        "rejected": 1,
        "to_deliver": 4,
        "processed": 4,
    }
    assert (found["opens"], found["machine_opens"], found["estimated_opens"]) == (2, 1, 2)
    assert (found["clicks"], found["clicks_total"]) == (1, 3)
    assert (found["click_persons"], found["forwards"]) == (2, 1)
    assert (found["reactivity"], found["mirror_pages"], found["hard_bounces"]) == (0.5, 1, 1)
    assert found["as_of"] > before["as_of"]
    links = (await client.get(f"{path}/links", headers=who)).json()
    assert [(one["label"], one["clicks"]) for one in links] == [("Shop", 2), ("More", 1)]
    await write(runtime, an_event(runtime, case, CLICK, 1))
    stale = (await client.get(f"{path}/indicators", headers=who)).json()
    assert stale == found
    fresh = (await client.post(f"{path}/indicators", headers=who)).json()
    assert (fresh["clicks"], fresh["reactivity"]) == (2, 1.0)
    unknown = await client.get(f"/api/v1/delivery/deliveries/{uuid4()}/indicators", headers=who)
    assert unknown.status_code == 404


async def test_indicators_stay_when_the_rows_they_were_counted_from_go(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    case = await a_run(runtime, ("sent", ""), ("sent", ""))
    await run_to_end(runtime, count_indicators)
    await runtime.pool.execute("DELETE FROM ledger")
    path = f"/api/v1/delivery/deliveries/{case.delivery_id}/indicators"
    found = await client.post(path, headers=by(runtime, MANAGER))
    assert (found.status_code, found.json()["success"]) == (200, 2)


async def test_the_log_goes_after_its_time_and_its_totals_stay(runtime: Runtime) -> None:
    case = await a_run(runtime, ("sent", ""))
    await write(runtime, an_event(runtime, case, CLICK))
    await run_to_end(runtime, consolidate_tracking)
    old = runtime.clock.now() - timedelta(days=397)
    past = UUID(int=(int(old.timestamp() * 1000) << 80) + 1)
    await runtime.pool.execute("UPDATE tracking_log SET event_id = $1, at = $2", past, old)
    await runtime.pool.execute("UPDATE tracking_windows SET begins = $1", old)
    await runtime.pool.execute(
        "INSERT INTO personal_copies VALUES ($1, $2, '{}', $3)", case.run_id, uuid4(), old
    )
    await run_to_end(runtime, consolidate_tracking)
    for table, left in (("tracking_log", 0), ("personal_copies", 0), ("tracking_windows", 1)):
        assert await runtime.pool.fetchval(f"SELECT count(*) FROM {table}") == left


async def test_stopped_nothing_is_counted_and_started_everything_is(runtime: Runtime) -> None:
    case = await a_run(runtime, ("sent", ""))
    await write(runtime, an_event(runtime, case, CLICK))
    await runtime.pool.execute(
        "UPDATE technical_workflows SET status = 'stopped' WHERE name = 'tracking'"
    )
    [tracking] = [one for one in SERVICE.workflows if one.name == "tracking"]
    assert not await runtime.engine._run_if_due(tracking, asyncio.Event())
    assert await windows(runtime) == []
    await runtime.pool.execute(
        "UPDATE technical_workflows SET status = 'started' WHERE name = 'tracking'"
    )
    assert await runtime.engine._run_if_due(tracking, asyncio.Event())
    assert len(await windows(runtime)) == 1
    assert await runtime.pool.fetchval(
        "SELECT count(*) FROM workflow_wakes WHERE name = 'deliveryIndicators'"
    )
