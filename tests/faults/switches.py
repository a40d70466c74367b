"""What red controls share: a protection on and off, a service to run it in, what broke.

A check that has never been red proves nothing. Every control runs twice: with the protection
nothing is broken, without it exactly the invariant that it stands for is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import topics_admin
from shared.service import Runtime
from tests.conftest import Open
from tests.driving import MANAGER, OPERATORS
from tests.faults.checks import Journal
from tests.faults.world import manager
from tests.waiting import eventually
from topics.campaign import CampaignPlan, CreateCampaign
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
