"""Proofs: asked for by a campaign, rendered once the whole snapshot is here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.delivery.proving import fail_proof, prepare_proof
from services.delivery.standing import stand
from services.delivery.store.causes import first_time
from services.delivery.store.deliveries import DeliveryStore
from services.delivery.store.proofs import Proof, ProofStore
from services.delivery.store.snapshots import SnapshotStore
from shared.ids import new_id, recipient_key
from shared.registry import Registry
from shared.uow import Work
from shared.workflows import wake
from topics.delivery import GenerateProof, ProofFailed
from topics.targeting import Member, SnapshotChunk

registry = Registry()


@registry.on(GenerateProof)
async def generate_proof(command: GenerateProof, work: Work) -> None:
    """Number a proof; it is rendered when its snapshot's last chunk is here.

    An occurrence for which another one's approval stands needs none.
    """
    if not await first_time(work):
        return
    deliveries = DeliveryStore(work.connection)
    delivery = await deliveries.lock(command.delivery_id)
    if delivery is None or delivery.campaign_id != command.campaign_id:
        work.emit(
            ProofFailed(
                campaign_id=command.campaign_id,
                delivery_id=command.delivery_id,
                snapshot_id=command.snapshot_id,
                reason="there is no such delivery; prepare it first",
                field="template_id",
            )
        )
        return
    proofs = ProofStore(work.connection)
    if await proofs.proven(command.snapshot_id) or await stand(work, command, delivery):
        return
    proof = Proof(
        proof_id=new_id(),
        campaign_id=command.campaign_id,
        campaign_number=command.campaign_number,
        campaign_label=command.campaign_label,
        delivery_id=command.delivery_id,
        number=await deliveries.next_proof(command.delivery_id),
        state="waiting",
        content_hash=delivery.content_hash,
        snapshot_id=command.snapshot_id,
        snapshot_hash=command.snapshot_hash,
        count=command.count,
        chunks=command.chunks,
        reviewer_ids=command.reviewer_ids,
        requested_by=command.requested_by.id,
        rules=command.rules,
    )
    await proofs.add(proof, work.now)
    await _go_on(work, proof)


@registry.on_batch(SnapshotChunk)
async def snapshot_chunks(chunks: Sequence[SnapshotChunk], work: Work) -> None:
    """Keep chunks; go on with what waited for the last one."""
    snapshots = SnapshotStore(work.connection)
    for chunk in chunks:
        await snapshots.add(
            snapshot_id=chunk.snapshot_id,
            campaign_id=chunk.campaign_id,
            index=chunk.index,
            members=[_kept(member, work.settings.secret) for member in chunk.members],
            at=work.now,
        )
    proofs = ProofStore(work.connection)
    for snapshot_id in sorted({chunk.snapshot_id for chunk in chunks}):
        for proof in await proofs.lock_waiting(snapshot_id):
            await _go_on(work, proof)
    await wake(work, "deliveryMgt")


def _kept(member: Member, secret: bytes) -> dict[str, Any]:
    """Return a member as the ledger is filled from it, with a key whenever it has an address."""
    values: dict[str, Any] = member.model_dump(mode="json")
    if member.email and not member.recipient_key:
        values["recipient_key"] = recipient_key(secret, "email", member.email)
    return values


async def _go_on(work: Work, proof: Proof) -> None:
    arrived = await SnapshotStore(work.connection).arrived(proof.snapshot_id)
    if arrived.chunks < proof.chunks:
        return
    if arrived.members != proof.count:
        reason = f"{proof.count} recipients were counted, {arrived.members} are in the snapshot"
        await fail_proof(work, proof, f"{reason}; ask for the proof again")
        return
    await prepare_proof(work, proof)
