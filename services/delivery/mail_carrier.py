"""Rows as mails, over one connection to a relay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from prometheus_client import Counter

from services.delivery.bounces.verp import envelope_sender
from services.delivery.carrier import TROUBLE_SECONDS, until_done
from services.delivery.claims import WINDOW_SECONDS
from services.delivery.compose import Composer
from services.delivery.composers import Composers
from services.delivery.domain.runs import Reason, Verdict
from services.delivery.mail import is_address
from services.delivery.rendering import BadTemplate
from services.delivery.settings import DeliverySettings
from services.delivery.smtp import CANNOT_CONNECT, Answer, Connection, Mail, Relays
from services.delivery.store.sending import Claimed
from shared import tracing
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.waiting import wait_or_stop

log = logger(__name__)
DELIVERY: Final = "delivery"
ATTEMPTS: Final = Counter(
    "muster_delivery_attempts_total", "Calls to the mail server", ["kind", "verdict"]
)
NOT_CALLED: Final = Answer(Verdict.RELEASED)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the mail carriers of a process have in common."""

    composers: Composers
    relays: Relays


class MailCarrier:
    """Composes the mails of rows and hands them to the best relay."""

    def __init__(self, runtime: Runtime, shared: Shared) -> None:
        self._runtime = runtime
        self._settings = cast("DeliverySettings", runtime.settings)
        self._composers = shared.composers
        self._connection = Connection(self._settings, shared.relays)

    async def ready(self) -> bool:
        """Be connected, if a relay can be had."""
        try:
            await self._connection.ensure()
        except CANNOT_CONNECT as problem:
            log.warning("sender.no_server", error=type(problem).__name__)
            return False
        return True

    def drop(self) -> None:
        """Forget the connection."""
        self._connection.drop()

    async def close(self) -> None:
        """End the connection politely."""
        await self._connection.close()

    async def send(
        self, rows: Sequence[Claimed], until: float, stop: asyncio.Event
    ) -> list[tuple[Answer, str]]:
        """Call the server with rows, in order; return what came of each, and why.

        The answers end early when time is up or the connection is gone: the rest was not called.
        """
        composers = await self._composers_of(rows, stop)
        until = min(until, time.monotonic() + WINDOW_SECONDS)
        unfit: dict[int, tuple[Answer, str]] = {}
        called: list[int] = []

        def mails() -> Iterator[Mail]:
            for i, row in enumerate(rows):
                if not composers or stop.is_set() or time.monotonic() >= until:
                    return
                mail = self._mail(row, composers[row.template_hash])
                if isinstance(mail, Mail):
                    called.append(i)
                    yield mail
                else:
                    unfit[i] = Answer(Verdict.FAILED), mail

        trace = await self._trace_of(rows)
        with tracing.span(DELIVERY, "smtp window", parent=trace, messages=len(rows)) as window:
            answers = await self._connection.send_many(mails(), until=until)
            for i, answer in zip(called, answers, strict=False):
                with tracing.span_of_some(
                    DELIVERY, "smtp answer", i, parent=window, verdict=answer.verdict
                ):
                    pass
        found = dict(unfit)
        for i, answer in zip(called, answers, strict=False):
            found[i] = answer, answer.reason
            ATTEMPTS.labels(rows[i].kind, answer.verdict).inc()
        reached = max(found, default=-1) + 1
        return [found.get(i, (NOT_CALLED, "")) for i in range(reached)]

    async def _composers_of(
        self, rows: Sequence[Claimed], stop: asyncio.Event
    ) -> dict[str, Composer]:
        """Return what composes some rows; nothing when it cannot be had, and then nothing goes."""
        hashes = {row.template_hash for row in rows}
        read = partial(self._composers.of, hashes, now=self._runtime.clock.now())
        try:
            return await until_done(stop, read) or {}
        except Exception as problem:  # noqa: BLE001 - a key that cannot be read, a content gone
            log.warning("sender.cannot_compose", error=reason_of(problem))
            await wait_or_stop(stop, TROUBLE_SECONDS)
            return {}

    async def _trace_of(self, rows: Sequence[Claimed]) -> str | None:
        """Return the trace of the command that started the first row's run, while it is wanted."""
        if not rows or not tracing.is_on():
            return None
        try:
            found: str | None = await self._runtime.pool.fetchval(
                "SELECT traceparent FROM runs WHERE run_id = $1", rows[0].run_id
            )
        except INTERRUPTIONS:
            return None  # a span is not worth a window
        return found

    def _mail(self, row: Claimed, composer: Composer) -> Mail | str:
        """Return a row's mail, or why there is none, in the ledger's words."""
        if not is_address(row.address):
            return Reason.BAD_ADDRESS
        try:
            mail = composer.compose(row, at=self._runtime.clock.now())
        except BadTemplate as problem:
            return f"{Reason.PERSONALISATION}: {problem}"
        except (ValueError, TypeError, LookupError) as problem:
            # What one recipient's data does to MIME must not hold up the others.
            return f"{Reason.PERSONALISATION}: {type(problem).__name__}"
        sender = envelope_sender(
            self._settings, row.run_id, row.member_id, composer.content.from_address
        )
        return Mail(sender=sender, recipient=row.address, content=mail)
