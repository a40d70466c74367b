"""Inbound mails become rows, those that come together in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from services.delivery.store.inbound import InboundStore
from shared.service import Runtime
from shared.workflows import wake

AT_ONCE: Final = 50


class _Waiting(NamedTuple):
    recipients: Sequence[str]
    raw: bytes
    kept: asyncio.Future[None]


class Keeper:
    """Keeps mails for many connections over one of the database's.

    Whoever gets the lock writes what all the others wait for: the more come, the larger the batch.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting: list[_Waiting] = []
        self._turn = asyncio.Lock()

    async def keep(self, recipients: Sequence[str], raw: bytes) -> None:
        """Return once the mail is committed.

        Raises:
            Exception: it is not, or nobody knows; the mail must be taken for lost.
        """
        mine = _Waiting(recipients, raw, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        async with self._turn:
            while not mine.kept.done():
                await self._write_next()
        await mine.kept

    async def _write_next(self) -> None:
        batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        try:
            await keep(self._runtime, [(one.recipients, one.raw) for one in batch], way="smtp")
        except BaseException as problem:
            # A connection that ends takes its task with it; the others of the batch must hear.
            lost = problem if isinstance(problem, Exception) else ConnectionAbortedError()
            for one in batch:
                if not one.kept.done():
                    one.kept.set_exception(lost)
                    one.kept.exception()  # read: whoever waited may be gone
            if not isinstance(problem, Exception):
                raise
        else:
            for one in batch:
                if not one.kept.done():
                    one.kept.set_result(None)


async def keep(runtime: Runtime, mails: Sequence[tuple[Sequence[str], bytes]], *, way: str) -> None:
    """Write mails and have them read; those known already are left alone."""
    async with runtime.uow.begin() as work:
        await InboundStore(work.connection).add(mails, way=way, at=work.now)
        await wake(work, "bounces")
