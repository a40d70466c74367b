"""Pressure rules over real rows and a real server: who has had enough is set aside and counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.delivery.api_pressure import RuleBody, RuleView, remove_rule, rules, save_rule
from services.delivery.erase import erase
from services.delivery.store.lists import Lists
from shared.clock import DrivenClock
from shared.errors import NotAllowed
from shared.pressure import Grouping
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    MANAGER,
    REVIEWER,
    Case,
    Catcher,
    actor,
    approved,
    checked,
    finished,
    member,
    prepare,
    sending,
    work_off,
)
from topics.campaign import CampaignState, CampaignStatus
from topics.delivery import Channel, DeliveryCounts
from topics.targeting import Member

DAYS = ("05-30", "06-03", "06-08", "06-12", "06-22", "06-30")
START = datetime(2026, 5, 30, 8, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(START)


@pytest.fixture
async def runtime(
    open_service: Open, catcher: Catcher, clock: DrivenClock
) -> AsyncIterator[Runtime]:
    async with checked(open_service, catcher, clock) as made:
        yield made


async def rule(runtime: Runtime, **values: Any) -> None:
    body = RuleBody(**{"label": "Not too much"} | values)
    await save_rule(uuid4(), body, actor(MANAGER), runtime)


async def sent_to(runtime: Runtime, *members: Member, **start: Any) -> DeliveryCounts:
    """Approve and send a campaign to members; return what came of it."""
    case = Case(members)
    await approved(runtime, case, service=False)
    await runtime.execute(case.start(**start))
    return (await finished(runtime, case)).counts


async def planned(
    runtime: Runtime, clock: DrivenClock, *members: Member, **more: Any
) -> CampaignState:
    """Have a campaign of other people's approved, to start in three days."""
    case = Case(members)
    await prepare(runtime, case)
    for chunk in case.chunks:
        await runtime.execute(chunk)
    now = clock.now()
    values: dict[str, Any] = {
        "campaign_id": case.campaign_id,
        "version": 3,
        "number": 7,
        "label": "Later",
        "status": CampaignStatus.READY_TO_RUN,
        "start_at": now + 3 * DAY,
        "end_at": now + 30 * DAY,
        "zone": "UTC",
        "manager_id": str(MANAGER),
        "delivery_id": case.delivery_id,
        "snapshot_id": case.snapshot_id,
        "weight": 9,
        "created_at": now,
        "modified_at": now,
    }
    state = CampaignState(**values | more)
    await runtime.execute(state)
    return state


@pytest.mark.parametrize(
    ("per", "left_out"),
    [
        (Grouping.NONE, ["06-12"]),
        (Grouping.MONTH, ["06-12", "06-30"]),
        (Grouping.QUARTER, ["06-12", "06-22", "06-30"]),
    ],
)
async def test_three_messages_in_fifteen_days_as_worked_through_in_the_manual(
    runtime: Runtime, clock: DrivenClock, catcher: Catcher, per: Grouping, left_out: list[str]
) -> None:
    await rule(runtime, most=3, days=15, per=per, channel=Channel.EMAIL)
    ada = member("ada@x.example")
    found = []
    async with sending(runtime):
        for day in DAYS:
            clock.advance(
                datetime.combine(date.fromisoformat(f"2026-{day}"), time(8), UTC) - clock.now()
            )
            counts = await sent_to(runtime, ada)
            assert (counts.sent, counts.ignored, counts.pressure) in {(1, 0, 0), (0, 1, 1)}
            found += [day] if counts.pressure else []
    assert found == left_out
    assert len(await catcher.to("ada@x.example")) == len(DAYS) - len(left_out)


async def test_only_whom_the_rule_spares_is_set_aside_under_the_reason_and_its_own_key(
    runtime: Runtime, clock: DrivenClock, catcher: Catcher
) -> None:
    await rule(runtime, most=1, days=7)
    ada, bob = member("ada@x.example"), member("bob@x.example")
    async with sending(runtime):
        assert (await sent_to(runtime, ada)).sent == 1
        clock.advance(DAY)
        # Another contact of the same address has had its message too.
        case = Case([bob, member("ADA@x.example"), member(None)])
        await approved(runtime, case, service=False)
        await runtime.execute(case.start())
        counts = (await finished(runtime, case)).counts
        assert counts == DeliveryCounts(targeted=3, sent=1, ignored=2, emails_sent=1, pressure=1)
        row = await runtime.pool.fetchrow(
            "SELECT recipient_key, address, merge, outcome FROM ledger"
            " WHERE run_id = $1 AND reason = 'pressure'",
            case.run_id,
        )
        assert row is not None
        assert tuple(row) == (ada.recipient_key, None, {}, "ignored")
        async with runtime.pool.acquire() as connection:
            (shown,) = await Lists(connection, addresses=False).runs(case.delivery_id)
        assert shown.counts == counts
        clock.advance(7 * DAY)
        assert (await sent_to(runtime, ada)).sent == 1
    assert len(await catcher.to("ada@x.example")) == 2


async def test_a_rule_of_another_channel_and_a_failed_message_set_nobody_aside(
    runtime: Runtime,
) -> None:
    await rule(runtime, most=1, days=7, channel=Channel.DIRECT_MAIL)
    ada, bad = member("ada@x.example"), member("no address")
    async with sending(runtime):
        assert (await sent_to(runtime, ada, bad)).failed == 1
        assert (await sent_to(runtime, ada)).sent == 1
        await rule(runtime, most=1, days=7)
        counts = await sent_to(runtime, ada, bad)
    assert (counts.pressure, counts.failed) == (1, 1)


@pytest.mark.parametrize(
    ("plan", "set_aside"),
    [
        ({}, True),
        ({"weight": 5}, False),
        ({"weight": 5, "start_at": START - DAY}, True),
        ({"start_at": START + 7 * DAY}, False),
        ({"status": CampaignStatus.PROOF_PENDING}, False),
        ({"delivery_id": None}, False),
    ],
    ids=["heavier", "as heavy and later", "as heavy and earlier", "too late", "open", "no message"],
)
async def test_a_plan_of_more_weight_goes_first_where_the_rule_counts_plans(
    runtime: Runtime, clock: DrivenClock, plan: dict[str, Any], *, set_aside: bool
) -> None:
    await rule(runtime, most=1, days=7, planned=True)
    ada, bob = member("ada@x.example"), member("bob@x.example")
    await planned(runtime, clock, ada, **plan)
    async with sending(runtime):
        counts = await sent_to(runtime, ada, bob)
    assert (counts.sent, counts.pressure) == ((1, 1) if set_aside else (2, 0))


async def test_a_plan_that_is_none_any_more_or_that_no_rule_asks_for_counts_no_more(
    runtime: Runtime, clock: DrivenClock
) -> None:
    ada = member("ada@x.example")
    state = await planned(runtime, clock, ada)
    await rule(runtime, most=1, days=1)
    async with sending(runtime):
        assert (await sent_to(runtime, ada)).sent == 1
        clock.advance(DAY)
        await rule(runtime, most=1, days=7, planned=True)
        await work_off(runtime)
        assert await forecast(runtime) == 1
        cancelled = state.model_copy(update={"version": 5, "status": CampaignStatus.CANCELLED})
        await runtime.execute(cancelled)
        await runtime.execute(state.model_copy(update={"version": 4}))
        await work_off(runtime)
        assert await forecast(runtime) == 0
        clock.advance(7 * DAY)
        assert (await sent_to(runtime, ada)).sent == 1


async def forecast(runtime: Runtime) -> int:
    count: int = await runtime.pool.fetchval("SELECT count(*) FROM forecast")
    return count


async def test_whoever_is_forgotten_is_in_no_plan(runtime: Runtime, clock: DrivenClock) -> None:
    await rule(runtime, most=1, days=7, planned=True)
    ada = member("ada@x.example")
    await planned(runtime, clock, ada, member("bob@x.example"))
    await work_off(runtime)
    assert await forecast(runtime) == 2
    async with runtime.uow.begin() as work:
        await erase(work, ada.recipient_key or "", "ada@x.example")
    assert await forecast(runtime) == 1


async def test_rules_are_changed_by_those_who_manage_campaigns(runtime: Runtime) -> None:
    rule_id = uuid4()
    await save_rule(rule_id, RuleBody(label="Weekly", most=2, days=7), actor(MANAGER), runtime)
    changed = RuleBody(label="Weekly", most=1, days=0, per=Grouping.WEEK, channel=Channel.EMAIL)
    await save_rule(rule_id, changed, actor(MANAGER), runtime)
    assert await rules(runtime) == [RuleView(rule_id=rule_id, **changed.model_dump())]
    with pytest.raises(NotAllowed):
        await save_rule(rule_id, changed, actor(REVIEWER), runtime)
    with pytest.raises(NotAllowed):
        await remove_rule(rule_id, actor(REVIEWER), runtime)
    await remove_rule(rule_id, actor(MANAGER), runtime)
    assert await rules(runtime) == []
