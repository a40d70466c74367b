"""What several integration tests stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Open
from tests.integration.bot_story import BotStory, Mode, telling
from tests.integration.delivery_harness import Catcher, catching


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[Catcher]:
    """A mail catcher of this test's own."""
    async with catching(tmp_path) as found:
        yield found


@pytest.fixture(params=["socket", "http"])
async def story(
    request: pytest.FixtureRequest, open_service: Open, tmp_path: Path
) -> AsyncIterator[BotStory]:
    """A running bot and the people around it, in either mode."""
    mode: Mode = request.param
    async with telling(open_service, tmp_path, mode) as told:
        yield told
