"""These tests run on both event loops, asyncio's own and the services', whose wires differ."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

Loops = dict[str, Callable[[], asyncio.AbstractEventLoop]]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Loops:  # noqa: ARG001 - the hook's names
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
