"""Rights: the deciding service looks in its own copy and believes no message."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared.errors import NotAllowed
from shared.registry import Registry
from shared.rights import GRANTS, Right, find, require
from shared.service import Runtime, Service
from tests.conftest import Open
from topics.cloudevents import Envelope
from topics.message import Actor, Via, system_actor
from topics.operators import OperatorState, Role

MANAGER, REVIEWER, GONE = uuid4(), uuid4(), uuid4()


def state(
    operator_id: UUID,
    *roles: Role,
    version: int = 1,
    active: bool = True,
    slack: str | None = None,
) -> OperatorState:
    return OperatorState(
        operator_id=operator_id,
        version=version,
        name="Max",
        roles=roles,
        active=active,
        slack_user_id=slack,
    )


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    files = Path(__file__).parent / "no_migrations"
    opened = await open_service(Service("targeting", Registry(), files))
    await opened.execute(state(MANAGER, Role.MANAGER))
    await opened.execute(state(REVIEWER, Role.REVIEWER))
    await opened.execute(state(GONE, Role.ADMINISTRATOR, active=False))
    return opened


async def allowed(
    runtime: Runtime, actor: Actor, right: Right, source: str | None = "/anywhere"
) -> bool:
    async with runtime.uow.begin() as work:
        if source is not None:
            work.cause = Envelope(source=source, id="1", type="t", time=None, data=b"")
        try:
            await require(work, actor, right)
        except NotAllowed:
            return False
        return True


def person(operator_id: object) -> Actor:
    return Actor(id=str(operator_id), via=Via.WEB)


async def test_a_right_comes_from_a_role_in_this_services_copy(runtime: Runtime) -> None:
    assert await allowed(runtime, person(MANAGER), Right.MANAGE_CAMPAIGNS)
    assert not await allowed(runtime, person(MANAGER), Right.APPROVE)
    assert await allowed(runtime, person(REVIEWER), Right.APPROVE)
    assert not await allowed(runtime, person(REVIEWER), Right.MANAGE_CAMPAIGNS)


@pytest.mark.parametrize("right", Right)
async def test_the_unknown_and_the_inactive_may_nothing(runtime: Runtime, right: Right) -> None:
    assert not await allowed(runtime, person(uuid4()), right)
    assert not await allowed(runtime, person("'; DROP TABLE operators; --"), right)
    assert not await allowed(runtime, person(GONE), right)


async def test_a_service_is_believed_only_from_its_own_source(runtime: Runtime) -> None:
    campaign = system_actor("campaign")
    assert await allowed(runtime, campaign, Right.MANAGE_STOCKS, "/muster/campaign")
    for forged in ("/muster/delivery", "/outside", "/muster/campaign/", "/MUSTER/campaign", ""):
        assert not await allowed(runtime, campaign, Right.MANAGE_STOCKS, forged)
    assert not await allowed(runtime, campaign, Right.MANAGE_STOCKS, None), "no message, not itself"
    assert await allowed(runtime, system_actor("targeting"), Right.MANAGE_STOCKS, None)


async def test_a_system_id_through_a_persons_door_is_no_service(runtime: Runtime) -> None:
    actor = Actor(id="system:campaign", via=Via.SLACK)
    assert not await allowed(runtime, actor, Right.MANAGE_STOCKS, "/muster/campaign")


async def test_no_service_approves_or_manages_operators(runtime: Runtime) -> None:
    for right in (Right.APPROVE, Right.MANAGE_OPERATORS):
        assert not await allowed(runtime, system_actor("bot"), right, "/muster/bot")


async def test_an_older_state_changes_nothing_and_a_newer_one_takes_effect(
    runtime: Runtime,
) -> None:
    await runtime.execute(state(MANAGER, Role.SUPERVISOR, version=5))
    await runtime.execute(state(MANAGER, Role.ADMINISTRATOR, version=4))
    assert await allowed(runtime, person(MANAGER), Right.CONTROL_WORKFLOWS)
    assert not await allowed(runtime, person(MANAGER), Right.MANAGE_OPERATORS)
    await runtime.execute(state(MANAGER, Role.SUPERVISOR, version=6, active=False))
    assert not await allowed(runtime, person(MANAGER), Right.CONTROL_WORKFLOWS)


async def test_a_slack_account_moves_to_its_new_operator(runtime: Runtime) -> None:
    await runtime.execute(state(MANAGER, Role.MANAGER, version=2, slack="U1"))
    await runtime.execute(state(REVIEWER, Role.REVIEWER, version=2, slack="U1"))
    async with runtime.uow.begin() as work:
        manager, reviewer = await find(work, str(MANAGER)), await find(work, str(REVIEWER))
    assert manager is not None
    assert reviewer is not None
    assert (manager.slack_user_id, reviewer.slack_user_id) == (None, "U1")


def test_only_administrators_have_every_right_and_everybody_may_read() -> None:
    assert GRANTS[Role.ADMINISTRATOR] == frozenset(Right)
    assert all(Right.READ in rights for rights in GRANTS.values())
    for role in (Role.MANAGER, Role.REVIEWER, Role.SUPERVISOR):
        assert Right.MANAGE_OPERATORS not in GRANTS[role]
        assert Right.DIRECT_SQL not in GRANTS[role]
