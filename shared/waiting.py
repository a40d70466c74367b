"""Waiting: a while, until told to stop, or until work that others wait for has gone ahead."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from shared.database import Pool

MOST_AHEAD: Final = 1_000
"""Records the relay may still have to publish: it needs about 0.1 s for them."""
LOOK_SECONDS: Final = 0.05
LONGEST_SECONDS: Final = 5.0

# Bounded by number, and to the latest ones: while a broker is away a million rows may stand there,
# and while somebody holds an old snapshot the dead ones of hours.
_AHEAD: Final = """
SELECT coalesce(sum(records), 0) FROM (
    SELECT records FROM outbox WHERE seq > (SELECT last_value FROM outbox_seq) - 2 * $1::bigint
    ORDER BY seq LIMIT $1::bigint + 1) AS waiting
"""


async def wait_or_stop(stop: asyncio.Event, seconds: float) -> None:
    """Wait a while, or until ``stop`` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def give_way(pool: Pool, stop: asyncio.Event) -> None:
    """Let the relay catch up before more is written that nobody waits for.

    Records leave in the order they were written: one that somebody waits for stands behind all that
    was written before it. Whoever gives way goes on after ``LONGEST_SECONDS`` all the same, so a
    relay that is held up holds up nothing for good. No transaction may be open meanwhile.

    Raises:
        BaseException: one of ``shared.errors.INTERRUPTIONS``.
    """
    until = time.monotonic() + LONGEST_SECONDS
    while not stop.is_set() and time.monotonic() < until:
        if await pool.fetchval(_AHEAD, MOST_AHEAD) <= MOST_AHEAD:
            return
        await wait_or_stop(stop, LOOK_SECONDS)
