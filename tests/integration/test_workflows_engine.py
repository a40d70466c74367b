"""The technical workflow engine: what is due runs, once, and only while it is started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from shared.clock import DrivenClock
from shared.controls import apply_control
from shared.engine import STOPPED_IN_MID_STEP, Engine
from shared.producer import unpack_headers
from shared.registry import Registry
from shared.schedules import Cron, Every, Schedule
from shared.service import Runtime, Service
from shared.timers import set_timer
from shared.uow import UnitOfWork, Work
from shared.workflows import Step, TechnicalWorkflow, forget_runs, is_started, wake
from tests.conftest import Open
from tests.waiting import PATIENCE, eventually
from topics.cloudevents import Envelope
from topics.message import Actor, Via
from topics.operators import OperatorState, Role
from topics.workflows import (
    FAILURES_IGNORED,
    Control,
    ControlWorkflow,
    ErrorPolicyRefused,
    SetErrorPolicy,
    WorkflowHeartbeat,
    WorkflowRefused,
    WorkflowRunEnded,
    WorkflowState,
)

NAME = "deliveryMgt"
HOURLY = Every(3600)
SUPERVISOR, REVIEWER = uuid4(), uuid4()


class Duty:
    """A workflow that does one of its pieces of work a step, held back or failing as told."""

    def __init__(self) -> None:
        self.waiting = 0
        self.done = 0
        self.calls = 0
        self.at_once = 0
        self.most_at_once = 0
        self.callers: list[str] = []
        self.workers: list[str] = []
        self.problem: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def step(self, work: Work) -> Step:
        self.calls += 1
        self.callers.append(work.settings.muster_instance)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await work.connection.execute("SELECT pg_sleep(0.01)")
            await self.gate.wait()
            if self.problem:
                raise self.problem
        finally:
            self.at_once -= 1
        if not self.waiting:
            return Step()
        self.waiting -= 1
        self.done += 1
        self.workers.append(work.settings.muster_instance)
        return Step(rows_in=1, rows_out=1, more=self.waiting > 0)

    def workflow(
        self, schedule: Schedule | None = HOURLY, timers: tuple[str, ...] = ()
    ) -> TechnicalWorkflow:
        return TechnicalWorkflow(
            NAME, "Deliveries", "Envois", "delivery", self.step, schedule, timers
        )


async def opened(open_service: Open, workflow: TechnicalWorkflow, **more: Any) -> Runtime:
    service = Service(
        "targeting", Registry(), Path(__file__).parent / "no_migrations", workflows=(workflow,)
    )
    runtime = await open_service(service, **more)
    for operator_id, role in ((SUPERVISOR, Role.SUPERVISOR), (REVIEWER, Role.REVIEWER)):
        state = OperatorState(operator_id=operator_id, version=1, name=role.title(), roles=(role,))
        await runtime.execute(state)
    return runtime


@asynccontextmanager
async def running(*engines: Engine) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(engine.run(stop)) for engine in engines]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)


async def control(
    runtime: Runtime, what: Control, operator: object = SUPERVISOR
) -> Sequence[object]:
    actor = Actor(id=str(operator), via=Via.WEB)
    return await runtime.execute(ControlWorkflow(name=NAME, control=what, actor=actor))


async def policy(runtime: Runtime, ignored: int, operator: object = SUPERVISOR) -> Sequence[object]:
    actor = Actor(id=str(operator), via=Via.WEB)
    return await runtime.execute(SetErrorPolicy(name=NAME, failures_ignored=ignored, actor=actor))


async def row(runtime: Runtime) -> dict[str, Any]:
    found = await runtime.pool.fetchrow("SELECT * FROM technical_workflows WHERE name = $1", NAME)
    return dict(found or {})


async def give(runtime: Runtime, duty: Duty, count: int) -> None:
    """Give the workflow work, and wake it, in one transaction."""
    async with runtime.uow.begin() as work:
        duty.waiting += count
        await wake(work, NAME)


async def messages(runtime: Runtime, topic: str, having: str = "") -> list[dict[str, Any]]:
    rows = await runtime.pool.fetch("SELECT value FROM outbox WHERE topic = $1 ORDER BY seq", topic)
    found = [orjson.loads(one["value"]) for one in rows]
    return [one for one in found if not having or having in one]


async def idle(runtime: Runtime) -> None:
    """Wait until nothing is due and nobody runs."""

    async def at_rest() -> bool:
        wakes = await runtime.pool.fetchval("SELECT count(*) FROM workflow_wakes")
        found = await row(runtime)
        return wakes == 0 and found["lease_owner"] is None and found["runs"] > 0

    await eventually(at_rest, what="an idle workflow")


async def test_a_run_takes_what_there_is_in_steps_and_says_how_much(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow())
    await give(runtime, duty, 5)
    async with running(runtime.engine):
        await eventually(lambda: duty.done == 5)
        await idle(runtime)
    (ended,) = await messages(runtime, WorkflowRunEnded.topic.name)
    assert (ended["rows_in"], ended["rows_out"], ended["error"]) == (5, 5, "")
    kept = await runtime.pool.fetchrow("SELECT rows_in, error, ended_at FROM workflow_runs")
    assert kept is not None
    assert (kept["rows_in"], kept["error"]) == (5, "")
    state = (await messages(runtime, WorkflowState.topic.name))[-1]
    assert (state["runs"], state["status"], state["schedule"]) == (1, "started", "every 3600 s")


async def test_a_stopped_workflow_holds_its_work_until_it_is_started(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow())
    async with running(runtime.engine):
        await idle(runtime)
        (state,) = await control(runtime, Control.STOP)
        assert isinstance(state, WorkflowState)
        calls = duty.calls
        await give(runtime, duty, 3)
        await asyncio.sleep(1)  # four times as long as the engine waits between two looks
        assert (duty.calls, duty.done) == (calls, 0)
        assert (await row(runtime))["status"] == "stopped"
        await control(runtime, Control.START)
        await eventually(lambda: duty.done == 3)


async def test_stopping_in_mid_run_ends_it_after_the_step_under_way(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow())
    duty.gate.clear()
    await give(runtime, duty, 1000)
    async with running(runtime.engine):
        await eventually(lambda: duty.at_once == 1)
        stopping = asyncio.create_task(control(runtime, Control.STOP))
        duty.gate.set()
        await stopping
        done = duty.done
        await eventually(lambda: duty.at_once == 0)
        assert done < 1000
        assert duty.done <= done + 1, "no further step began after the stop was committed"


async def test_pausing_and_resuming_go_as_the_table_says(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow())
    async with running(runtime.engine):
        await idle(runtime)
        await control(runtime, Control.PAUSE)
        for wrong in (Control.PAUSE, Control.RUN_NOW):
            (refused,) = await control(runtime, wrong)
            assert isinstance(refused, WorkflowRefused)
            assert refused.reason == f"{NAME} is paused: it cannot {wrong}"
        await give(runtime, duty, 1)
        await control(runtime, Control.RESUME)
        await eventually(lambda: duty.done == 1)
    async with runtime.uow.begin() as work:
        assert await is_started(work, NAME)


async def test_run_now_runs_what_is_not_due_yet(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow())
    async with running(runtime.engine):
        await idle(runtime)
        calls = duty.calls
        await control(runtime, Control.RUN_NOW)
        await eventually(lambda: duty.calls > calls)


async def test_a_control_without_the_right_changes_nothing(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow())
    before = await row(runtime)
    for who in (REVIEWER, uuid4(), "system:web"):
        (refused,) = await control(runtime, Control.STOP, who)
        assert isinstance(refused, WorkflowRefused)
    assert await row(runtime) == before


async def test_a_wake_that_comes_during_a_run_makes_another(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow())
    async with running(runtime.engine):
        await idle(runtime)
        duty.gate.clear()
        await give(runtime, duty, 1)
        await eventually(lambda: duty.at_once == 1)
        async with runtime.uow.begin() as work:
            await wake(work, NAME)
        runs = (await row(runtime))["runs"]
        duty.gate.set()

        async def ran_twice() -> bool:
            return bool((await row(runtime))["runs"] == runs + 2)

        await eventually(ran_twice, what="a run for each wake")


async def test_two_engines_share_a_lease_and_a_run_is_one_engines(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow(Every(0.2)))
    elsewhere = runtime.settings.model_copy(update={"muster_instance": "elsewhere"})
    uow = UnitOfWork(runtime.pool, service="targeting", settings=elsewhere, clock=runtime.clock)
    other = Engine(uow, runtime.service.workflows, elsewhere, runtime.supervision)
    duty.waiting = 60
    async with running(other):
        async with running(runtime.engine):
            await eventually(lambda: duty.done == 60)
            assert duty.most_at_once == 1
            assert len(set(duty.workers)) == 1, "nobody stepped in between two steps of a run"
        before = len(duty.callers)
        await eventually(lambda: len(duty.callers) > before, what="a turn of the one that is left")
    assert duty.most_at_once == 1


async def test_a_crashed_engines_lease_runs_out_and_another_goes_on(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow())
    await runtime.pool.execute(
        "UPDATE technical_workflows SET lease_owner = 'gone', lease_epoch = 7,"
        " lease_until = now() + interval '1 second'"
    )
    await give(runtime, duty, 1)
    async with running(runtime.engine):
        await eventually(lambda: duty.done == 1)
    assert (await row(runtime))["lease_epoch"] > 7


async def test_a_workflow_that_fails_five_times_is_failed_and_says_why(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow(Every(0.05)))
    duty.problem = KeyError("jane@example.org")

    async def failed() -> bool:
        return bool((await row(runtime))["status"] == "failed")

    async with running(runtime.engine):
        await eventually(failed)
        assert duty.calls == FAILURES_IGNORED + 1
        ended = await messages(runtime, WorkflowRunEnded.topic.name)
        assert [one["error"] for one in ended] == ["KeyError"] * (FAILURES_IGNORED + 1)
        assert (await messages(runtime, WorkflowState.topic.name))[-1]["status"] == "failed"
        duty.problem, duty.waiting = None, 1
        await control(runtime, Control.RESUME)
        await eventually(lambda: duty.done == 1)
        await idle(runtime)
    assert (await row(runtime))["failures"] == 0


async def test_an_error_policy_stops_at_the_first_failure_or_ignores_more(
    open_service: Open,
) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow(Every(0.05)))

    async def fails_after() -> int:
        async def failed() -> bool:
            return bool((await row(runtime))["status"] == "failed")

        before = duty.calls
        await control(runtime, Control.START)
        await eventually(failed)
        return duty.calls - before

    await control(runtime, Control.STOP)
    duty.problem = KeyError()
    async with running(runtime.engine):
        (state,) = await policy(runtime, 0)
        assert isinstance(state, WorkflowState)
        assert state.failures_ignored == 0
        assert await fails_after() == 1
        await policy(runtime, 6)
        assert await fails_after() == 7
    (refused,) = await policy(runtime, 2, REVIEWER)
    assert isinstance(refused, ErrorPolicyRefused)
    told = (await messages(runtime, WorkflowState.topic.name))[-1]
    assert (told["failures_ignored"], told["failures"]) == (6, 7)


async def test_a_workflow_declares_its_error_policy(open_service: Open) -> None:
    duty = Duty()
    duty.problem = KeyError()
    runtime = await opened(open_service, replace(duty.workflow(), failures_ignored=0))

    async def failed() -> bool:
        return bool((await row(runtime))["status"] == "failed")

    async with running(runtime.engine):
        await eventually(failed)
    assert duty.calls == 1


class Hanging:
    """A step that writes a row, then waits for ever the first time."""

    def __init__(self) -> None:
        self.hung = asyncio.Event()
        self.hangs = True

    async def step(self, work: Work) -> Step:
        key = "hung" if self.hangs else "done"
        await set_timer(work, "x", key, work.now)
        if self.hangs:
            self.hung.set()
            await asyncio.Event().wait()
        return Step(rows_in=1)


async def test_an_unconditional_stop_ends_the_step_under_way_and_a_start_goes_on(
    open_service: Open,
) -> None:
    duty = Hanging()
    workflow = TechnicalWorkflow(NAME, "D", "E", "delivery", duty.step, HOURLY)
    runtime = await opened(open_service, workflow)

    async def keys() -> list[str]:
        return [one["key"] for one in await runtime.pool.fetch("SELECT key FROM timers")]

    async with running(runtime.engine):
        await asyncio.wait_for(duty.hung.wait(), PATIENCE)
        assert await control(runtime, Control.STOP) == [], "it waits for the step, not the consumer"
        assert (await row(runtime))["status"] == "started"
        assert await control(runtime, Control.STOP_NOW) == []

        async def stopped() -> bool:
            return bool((await row(runtime))["status"] == "stopped")

        await eventually(stopped)
        assert await keys() == []
        kept = await runtime.pool.fetch("SELECT error FROM workflow_runs")
        assert [one["error"] for one in kept] == [STOPPED_IN_MID_STEP]
        assert (await row(runtime))["failures"] == 0
        assert await messages(runtime, WorkflowRefused.topic.name, "control") == []
        duty.hangs = False
        await control(runtime, Control.START)

        async def done() -> bool:
            return await keys() == ["done"]

        await eventually(done)


async def test_an_order_that_waits_answers_who_asked(open_service: Open) -> None:
    duty = Hanging()
    workflow = TechnicalWorkflow(NAME, "D", "E", "delivery", duty.step, HOURLY)
    runtime = await opened(open_service, workflow)
    actor = Actor(id=str(SUPERVISOR), via=Via.WEB)
    command = ControlWorkflow(name=NAME, control=Control.STOP_NOW, actor=actor)
    async with running(runtime.engine):
        await asyncio.wait_for(duty.hung.wait(), PATIENCE)
        async with runtime.uow.begin() as work:
            work.cause = Envelope("/muster/web", "the-id", command.ce_type, work.now, b"")
            await apply_control(command, workflow, HOURLY, work)
        states = await eventually(partial(stopped_states, runtime))
    assert states == ["the-id"]


async def stopped_states(runtime: Runtime) -> list[str]:
    rows = await runtime.pool.fetch(
        "SELECT headers, value FROM outbox WHERE topic = $1 ORDER BY seq", WorkflowState.topic.name
    )
    found = [one for one in rows if orjson.loads(one["value"])["status"] == "stopped"]
    return [dict(unpack_headers(one["headers"]))["ce_correlationid"].decode() for one in found]


async def test_runs_that_find_nothing_are_counted_and_rarely_told(open_service: Open) -> None:
    duty = Duty()
    clock = DrivenClock(datetime(2030, 6, 3, 6, tzinfo=UTC))
    runtime = await opened(open_service, duty.workflow(), clock=clock)

    async def idle_runs(count: int) -> bool:
        return bool((await row(runtime))["idle_runs"] == count)

    async with running(runtime.engine):
        await idle(runtime)
        for count in (2, 3):
            clock.advance(timedelta(hours=1) if count == 3 else timedelta(minutes=1))
            async with runtime.uow.begin() as work:
                await wake(work, NAME)
            await eventually(partial(idle_runs, count))
        told = await messages(runtime, WorkflowState.topic.name)
        assert [one["idle_runs"] for one in told] == [0, 1, 3]
        assert told[-1]["idle_since"] == "2030-06-03T06:00:00Z"
        await give(runtime, duty, 1)
        await eventually(partial(idle_runs, 0))
    (ended,) = await messages(runtime, WorkflowRunEnded.topic.name)
    assert ended["idle_before"] == 3


async def test_runs_are_forgotten_after_their_days(open_service: Open) -> None:
    runtime = await opened(open_service, Duty().workflow())
    async with runtime.uow.begin() as work:
        for days in (30, 32):
            await work.connection.execute(
                "INSERT INTO workflow_runs (run_id, name, scheduled_for, started_at, ended_at,"
                " rows_in) VALUES ($1, $2, $3, $3, $3, $4)",
                uuid4(),
                NAME,
                work.now - timedelta(days=days),
                days,
            )
        await forget_runs(work, work.now - timedelta(days=31))
    rows = await runtime.pool.fetch("SELECT rows_in FROM workflow_runs")
    assert [one["rows_in"] for one in rows] == [30]


async def test_what_a_failing_step_wrote_is_rolled_back(open_service: Open) -> None:
    async def write_and_fail(work: Work) -> Step:
        await work.connection.execute("INSERT INTO timers VALUES ('x', 'y', now(), '{}')")
        raise KeyError

    workflow = TechnicalWorkflow(NAME, "D", "E", "delivery", write_and_fail, HOURLY)
    runtime = await opened(open_service, workflow)
    async with running(runtime.engine):
        await idle(runtime)
    assert await runtime.pool.fetchval("SELECT count(*) FROM timers") == 0


async def test_a_cron_line_runs_at_its_time_in_the_instances_zone(open_service: Open) -> None:
    duty = Duty()
    clock = DrivenClock(datetime(2030, 6, 3, 5, 59, 50, tzinfo=UTC))
    workflow = duty.workflow(Cron("0 8 * * *"))
    runtime = await opened(open_service, workflow, clock=clock, MUSTER_ZONE="Europe/Paris")
    async with running(runtime.engine):
        await idle(runtime)
        assert (await row(runtime))["next_at"] == datetime(2030, 6, 3, 6, tzinfo=UTC)
        calls = duty.calls
        duty.waiting = 1
        clock.advance(timedelta(seconds=9))
        await asyncio.sleep(0.6)
        assert duty.calls == calls, "it is 07:59:59 in Paris"
        clock.advance(timedelta(seconds=1))
        await eventually(lambda: duty.done == 1)
        await idle(runtime)
    assert (await row(runtime))["next_at"] == datetime(2030, 6, 4, 6, tzinfo=UTC)
    (ended,) = await messages(runtime, WorkflowRunEnded.topic.name)
    assert ended["scheduled_for"] == "2030-06-03T06:00:00Z"


async def test_a_due_timer_makes_its_workflow_run(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow(timers=("reminder",)))
    async with running(runtime.engine):
        await idle(runtime)
        calls = duty.calls
        async with runtime.uow.begin() as work:
            await set_timer(work, "other", "1", work.now)
            await set_timer(work, "reminder", "1", work.now + timedelta(milliseconds=200))
        await eventually(lambda: duty.calls > calls)


async def test_heartbeats_are_sent_as_often_as_they_say(open_service: Open) -> None:
    duty = Duty()
    runtime = await opened(open_service, duty.workflow(), HEARTBEAT_SECONDS="0.5")

    async def three() -> list[dict[str, Any]] | None:
        beats = await messages(runtime, WorkflowHeartbeat.topic.name)
        return beats if len(beats) >= 3 else None

    async with running(runtime.engine):
        beats = await eventually(three)
    assert {(one["service"], tuple(one["names"]), one["interval_seconds"]) for one in beats} == {
        ("targeting", (NAME,), 0.5)
    }


async def test_a_workflow_that_is_not_due_is_not_claimed_while_others_are(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed: list[str] = []
    claim = Engine._run_if_due

    async def seen(self: Engine, workflow: TechnicalWorkflow, stop: asyncio.Event) -> bool:
        claimed.append(workflow.name)
        return await claim(self, workflow, stop)

    monkeypatch.setattr(Engine, "_run_if_due", seen)
    busy, idle = Duty(), Duty()
    runtime = await opened(open_service, busy.workflow())
    workflows = (busy.workflow(), replace(idle.workflow(), name="idleMgt"))
    engine = Engine(runtime.uow, workflows, runtime.settings, runtime.supervision)
    await engine.register()
    async with running(engine):
        # Both run once, being new, and find then that nothing more is due.
        await eventually(lambda: min(claimed.count(one.name) for one in workflows) >= 2)
        claimed.clear()
        for _ in range(3):
            busy.waiting = 1
            async with runtime.uow.begin() as work:
                await wake(work, NAME)
            await eventually(lambda: not busy.waiting)
    assert "idleMgt" not in claimed
    assert NAME in claimed
