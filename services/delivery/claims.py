"""Claims: rows under lease, their attempts written, before any server is called.

The transaction that claims reads consent, pause and stop once more. What may still leave after one
of them commits is what was claimed before: at most a batch a connection, within one lease.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.delivery.domain.runs import RunKind
from services.delivery.settings import DeliverySettings
from services.delivery.store.consents import ConsentStore
from services.delivery.store.runs import RunStore
from services.delivery.store.sending import Claimed, SendingStore
from shared.uow import UnitOfWork, Work


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows under lease; after ``until`` (monotonic seconds) none of them may be called."""

    rows: Sequence[Claimed]
    until: float


class Claims:
    """Claims rows for the workers of one process, which share an owner's name.

    Attributes:
        owner: who holds the leases; unique per process start.
    """

    def __init__(self, uow: UnitOfWork, settings: DeliverySettings, owner: str) -> None:
        self._uow = uow
        self._settings = settings
        self.owner = owner
        self._turn = 0

    async def due(self) -> bool:
        """Whether any row may be sent now."""
        async with self._uow.pool.acquire() as connection:
            return await SendingStore(connection).due(self._uow.clock.now())

    async def take(self) -> Batch:
        """Put due rows under lease: proofs and single messages first, then runs in turn."""
        lease = self._settings.sender_lease_seconds
        # Measured from before the transaction, so the lease in the row ends later; a call that
        # begins in time is over by then, unless every command of it takes its whole timeout.
        until = time.monotonic() + lease - min(self._settings.smtp_timeout_seconds, lease / 2)
        async with self._uow.begin() as work:
            store = SendingStore(work.connection)
            rows = await store.lock_urgent(work.now, self._settings.sender_batch)
            rows = rows or await self._bulk(store, work.now)
            rows = await _wanted(work, rows)
            if rows:
                await store.lease(rows, owner=self.owner, seconds=lease, at=work.now)
        return Batch(rows, until)

    async def _bulk(self, store: SendingStore, now: datetime) -> list[Claimed]:
        run_ids = await store.active_runs()
        self._turn += 1
        for i in range(len(run_ids)):
            run_id = run_ids[(self._turn + i) % len(run_ids)]
            rows = await store.lock_bulk(run_id, now, self._settings.sender_batch)
            if rows:
                return rows
        return []


async def _wanted(work: Work, rows: list[Claimed]) -> list[Claimed]:
    """Return the rows whose recipients want them; the others are Ignored.

    Consent counts for campaigns. A proof goes to colleagues, and a single message answers what its
    recipient did, so it goes also to people who opted out.
    """
    keys = [row.recipient_key for row in rows if row.kind is RunKind.CAMPAIGN]
    gone = await ConsentStore(work.connection).opted_out(keys, "email") if keys else set()
    unwanted = [row for row in rows if row.kind is RunKind.CAMPAIGN and row.recipient_key in gone]
    if not unwanted:
        return rows
    await SendingStore(work.connection).ignore_opted_out(unwanted, work.now)
    await RunStore(work.connection).mark(*(row.run_id for row in unwanted))
    refused = {(row.run_id, row.member_id) for row in unwanted}
    return [row for row in rows if (row.run_id, row.member_id) not in refused]
