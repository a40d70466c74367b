"""Servers that restart in mid-run, on a cluster of their own: other tests use the shared one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.embedded.cluster import EmbeddedCluster
from tests.faults.brokers import own_stage
from tests.faults.checks import assert_holds
from tests.faults.scenario import BROKER_RESTART, DATABASE_RESTART, Stage

pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
Owned = tuple[Stage, EmbeddedCluster]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def owned(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Owned]:
    async with own_stage(tmp_path_factory.mktemp("restarts"), brokers=1) as made:
        yield made


async def test_a_broker_that_restarts_in_mid_run_costs_nothing(owned: Owned) -> None:
    stage, cluster = owned
    assert_holds((await stage.play_restart(BROKER_RESTART, cluster.restart_kafka)).broken)


async def test_a_database_that_restarts_in_mid_run_costs_nothing(owned: Owned) -> None:
    stage, cluster = owned
    assert_holds((await stage.play_restart(DATABASE_RESTART, cluster.restart_postgres)).broken)
