"""One house for all seeds of a session."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.money.house import House, house
from tests.faults.nursery import nursery
from tests.servers import Servers


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def made(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Budget and stock as processes, over one database and one topic namespace."""
    async with nursery() as spawn, house(servers, tmp_path_factory.mktemp("money"), spawn) as found:
        yield found
