"""Failed workflows and late services are told once, and once they are well again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from services.workflows.app import SERVICE
from services.workflows.supervising import supervise
from shared.clock import DrivenClock
from shared.service import Runtime
from tests.conftest import Open
from topics.message import Actor, Message, Via
from topics.operators import OperatorState, Role
from topics.workflows import (
    SetSupervisors,
    SupervisorsRefused,
    SupervisorsSet,
    Trouble,
    TroubleCleared,
    TroubleRaised,
    WorkflowHeartbeat,
    WorkflowState,
    WorkflowStatus,
)

START = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


async def sweep(runtime: Runtime) -> list[Message]:
    async with runtime.uow.begin() as work:
        await supervise(work)
        return list(work.emitted)


def a_state(version: int, status: WorkflowStatus, error: str = "") -> WorkflowState:
    return WorkflowState(
        name="budgetMgt",
        version=version,
        service="budget",
        label="Budget",
        label_fr="Budget",
        package="Campaign",
        schedule="every 60 s",
        status=status,
        last_run_at=START - timedelta(seconds=5),
        error=error,
    )


async def beat(runtime: Runtime) -> None:
    await runtime.execute(
        WorkflowHeartbeat(
            service="budget",
            instance="one",
            names=("budgetMgt", "rollUps"),
            interval_seconds=10,
            at=runtime.clock.now(),
        )
    )


async def test_a_workflow_that_failed_is_told_once_and_once_it_is_started(
    open_service: Open,
) -> None:
    runtime = await open_service(SERVICE, DrivenClock(START))
    await runtime.execute(a_state(1, WorkflowStatus.STARTED))
    assert await sweep(runtime) == []
    await runtime.execute(a_state(2, WorkflowStatus.FAILED, error="no money"))
    since = START - timedelta(seconds=5)
    assert await sweep(runtime) == [
        TroubleRaised(
            name="budgetMgt",
            trouble=Trouble.FAILED,
            names=("budgetMgt",),
            since=since,
            error="no money",
        )
    ]
    assert await sweep(runtime) == []
    await runtime.execute(a_state(3, WorkflowStatus.STARTED))
    over = TroubleCleared(name="budgetMgt", trouble=Trouble.FAILED, since=since)
    assert await sweep(runtime) == [over]
    assert await sweep(runtime) == []


async def know(runtime: Runtime, *, role: Role | None, group: str = "") -> UUID:
    operator = uuid4()
    roles = (role,) if role else ()
    groups = (group,) if group else ()
    await runtime.execute(
        OperatorState(operator_id=operator, version=1, name="N", roles=roles, groups=groups)
    )
    return operator


async def test_the_supervisors_of_a_workflow_are_told_and_the_usual_ones_without_any(
    open_service: Open,
) -> None:
    clock = DrivenClock(START)
    runtime = await open_service(SERVICE, clock)
    usual = await know(runtime, role=Role.SUPERVISOR)
    named, grouped = await know(runtime, role=None), await know(runtime, role=None, group="night")
    actor = Actor(id=str(usual), via=Via.WEB)

    async def supervise_by(*operators: UUID, groups: tuple[str, ...] = ()) -> Message:
        (said,) = await runtime.execute(
            SetSupervisors(name="budgetMgt", operators=operators, groups=groups, actor=actor)
        )
        return said

    async def told(version: int) -> set[UUID]:
        await runtime.execute(a_state(version, WorkflowStatus.FAILED))
        (raised,) = [one for one in await sweep(runtime) if isinstance(one, TroubleRaised)]
        await runtime.execute(a_state(version + 1, WorkflowStatus.STARTED))
        await sweep(runtime)
        return set(raised.supervisors)

    assert isinstance(await supervise_by(named), SupervisorsRefused), "it is not known yet"
    assert await told(1) == {usual}
    assert isinstance(await supervise_by(named, groups=("night",)), SupervisorsSet)
    assert await told(3) == {named, grouped}
    assert isinstance(await supervise_by(uuid4()), SupervisorsRefused)
    gone = OperatorState(operator_id=named, version=2, name="N", active=False)
    await runtime.execute(gone)
    assert await told(5) == {grouped}
    await supervise_by(groups=("empty",))
    assert await told(7) == {usual}, "nobody is left: somebody must know"
    await supervise_by(grouped)
    await beat(runtime)
    clock.advance(timedelta(seconds=21))
    await sweep(runtime)
    clock.advance(timedelta(seconds=21))
    (late,) = await sweep(runtime)
    assert isinstance(late, TroubleRaised)
    assert set(late.supervisors) == {grouped, usual}, "rollUps has no supervisors of its own"
    refused = await runtime.execute(
        SetSupervisors(
            name="budgetMgt", operators=(usual,), actor=Actor(id=str(grouped), via=Via.WEB)
        )
    )
    assert isinstance(refused[0], SupervisorsRefused)


async def test_a_service_is_late_after_two_beats_and_told_two_later(open_service: Open) -> None:
    clock = DrivenClock(START)
    runtime = await open_service(SERVICE, clock)
    await beat(runtime)
    clock.advance(timedelta(seconds=20))
    assert await sweep(runtime) == []
    clock.advance(timedelta(seconds=1))
    assert await sweep(runtime) == [], "seen, and not believed yet"
    clock.advance(timedelta(seconds=19))
    assert await sweep(runtime) == []
    clock.advance(timedelta(seconds=1))
    since = START + timedelta(seconds=20)
    assert await sweep(runtime) == [
        TroubleRaised(
            name="budget", trouble=Trouble.LATE, names=("budgetMgt", "rollUps"), since=since
        )
    ]
    assert await sweep(runtime) == []
    await beat(runtime)
    assert await sweep(runtime) == [
        TroubleCleared(name="budget", trouble=Trouble.LATE, since=since)
    ]


async def test_a_supervisor_that_was_away_believes_no_old_heartbeats(open_service: Open) -> None:
    clock = DrivenClock(START)
    runtime = await open_service(SERVICE, clock)
    await beat(runtime)
    clock.advance(timedelta(hours=8))
    assert await sweep(runtime) == []
    await beat(runtime)
    clock.advance(timedelta(seconds=15))
    assert await sweep(runtime) == []
    assert await runtime.pool.fetchval("SELECT count(*) FROM troubles") == 0
