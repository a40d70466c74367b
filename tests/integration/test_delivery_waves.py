"""Waves over real rows and a real server: sizes, times, pause, stop, kills; nobody twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.app import SERVICE
from services.delivery.invariants import broken
from services.delivery.progress import look
from services.delivery.store.lists import Lists
from shared.clock import DrivenClock
from shared.service import Runtime
from shared.workflows import set_status
from tests.conftest import Open
from tests.integration.delivery_harness import (
    MANAGER,
    Case,
    Catcher,
    actor,
    approved,
    finished,
    member,
    said,
    sending,
    work_off,
)
from tests.waiting import eventually
from topics.delivery import (
    AgainScope,
    DeliveryProgressed,
    PauseDelivery,
    ResumeDelivery,
    SendAgain,
    StopDelivery,
)
from topics.targeting import ConsentChanged
from topics.waves import WaveDate, WaveProgress, Waves, WaveUnit
from topics.workflows import WorkflowStatus

START = datetime(2026, 8, 3, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURLY = Waves(size=4, period_minutes=60)


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(START)


@pytest.fixture
async def runtime(
    open_service: Open, catcher: Catcher, clock: DrivenClock
) -> AsyncIterator[Runtime]:
    found = await open_service(
        SERVICE,
        clock=clock,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        SENDER_RETRY_BASE_SECONDS="0.05",
        SENDER_CONNECTIONS="2",
        SENDER_WINDOW="3",
        SENDER_RETRY_HOURS="2",
    )
    yield found
    async with found.pool.acquire() as connection:
        assert await broken(connection) == []


def ten(**more: object) -> Case:
    """Return a case of ten recipients, whose slices and waves do not fit each other."""
    values: dict[str, object] = {"chunk_size": 3} | more
    case = Case([], **values)  # type: ignore[arg-type] # any field
    case.members = [member(f"m{i}@{case.domain}") for i in range(10)]
    return case


async def sent(runtime: Runtime, case: Case) -> int:
    count: int = await runtime.pool.fetchval(
        "SELECT count(*) FROM ledger WHERE run_id = $1 AND outcome = 'sent'", case.run_id
    )
    return count


async def progress(runtime: Runtime, case: Case) -> WaveProgress | None:
    every = [one for one in await said(runtime, DeliveryProgressed) if one.run_id == case.run_id]
    return every[-1].waves if every else None


async def reaches(runtime: Runtime, case: Case, count: int, opened: WaveProgress) -> None:
    """Wait until so many are sent and said to be, and nothing more may leave now."""

    async def there() -> bool:
        return await sent(runtime, case) == count and await progress(runtime, case) == opened

    await eventually(there, what=f"{count} sent with {opened}")
    free = await runtime.pool.fetchval(
        "SELECT count(*) FROM slices WHERE run_id = $1 AND lease_until IS NOT NULL", case.run_id
    )
    assert free == 0


def assert_once(case: Case, mails: list[tuple[str, str]]) -> None:
    """Each member has one mail."""
    assert Counter(to for to, _ in mails if to.startswith("m")) == Counter(
        one.email for one in case.members
    )


async def test_equal_waves_leave_one_period_after_the_other(
    runtime: Runtime, catcher: Catcher, clock: DrivenClock
) -> None:
    case = ten()
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start(waves=HOURLY))
        await reaches(runtime, case, 4, WaveProgress(opened=1, total=3, next_at=START + HOUR))
        clock.advance(HOUR - timedelta(seconds=1))
        await work_off(runtime)
        assert await sent(runtime, case) == 4
        clock.advance(timedelta(seconds=1))
        await reaches(runtime, case, 8, WaveProgress(opened=2, total=3, next_at=START + 2 * HOUR))
        clock.advance(HOUR)
        assert (await finished(runtime, case)).counts.sent == 10
    assert await progress(runtime, case) == WaveProgress(opened=3, total=3)
    async with runtime.pool.acquire() as connection:
        (shown,) = await Lists(connection, addresses=False).runs(case.delivery_id)
    assert [(one.size, one.opened_at) for one in shown.waves] == [
        (4, START),
        (4, START + HOUR),
        (None, START + 2 * HOUR),
    ]
    assert_once(case, await catcher.listed())


async def test_a_calendar_of_per_cent_leaves_at_its_dates_and_the_last_takes_the_rest(
    runtime: Runtime, clock: DrivenClock
) -> None:
    case = ten()
    later = START + timedelta(days=3)
    calendar = Waves(
        unit=WaveUnit.PERCENT,
        calendar=(WaveDate(at=START + HOUR, size=20), WaveDate(at=later, size=10)),
    )
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start(waves=calendar))
        await reaches(runtime, case, 0, WaveProgress(opened=0, total=2, next_at=START + HOUR))
        clock.advance(HOUR)
        await reaches(runtime, case, 2, WaveProgress(opened=1, total=2, next_at=later))
        clock.advance(later - clock.now())
        assert (await finished(runtime, case)).counts.sent == 10


async def test_a_message_of_a_late_wave_is_tried_again_like_any_other(
    runtime: Runtime, catcher: Catcher, clock: DrivenClock
) -> None:
    case = ten()
    day = Waves(size=9, period_minutes=24 * 60)
    last = case.members[-1].email or ""
    async with sending(runtime):
        await approved(runtime, case)
        catcher.misbehave(
            FaultRule(recipient=last, action=Action.REFUSE_MESSAGE, code=451, times=1)
        )
        await runtime.execute(case.start(waves=day))
        next_at = START + timedelta(days=1)
        await reaches(runtime, case, 9, WaveProgress(opened=1, total=2, next_at=next_at))
        clock.advance(timedelta(days=1))

        async def deferred() -> bool:
            return bool(await runtime.pool.fetchval("SELECT count(*) FROM queue"))

        await eventually(deferred, what="the last one's deferral")
        clock.advance(timedelta(minutes=1))
        assert (await finished(runtime, case)).counts.sent == 10


async def test_no_wave_opens_while_paused_and_the_period_is_kept_afterwards(
    runtime: Runtime, clock: DrivenClock
) -> None:
    case = ten()
    pause = PauseDelivery(campaign_id=case.campaign_id, actor=actor(MANAGER))
    resume = ResumeDelivery(campaign_id=case.campaign_id, actor=actor(MANAGER))
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start(waves=HOURLY))
        await reaches(runtime, case, 4, WaveProgress(opened=1, total=3, next_at=START + HOUR))
        await runtime.execute(pause)
        clock.advance(5 * HOUR)
        await work_off(runtime)
        timers = "SELECT count(*) FROM timers WHERE kind = 'delivery.wave'"
        assert await runtime.pool.fetchval(timers) == 0  # nobody is woken for it again and again
        assert await sent(runtime, case) == 4
        await runtime.execute(resume)
        # Both times have passed: the waves are not made up for at once.
        await reaches(runtime, case, 8, WaveProgress(opened=2, total=3, next_at=START + 6 * HOUR))
        clock.advance(HOUR)
        assert (await finished(runtime, case)).counts.sent == 10


async def test_with_delivery_mgt_stopped_no_wave_leaves_until_it_is_started(
    runtime: Runtime, clock: DrivenClock
) -> None:
    case = ten()
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start(waves=HOURLY))
        await reaches(runtime, case, 4, WaveProgress(opened=1, total=3, next_at=START + HOUR))
        async with runtime.uow.begin() as work:
            await set_status(work, "deliveryMgt", WorkflowStatus.STOPPED)
        clock.advance(HOUR)
        await look(runtime)
        assert await sent(runtime, case) == 4
        async with runtime.uow.begin() as work:
            await set_status(work, "deliveryMgt", WorkflowStatus.STARTED)
        await reaches(runtime, case, 8, WaveProgress(opened=2, total=3, next_at=START + 2 * HOUR))


async def test_a_stop_ends_the_waves_that_have_not_left(
    runtime: Runtime, clock: DrivenClock
) -> None:
    case = ten()
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start(waves=HOURLY))
        await reaches(runtime, case, 4, WaveProgress(opened=1, total=3, next_at=START + HOUR))
        await runtime.execute(
            StopDelivery(campaign_id=case.campaign_id, reason="enough", actor=actor(MANAGER))
        )
        counts = (await finished(runtime, case)).counts
        assert (counts.sent, counts.ignored) == (4, 6)
        clock.advance(HOUR)
        await work_off(runtime)
        assert await sent(runtime, case) == 4


async def test_what_a_stop_left_goes_again_at_once_and_not_in_waves(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = ten()
    by = actor(MANAGER)
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start(waves=HOURLY))
        await reaches(runtime, case, 4, WaveProgress(opened=1, total=3, next_at=START + HOUR))
        await runtime.execute(StopDelivery(campaign_id=case.campaign_id, reason="enough", actor=by))
        await finished(runtime, case)
        await runtime.execute(
            SendAgain(
                campaign_id=case.campaign_id,
                delivery_id=case.delivery_id,
                run_id=case.run_id,
                scope=AgainScope.MISSED,
                actor=by,
            )
        )
        await reaches(runtime, case, 10, WaveProgress(opened=1, total=1))
    assert_once(case, await catcher.listed())


async def test_the_rest_of_an_edited_campaign_leaves_in_waves_of_its_own_to_nobody_twice(
    runtime: Runtime, catcher: Catcher, clock: DrivenClock
) -> None:
    case = ten()
    by = actor(MANAGER)
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start(waves=HOURLY))
        await reaches(runtime, case, 4, WaveProgress(opened=1, total=3, next_at=START + HOUR))
        await runtime.execute(PauseDelivery(campaign_id=case.campaign_id, actor=by))
        await runtime.execute(
            StopDelivery(
                campaign_id=case.campaign_id,
                run_id=case.run_id,
                leave_rest=True,
                reason="waves was edited",
                actor=by,
            )
        )
        rest = Case(case.members, domain=case.domain, campaign_id=case.campaign_id)
        await approved(runtime, rest, service=False)
        await runtime.execute(rest.start(waves=Waves(size=5, period_minutes=60)))
        await reaches(runtime, rest, 5, WaveProgress(opened=1, total=2, next_at=START + HOUR))
        clock.advance(HOUR)
        counts = (await finished(runtime, rest)).counts
        assert counts.sent == 6
    assert_once(case, await catcher.listed())


async def test_who_opts_out_between_two_waves_gets_nothing(
    runtime: Runtime, clock: DrivenClock
) -> None:
    case = ten()
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start(waves=HOURLY))
        await reaches(runtime, case, 4, WaveProgress(opened=1, total=3, next_at=START + HOUR))
        await runtime.execute(
            ConsentChanged(
                recipient_key=case.members[5].recipient_key or "",
                channel="email",
                opted_out=True,
                at=clock.now(),
            )
        )
        clock.advance(HOUR)
        await reaches(runtime, case, 7, WaveProgress(opened=2, total=3, next_at=START + 2 * HOUR))
        clock.advance(HOUR)
        counts = (await finished(runtime, case)).counts
        assert (counts.sent, counts.ignored) == (9, 1)
