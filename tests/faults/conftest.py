"""One world for all fault tests of a session: starting it is what costs most."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.scenario import Stage, open_stage
from tests.faults.world import SPINE, world
from tests.servers import Servers


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Every service of the spine as a process, over one database and one topic namespace."""
    async with world(servers, tmp_path_factory.mktemp("faults")) as made:
        opened = await open_stage(made, SPINE)
        yield opened
        await opened.journal.close()
