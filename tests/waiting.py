"""Waiting for a condition with a deadline; tests never sleep for a fixed time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 110.0
"""Seconds to wait for what should come at once: a machine may be busy, and only a failure waits."""


async def eventually(
    probe: Callable[[], Any],
    *,
    seconds: float = PATIENCE,
    what: str = "the condition",
    every: float = 0.05,
) -> Any:
    """Return the probe's first true result; fail with ``what`` when the deadline passes.

    ``every`` is how many seconds are between two probes: a dear one is to be asked for seldom.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        result = await found if inspect.isawaitable(found) else found
        if result:
            return result
        if time.monotonic() > deadline:
            message = f"{what} did not come about within {seconds} s; last seen {result!r}"
            raise AssertionError(message)
        await asyncio.sleep(every)
