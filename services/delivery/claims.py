"""Claims: rows under lease, their attempts written, before any server is called.

Each transaction that claims reads consent, pause and stop once more. What may still leave after one
of them commits is what was claimed before: a batch or a window a connection, for at most
``WINDOW_SECONDS`` and the call under way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.delivery.domain.runs import Reason
from services.delivery.pacing import paced
from services.delivery.quarantining import leave_out_blocked
from services.delivery.results import note_activity, write_results, write_window
from services.delivery.settings import DeliverySettings
from services.delivery.store.consents import ConsentStore
from services.delivery.store.queue import QueueStore
from services.delivery.store.runs import RunStore
from services.delivery.store.sending import Claimed, Result, SendingStore
from services.delivery.store.slices import Slice, SliceStore
from services.delivery.tracking.activity import Untold
from shared.ids import new_id
from shared.uow import UnitOfWork, Work
from topics.delivery import Channel

WINDOW_SECONDS: Final = 0.5
"""How long rows may wait for their call once consent, pause and stop were read for them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of the queue under lease; after ``until`` (monotonic seconds) none may be called."""

    rows: Sequence[Claimed]
    until: float


@dataclass(slots=True)
class Share:
    """A slice under lease: the rows still to be called, those of the open window first.

    Attributes:
        window: how many of the rows may be called now, until ``until`` (monotonic seconds).
        opened_at: when that was written: their attempts began then.
    """

    part: Slice
    rows: list[Claimed]
    window: int
    until: float
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """What is left of a slice, and how many rows of it may be called; none: it is closed."""

    rows: list[Claimed]
    window: int


class Claims:
    """Claims rows for one worker, which calls a batch or a slice at a time.

    Args:
        channel: whose rows it claims; campaigns' are e-mails.

    Attributes:
        owner: who holds the leases; unique per worker and process start.
    """

    def __init__(
        self,
        uow: UnitOfWork,
        settings: DeliverySettings,
        owner: str,
        channel: Channel = Channel.EMAIL,
    ) -> None:
        self._uow = uow
        self._settings = settings
        self._channel = channel
        self.owner = owner
        self._turn = 0
        self._untold = Untold(owner)

    async def write(self, results: Sequence[Result]) -> None:
        """Write what came of a batch's rows."""
        async with self._uow.begin() as work:
            await write_results(work, results)
        note_activity(results, self._untold)

    async def tell(self) -> None:
        """Tell the live view what it has not been told yet, when that is due."""
        if self._untold.due:
            async with self._uow.begin() as work:
                self._untold.tell(work)

    def disown(self) -> None:
        """Claim under another name from now on: what is held under this one is not ours to free."""
        self.owner = f"{self.owner.rpartition('/')[0] or self.owner}/{new_id().hex[-6:]}"

    async def take_back(self) -> None:
        """Free what a claim whose commit was never heard of may hold: nothing of it was called."""
        async with self._uow.begin() as work:
            await SliceStore(work.connection).take_back(self.owner, work.now)
            await QueueStore(work.connection).take_back(self.owner, work.now)

    async def due_urgent(self) -> bool:
        """Whether a proof or a single message may be sent now."""
        async with self._uow.pool.acquire() as connection:
            queue, now = QueueStore(connection), self._uow.clock.now()
            if self._channel is Channel.EMAIL:
                return await queue.urgent_due(now)
            return await queue.channel_due(self._channel, now)

    async def due_bulk(self) -> bool:
        """Whether a campaign's message may be sent now."""
        async with self._uow.pool.acquire() as connection:
            return await SliceStore(connection).due(self._uow.clock.now())

    async def take_urgent(self) -> Batch | None:
        """Put due proofs and single messages under lease; ``None`` without any."""
        until = self._until()
        async with self._uow.begin() as work:
            rows = await self._lock_urgent(QueueStore(work.connection), work.now)
            leased = await self._lease(work, rows)
        return Batch(leased, until) if leased else None

    async def _lock_urgent(self, queue: QueueStore, now: datetime) -> list[Claimed]:
        if self._channel is Channel.EMAIL:
            return await queue.lock_urgent(now, self._settings.sender_batch)
        limit = self._settings.connections_of(self._channel)
        return await queue.lock_channel(self._channel, now, limit)

    async def take_bulk(self) -> Batch | Share | None:
        """Put what a campaign sends under lease, runs in turn: a slice, or rows that go again."""
        async with self._uow.pool.acquire() as connection:
            runs = await SliceStore(connection).active_runs(self._uow.clock.now())
        self._turn += 1
        for i in range(len(runs)):
            run_id, rate = runs[(self._turn + i) % len(runs)]
            # Second attempts take turns with the first ones: neither waits for all of the other.
            for again in (True, False) if self._turn % 2 else (False, True):
                found = await (self._again(run_id, rate) if again else self._share(run_id))
                if found is not None:
                    return found
        return None

    async def _again(self, run_id: UUID, rate: int | None) -> Batch | None:
        until = self._until()
        async with self._uow.begin() as work:
            size = self._settings.sender_batch
            queue = QueueStore(work.connection)
            if rate is not None and await queue.bulk_due(run_id, work.now):
                size, _ = await SliceStore(work.connection).tokens(run_id, size, work.now)
            rows = await queue.lock_bulk(run_id, work.now, size)
            if not rows:
                return None
            return Batch(await self._lease(work, rows), until)

    async def _lease(self, work: Work, rows: list[Claimed]) -> list[Claimed]:
        rows = await wanted(work, rows)
        if self._channel is Channel.EMAIL:
            rows = await paced(work, rows)
        if rows:
            await QueueStore(work.connection).lease(
                rows, owner=self.owner, seconds=self._settings.sender_lease_seconds, at=work.now
            )
        return rows

    async def _share(self, run_id: UUID) -> Share | None:
        until = self._until()
        async with self._uow.begin() as work:
            slices = SliceStore(work.connection)
            part = await slices.claim(
                run_id, work.now, owner=self.owner, seconds=self._settings.sender_lease_seconds
            )
            if part is None:
                return None
            opened = await self._open(work, part, await slices.rows(part))
        if not opened.window:
            return None
        return Share(part, opened.rows, opened.window, until, opened_at=work.now)

    async def next_window(
        self, share: Share, results: Sequence[Result], *, give_back: bool
    ) -> bool:
        """Write a window's results and open the next; return whether there is one.

        ``results`` are of the window's rows that were called, or ended without a call, in order.
        May be called again with the same ones when a transaction's fate is not known. With
        ``give_back`` the slice is freed and no window opened.
        """
        until = self._until()
        done, rest = share.rows[: len(results)], share.rows[len(results) :]
        async with self._uow.begin() as work:
            slices = SliceStore(work.connection)
            hold = await slices.held(share.part, self.owner)
            if hold is None:
                # Somebody else has the slice, and has called this window's rows ambiguous.
                await write_results(work, results)
                return False
            await write_window(work, done, results, owner=self.owner, at=share.opened_at)
            if self._untold.due:
                self._untold.tell(work)
            # Also when nothing was called: whoever stops the run waits for the slice.
            await RunStore(work.connection).mark(share.part.run_id)
            if rest and (hold.halted or give_back):
                await slices.release(share.part, rest[0].position or 0, work.now)
                opened = Opened([], 0)
            else:
                part = replace(share.part, rate_per_minute=hold.rate_per_minute)
                opened = await self._open(work, part, rest)
        note_activity(results, self._untold)
        share.rows, share.window, share.until = opened.rows, opened.window, until
        share.opened_at = work.now
        return share.window > 0

    async def _open(self, work: Work, part: Slice, rows: list[Claimed]) -> Opened:
        """Open the next window of a locked slice, over rows that are wanted and may go now."""
        slices = SliceStore(work.connection)
        while rows:
            size = await self._allowed(work, part, rows)
            if size == 0:
                return Opened([], 0)
            window = await paced(work, await wanted(work, rows[:size]))
            rows = window + rows[size:]
            if window:
                lease = self._settings.sender_lease_seconds
                await slices.open_window(part, window, at=work.now, seconds=lease)
                return Opened(rows, len(window))
        if part.until < part.end:
            await slices.release(part, part.until, work.now)
        else:
            await slices.finish(part)
        await RunStore(work.connection).mark(part.run_id)
        return Opened([], 0)

    async def _allowed(self, work: Work, part: Slice, rows: Sequence[Claimed]) -> int:
        """Return how many rows the run's rate allows now; a slice that must wait is given back."""
        size = min(self._settings.sender_window, len(rows))
        if part.rate_per_minute is None:
            return size
        slices = SliceStore(work.connection)
        granted, seconds = await slices.tokens(part.run_id, size, work.now)
        if granted == 0:
            later = work.now + timedelta(seconds=min(seconds, 60.0))
            await slices.release(part, rows[0].position or 0, later)
        return granted

    def _until(self) -> float:
        """Return until when what is claimed now may be called (monotonic seconds).

        Measured from before the transaction, so the lease in the row ends later; a call that
        begins in time is over by then, unless every command of it takes its whole timeout.
        """
        lease = self._settings.sender_lease_seconds
        timeout = self._settings.timeout_of(self._channel)
        return time.monotonic() + lease - min(timeout, lease / 2)


async def wanted(work: Work, rows: list[Claimed]) -> list[Claimed]:
    """Return the rows whose recipients want them; the others are Ignored.

    Consent counts for campaigns. A proof goes to colleagues, and a single message answers what its
    recipient did, so it goes also to people who opted out.
    """
    rows = await leave_out_blocked(work, rows)
    keys = [row.recipient_key for row in rows if row.kind.may_be_refused]
    gone = await ConsentStore(work.connection).opted_out(keys, "email") if keys else set()
    unwanted = [row for row in rows if row.kind.may_be_refused and row.recipient_key in gone]
    if not unwanted:
        return rows
    await SendingStore(work.connection).ignore(unwanted, Reason.OPTED_OUT.value, work.now)
    await RunStore(work.connection).mark(*{row.run_id for row in unwanted})
    refused = {(row.run_id, row.member_id) for row in unwanted}
    return [row for row in rows if (row.run_id, row.member_id) not in refused]
