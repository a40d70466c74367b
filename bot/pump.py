"""The loop behind everything sent: claim rows, send them side by side, rest, look again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from bot.slack import CALL_SECONDS
from shared.clock import Clock
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.waiting import wait_or_stop

log = logger(__name__)

T = TypeVar("T")
WIDTH: Final = 6
IDLE_SECONDS: Final = 0.25
LONGEST_WAIT: Final = 30.0


def back_off(attempts: int) -> float:
    """Return how many seconds to wait after a number of failed attempts."""
    return float(min(0.5 * 2 ** min(attempts, 10), LONGEST_WAIT))


def later(clock: Clock, seconds: float) -> datetime:
    """Return the time in so many seconds."""
    return clock.now() + timedelta(seconds=seconds)


def lease_is_short(clock: Clock, lease_until: datetime) -> bool:
    """Whether a call made now might outlast its lease: this process slept, or was slow.

    Another one may then be at the same row.
    """
    return later(clock, CALL_SECONDS) > lease_until


async def surely(sending: Coroutine[Any, Any, None]) -> None:
    """Let nothing end the loop: what fails here keeps its row, and its lease runs out."""
    try:
        await sending
    except Exception as problem:
        log.warning("slack.sending_failed", error=reason_of(problem), exc_info=problem)


async def pump(
    claim: Callable[[int], Awaitable[Sequence[T]]],
    send: Callable[[T], Coroutine[Any, Any, None]],
    bell: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """Send what ``claim`` hands out until ``stop`` is set; calls under way are finished.

    ``bell`` says that there may be rows; without it they are looked for now and then.
    """
    busy: set[asyncio.Task[None]] = set()

    def finished(task: asyncio.Task[None]) -> None:
        busy.discard(task)
        bell.set()

    while not stop.is_set():
        bell.clear()
        found: Sequence[T] = ()
        if len(busy) < WIDTH:
            try:
                found = await claim(WIDTH - len(busy))
            except INTERRUPTIONS as problem:
                log.warning("slack.rows_unreadable", error=reason_of(problem))
                await wait_or_stop(stop, 1.0)
        for one in found:
            task = asyncio.create_task(surely(send(one)))
            busy.add(task)
            task.add_done_callback(finished)
        if not found:
            await wait_or_stop(bell, IDLE_SECONDS)
    if busy:
        await asyncio.wait(busy, timeout=CALL_SECONDS / 2)
