"""The sender: claims rows, hands them to the server, writes what came of it.

An attempt is committed before its call and its outcome after it. So a crash loses nothing, and what
may have left twice is named: an attempt without outcome whose lease ran out is ambiguous.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final, cast

from services.delivery.carrier import TROUBLE_SECONDS, Carrier, until_done
from services.delivery.claims import Batch, Claims, Share
from services.delivery.composers import Composers
from services.delivery.domain.runs import (
    SENT,
    Circumstances,
    Ruling,
    RunKind,
    Verdict,
    rule,
)
from services.delivery.http.carriers import further_carriers
from services.delivery.mail_carrier import NOT_CALLED, MailCarrier, Shared
from services.delivery.precedence import Precedence
from services.delivery.settings import DeliverySettings
from services.delivery.smtp import Answer, Relays
from services.delivery.store.sending import Claimed, Result
from shared import faults
from shared.errors import reason_of
from shared.ids import new_id
from shared.logs import logger
from shared.service import Runtime
from shared.waiting import wait_or_stop

log = logger(__name__)

IDLE_SECONDS: Final = 0.2
URGENT_IDLE_SECONDS: Final = 0.05
CHANNEL_IDLE_SECONDS: Final = 0.1
STOP_SECONDS: Final = 5.0
URGENT_SPEED: Final = 6.0
"""Somebody waits for a proof or an answer: it is tried again that much sooner."""


async def run_sender(runtime: Runtime, stop: asyncio.Event) -> None:
    """Send what is due over the configured number of connections until ``stop`` is set.

    With more than one connection, the first is kept for proofs and single messages: they do not
    wait behind a campaign's window, and campaigns give way to them. The further channels have
    workers of their own.
    """
    settings = cast("DeliverySettings", runtime.settings)
    owner = f"{settings.muster_instance}:{new_id().hex[-12:]}"
    shared = Shared(Composers(runtime.pool, settings), Relays(settings.relays))
    number, bulk_turn = settings.sender_connections, asyncio.Lock()
    precedence = Precedence()
    async with asyncio.TaskGroup() as group:
        for i in range(number):
            claims = Claims(runtime.uow, settings, f"{owner}.{i}")
            turn = bulk_turn if i else asyncio.Lock()
            only = i == 0 and number > 1
            mails = MailCarrier(runtime, shared)
            worker = Worker(runtime, mails, claims, turn, precedence, urgent=i == 0, bulk=not only)
            group.create_task(worker.run(stop))
        for channel, carriers in further_carriers(runtime).items():
            turn = asyncio.Lock()
            for i, carrier in enumerate(carriers):
                claims = Claims(runtime.uow, settings, f"{owner}.{channel}.{i}", channel)
                worker = Worker(
                    runtime,
                    carrier,
                    claims,
                    turn,
                    Precedence(),  # a slow gateway says nothing about the cores
                    urgent=True,
                    bulk=False,
                    idle=CHANNEL_IDLE_SECONDS,
                )
                group.create_task(worker.run(stop))


class Worker:
    """One carrier and the rows it hands over.

    Args:
        carrier: what they are handed to.
        claims: where they come from.
        turn: held while looking for work, so that idle workers of a process ask once, not each.
        precedence: how late single messages are, for all workers of e-mails in a process.
        urgent: whether it takes proofs and single messages.
        bulk: whether it takes what campaigns send.
        idle: how long it waits when there is nothing (seconds); by default as urgent work needs.
    """

    def __init__(
        self,
        runtime: Runtime,
        carrier: Carrier,
        claims: Claims,
        turn: asyncio.Lock,
        precedence: Precedence,
        *,
        urgent: bool,
        bulk: bool,
        idle: float | None = None,
    ) -> None:
        self._runtime = runtime
        self._settings = cast("DeliverySettings", runtime.settings)
        self._claims = claims
        self._turn = turn
        self._precedence = precedence
        self._urgent = urgent
        self._bulk = bulk
        self._idle = idle or (URGENT_IDLE_SECONDS if urgent else IDLE_SECONDS)
        self._carrier = carrier
        self._spread = random.Random()
        self._in_doubt = False

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
            await self._carrier.close()

    async def _cut_off(self, stop: asyncio.Event) -> None:
        """Break off a call that holds up the end; its message is then ambiguous or deferred."""
        await stop.wait()
        await asyncio.sleep(STOP_SECONDS)
        self._carrier.drop()

    async def _once(self, stop: asyncio.Event) -> None:
        """Claim what is due and hand it over; wait a little when there is nothing."""
        async with self._turn:
            found = await self._claim_surely(stop)
            if found is None:
                await self._claims.tell()
                await wait_or_stop(stop, self._idle)
        try:
            if isinstance(found, Share):
                await self._send_share(found, stop)
            elif found is not None:
                await self._send_batch(found, stop)
        except BaseException:
            # It may have been called: it is left to its lease, and never taken back.
            self._claims.disown()
            raise

    async def _claim_surely(self, stop: asyncio.Event) -> Batch | Share | None:
        """Claim; what a claim before left in doubt goes back first, as nothing of it was called."""
        if self._in_doubt:
            await self._claims.take_back()
        self._in_doubt = True
        found = await self._claim(stop)
        self._in_doubt = False
        return found

    async def _claim(self, stop: asyncio.Event) -> Batch | Share | None:
        urgent = self._urgent and await self._claims.due_urgent()
        if not urgent and not (self._bulk and await self._claims.due_bulk()):
            return None
        # Nothing is claimed while there is nobody to hand it to.
        if not await self._carrier.ready():
            await wait_or_stop(stop, TROUBLE_SECONDS)
            return None
        return await (self._take_urgent() if urgent else self._claims.take_bulk())

    async def _take_urgent(self) -> Batch | None:
        found = await self._claims.take_urgent()
        if found is not None:
            self._precedence.note(found.rows, self._runtime.clock.now())
        return found

    async def _send_batch(self, batch: Batch, stop: asyncio.Event) -> None:
        """Hand a batch over and write what came of it."""
        answers = await self.send(batch.rows, batch.until, stop)
        answers += [(NOT_CALLED, "")] * (len(batch.rows) - len(answers))
        results = [
            self._result(row, *answer) for row, answer in zip(batch.rows, answers, strict=True)
        ]
        if results:
            await until_done(stop, partial(self._claims.write, results))
            faults.reach("sender.after_results")

    async def _send_share(self, share: Share, stop: asyncio.Event) -> None:
        """Hand a slice over, window by window, each with its outcomes written behind it."""
        more = True
        while more:
            wait = 0.0 if self._urgent else self._precedence.wait_seconds()
            if wait:
                await wait_or_stop(stop, wait)
            rows = share.rows[: share.window]
            answers = await self.send(rows, share.until, stop)
            # Rows are called in order: what was not called is the end of the window.
            while answers and answers[-1][0].verdict is Verdict.RELEASED:
                answers.pop()
            if not answers:
                await wait_or_stop(stop, IDLE_SECONDS)
            results = [
                self._result(row, *answer) for row, answer in zip(rows, answers, strict=False)
            ]
            give_back = stop.is_set() or not answers or not await self._carrier.ready()
            write = partial(self._claims.next_window, share, results, give_back=give_back)
            more = bool(await until_done(stop, write))
            faults.reach("sender.after_results")
            if more and self._urgent and await self._claims.due_urgent():
                urgent = await self._take_urgent()
                if urgent is not None:
                    await self._send_batch(urgent, stop)

    async def send(
        self, rows: Sequence[Claimed], until: float, stop: asyncio.Event
    ) -> list[tuple[Answer, str]]:
        """Hand rows over, in order; return what came of each, and why.

        The answers end early when time is up or the connection is gone: the rest was not called.
        """
        faults.reach("sender.window_open")
        answers = await self._carrier.send(rows, until, stop)
        faults.reach("sender.before_results")
        return answers

    def _result(self, row: Claimed, answer: Answer, reason: str) -> Result:
        ruling = SENT if answer.verdict is Verdict.SENT else self._ruling(row, answer, reason)
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
            parts=answer.parts,
        )

    def _ruling(self, row: Claimed, answer: Answer, reason: str) -> Ruling:
        settings = self._settings
        speed = 1.0 if row.kind is RunKind.CAMPAIGN else URGENT_SPEED
        return rule(
            answer.verdict,
            reason,
            Circumstances(
                kind=row.kind,
                policy=settings.policy_of(row.channel),
                attempt=row.number,
                retry_until=row.retry_until,
                base_seconds=settings.sender_retry_base_seconds / speed,
                spread=self._spread.random(),
                now=self._runtime.clock.now(),
                wait=timedelta(seconds=answer.wait_seconds),
            ),
        )
