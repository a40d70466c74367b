"""Keeping what mirror pages and personal links are made of, before the ledger forgets it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.delivery.store.links import LinkStore
from services.delivery.store.runs import Run
from services.delivery.store.tracking import TrackingStore
from shared.uow import Work


async def keep_copies(work: Work, run: Run, chunks: range) -> None:
    """Keep the data of a run's recipients of some snapshot chunks, if its content needs it."""
    if run.template_hash is None or run.snapshot_id is None:
        return
    if await LinkStore(work.connection).needing_copies([run.template_hash]):
        await TrackingStore(work.connection).copy_filled(
            run.run_id, run.snapshot_id, chunks=chunks, at=work.now
        )


async def keep_message_copies(
    work: Work, message_ids: Collection[UUID], template_hashes: Collection[str]
) -> None:
    """Keep the data of single messages whose content needs it."""
    needing = await LinkStore(work.connection).needing_copies(template_hashes)
    if needing and message_ids:
        await TrackingStore(work.connection).copy_messages(list(message_ids), needing, work.now)
