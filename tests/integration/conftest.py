"""What several integration tests stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.delivery_harness import Catcher, catching


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[Catcher]:
    """A mail catcher of this test's own."""
    async with catching(tmp_path) as found:
        yield found
