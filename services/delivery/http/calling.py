"""Rows called beside each other, and a server that is left alone after trouble."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from prometheus_client import Counter

from services.delivery.carrier import TROUBLE_SECONDS, until_done
from services.delivery.claims import WINDOW_SECONDS
from services.delivery.domain.content import Content
from services.delivery.domain.runs import Verdict
from services.delivery.http.contents import Contents
from services.delivery.mail_carrier import NOT_CALLED
from services.delivery.smtp import Answer
from services.delivery.store.sending import Claimed
from shared.errors import reason_of
from shared.logs import logger
from shared.waiting import wait_or_stop
from topics.delivery import Channel

log = logger(__name__)
Outcome = tuple[Answer, str]
"""What came of a row, and why in the ledger's words."""
CALLS: Final = Counter(
    "muster_delivery_channel_calls_total", "Single messages posted", ["channel", "verdict"]
)
FIRST_REST_SECONDS: Final = 1.0
LONGEST_REST_SECONDS: Final = 60.0


class Rest:
    """How long a server is left alone: twice as long after each trouble in a row, at most 60 s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0
        self._troubles = 0

    @property
    def left(self) -> float:
        """How many seconds are left of it."""
        return max(0.0, self._until - self._clock())

    def trouble(self, wait_seconds: float = 0.0) -> None:
        """The server cannot be reached, does not answer, or asks to be left alone."""
        if self.left:
            return  # the others that were under way with the first
        seconds = FIRST_REST_SECONDS * 2 ** min(self._troubles, 10)
        self._troubles += 1
        self._until = self._clock() + min(max(seconds, wait_seconds), LONGEST_REST_SECONDS)

    def well(self) -> None:
        """The server answers."""
        self._troubles, self._until = 0, 0.0


async def call_all(
    rows: Sequence[Claimed],
    call: Callable[[Claimed], Awaitable[Outcome]],
    *,
    width: int,
    until: float,
    stop: asyncio.Event,
) -> list[Outcome]:
    """Call rows, ``width`` of them at a time; return what came of each, in order.

    None is begun after ``until``, nor half a second after the claim that read whether it is
    wanted, nor once ``stop`` is set.
    """
    until = min(until, time.monotonic() + WINDOW_SECONDS)
    found: list[Outcome] = [(NOT_CALLED, "")] * len(rows)
    waiting = iter(enumerate(rows))

    async def one_after_another() -> None:
        for i, row in waiting:
            if stop.is_set() or time.monotonic() >= until:
                return
            found[i] = await call(row)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(width, len(rows))):
            group.create_task(one_after_another())
    return found


async def contents_for(
    contents: Contents, rows: Sequence[Claimed], stop: asyncio.Event
) -> dict[str, Content]:
    """Return the contents of rows; nothing when they cannot be had, and then nothing goes."""
    hashes = {row.template_hash for row in rows}
    try:
        return await until_done(stop, partial(contents.of, hashes)) or {}
    except Exception as problem:  # noqa: BLE001 - a content that is gone must not end the sender
        log.warning("sender.cannot_compose", error=reason_of(problem))
        await wait_or_stop(stop, TROUBLE_SECONDS)
        return {}


def count(channel: Channel, verdict: Verdict) -> None:
    """Count a call."""
    CALLS.labels(channel, verdict).inc()
