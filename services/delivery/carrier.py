"""What a sender hands rows to: mail servers, an SMS gateway, the endpoints of webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

from services.delivery.smtp import Answer
from services.delivery.store.sending import Claimed
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.waiting import wait_or_stop

log = logger(__name__)
TROUBLE_SECONDS: Final = 1.0
T = TypeVar("T")


class Carrier(Protocol):
    """Hands rows over by one channel; each is used by one task."""

    async def ready(self) -> bool:
        """Whether rows may be claimed: there is somebody to hand them to."""

    async def send(
        self, rows: Sequence[Claimed], until: float, stop: asyncio.Event
    ) -> list[tuple[Answer, str]]:
        """Hand rows over; return what came of each and why, in their order.

        The answers end early where rows were not called before ``until`` (``time.monotonic()``).
        """

    def drop(self) -> None:
        """Break off what is under way; a ``send`` ends with what is known."""

    async def close(self) -> None:
        """End what is held open."""


async def until_done(stop: asyncio.Event, do: Callable[[], Awaitable[T]]) -> T | None:
    """Read or write, however long the database is away: what is known must not get lost."""
    while True:
        try:
            return await do()
        except INTERRUPTIONS as problem:
            log.warning("sender.database_wait", error=reason_of(problem))
            if stop.is_set():
                return None
            await wait_or_stop(stop, TROUBLE_SECONDS)
