"""One center for all seeds of a session."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.events.center import Center, center
from tests.faults.nursery import nursery
from tests.servers import Servers


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def made(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Center]:
    """Web, events_status and delivery as processes, over one database and one topic namespace."""
    async with (
        nursery() as spawn,
        center(servers, tmp_path_factory.mktemp("events"), spawn) as found,
    ):
        yield found
