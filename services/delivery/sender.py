"""The sender: claims rows, hands them to the server, writes what came of it.

An attempt is committed before its call and its outcome after it. So a crash loses nothing, and what
may have left twice is named: an attempt without outcome whose lease ran out is ambiguous.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final, cast

from prometheus_client import Counter

from services.delivery.claims import Batch, Claims
from services.delivery.compose import compose
from services.delivery.domain.content import Content
from services.delivery.domain.runs import Circumstances, Reason, RunKind, Verdict, rule
from services.delivery.mail import is_address
from services.delivery.rendering import BadTemplate
from services.delivery.results import write_results
from services.delivery.settings import DeliverySettings
from services.delivery.smtp import CANNOT_CONNECT, Answer, Connection
from services.delivery.store.sending import Claimed, Result
from services.delivery.store.templates import TemplateStore
from shared import faults
from shared.consumer import wait_or_stop
from shared.errors import INFRASTRUCTURE, reason_of
from shared.ids import new_id
from shared.logs import logger
from shared.service import Runtime

log = logger(__name__)

IDLE_SECONDS: Final = 0.2
TROUBLE_SECONDS: Final = 1.0
STOP_SECONDS: Final = 5.0
ATTEMPTS: Final = Counter(
    "muster_delivery_attempts_total", "Calls to the mail server", ["kind", "verdict"]
)
URGENT_SPEED: Final = 6.0
"""Somebody waits for a proof or an answer: it is tried again that much sooner."""
CONTENTS_KEPT: Final = 200


async def run_sender(runtime: Runtime, stop: asyncio.Event) -> None:
    """Send what is due over the configured number of connections until ``stop`` is set."""
    settings = cast("DeliverySettings", runtime.settings)
    owner = f"{settings.muster_instance}:{new_id().hex[-12:]}"
    claims = Claims(runtime.uow, settings, owner)
    turn = asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        for _ in range(settings.sender_connections):
            group.create_task(Worker(runtime, settings, claims, turn).run(stop))


class Worker:
    """One connection and the rows it hands over.

    Args:
        turn: held while looking for work, so that idle workers of a process ask once, not each.
    """

    def __init__(
        self, runtime: Runtime, settings: DeliverySettings, claims: Claims, turn: asyncio.Lock
    ) -> None:
        self._runtime = runtime
        self._settings = settings
        self._claims = claims
        self._turn = turn
        self._connection = Connection(settings)
        self._contents: dict[str, Content] = {}
        self._spread = random.Random()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and send until ``stop`` is set; what was claimed and not called goes back."""
        cutter = asyncio.create_task(self._cut_off(stop))
        try:
            while not stop.is_set():
                try:
                    await self._once(stop)
                except Exception as problem:  # noqa: BLE001 - trouble with one batch ends no sender
                    log.warning("sender.interrupted", error=reason_of(problem))
                    await wait_or_stop(stop, TROUBLE_SECONDS)
        finally:
            cutter.cancel()
            await self._connection.close()

    async def _cut_off(self, stop: asyncio.Event) -> None:
        """Break off a call that holds up the end; its message is then ambiguous or deferred."""
        await stop.wait()
        await asyncio.sleep(STOP_SECONDS)
        self._connection.drop()

    async def _once(self, stop: asyncio.Event) -> None:
        async with self._turn:
            if not await self._claims.due():
                await wait_or_stop(stop, IDLE_SECONDS)
                return
            # Nothing is claimed while there is nobody to hand it to.
            if not await self._connected():
                await wait_or_stop(stop, TROUBLE_SECONDS)
                return
            batch = await self._claims.take()
        await self.send(batch, stop)

    async def send(self, batch: Batch, stop: asyncio.Event) -> None:
        """Hand a batch over and write what came of it."""
        results: list[Result] = []
        for row in batch.rows:
            answer, reason = Answer(Verdict.RELEASED), ""
            if not stop.is_set() and time.monotonic() < batch.until:
                answer, reason = await self._send_one(row)
            results.append(self._result(row, answer, reason))
        if results:
            await self._write(results, stop)

    async def _write(self, results: list[Result], stop: asyncio.Event) -> None:
        """Write results, however long the database is away: what is known must not get lost."""
        while True:
            try:
                async with self._runtime.uow.begin() as work:
                    await write_results(work, results)
            except INFRASTRUCTURE as problem:
                log.warning("sender.results_wait", error=reason_of(problem), count=len(results))
                if stop.is_set():
                    return
                await wait_or_stop(stop, TROUBLE_SECONDS)
            else:
                return

    async def _send_one(self, row: Claimed) -> tuple[Answer, str]:
        """Return what came of a row, and why in the ledger's words."""
        if not is_address(row.address):
            return Answer(Verdict.FAILED), Reason.BAD_ADDRESS
        content = await self._content(row.template_hash)
        try:
            mail = compose(row, content, self._settings, at=self._runtime.clock.now())
        except BadTemplate as problem:
            return Answer(Verdict.FAILED), f"{Reason.PERSONALISATION}: {problem}"
        except (ValueError, TypeError, LookupError) as problem:
            # What one recipient's data does to MIME must not hold up the others.
            return Answer(Verdict.FAILED), f"{Reason.PERSONALISATION}: {type(problem).__name__}"
        if not await self._connected():
            return Answer(Verdict.RELEASED), ""
        faults.reach("sender.before_call")
        answer = await self._connection.send(
            sender=content.from_address, recipient=row.address, mail=mail
        )
        faults.reach("sender.after_call")
        ATTEMPTS.labels(row.kind, answer.verdict).inc()
        return answer, answer.reason

    async def _connected(self) -> bool:
        try:
            await self._connection.ensure()
        except CANNOT_CONNECT as problem:
            log.warning("sender.no_server", error=type(problem).__name__)
            return False
        return True

    async def _content(self, template_hash: str) -> Content:
        """Return a content; it never changes under its hash."""
        if template_hash not in self._contents:
            if len(self._contents) >= CONTENTS_KEPT:
                self._contents.clear()
            async with self._runtime.pool.acquire() as connection:
                content = await TemplateStore(connection).content(template_hash)
            self._contents[template_hash] = content
        return self._contents[template_hash]

    def _result(self, row: Claimed, answer: Answer, reason: str) -> Result:
        settings = self._settings
        speed = 1.0 if row.kind is RunKind.CAMPAIGN else URGENT_SPEED
        ruling = rule(
            answer.verdict,
            reason,
            Circumstances(
                kind=row.kind,
                policy=settings.ambiguous_policy,
                attempt=row.number,
                retry_until=row.retry_until,
                base_seconds=settings.sender_retry_base_seconds / speed,
                spread=self._spread.random(),
                now=self._runtime.clock.now(),
            ),
        )
        return Result(
            run_id=row.run_id,
            member_id=row.member_id,
            number=row.number,
            kind=row.kind,
            verdict=answer.verdict,
            code=answer.code,
            outcome=ruling.outcome,
            reason=ruling.reason,
            next_at=ruling.next_at,
        )
