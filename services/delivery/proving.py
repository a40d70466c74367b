"""Proofs in motion: rendered over a member of the target, sent for real, then approval is asked."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.delivery.approving import open_approval, settings_of
from services.delivery.checking import noticed
from services.delivery.content.kitchen import KITCHEN
from services.delivery.domain.content import proof_prefix
from services.delivery.domain.runs import RunKind
from services.delivery.lettering import proof_letter
from services.delivery.links import PROOF_LINK, proof_token
from services.delivery.personal import LETTER, merge_of, variables
from services.delivery.rendering import BadTemplate, with_subject
from services.delivery.store.approvals import Request
from services.delivery.store.deliveries import Delivery, DeliveryStore
from services.delivery.store.ledger import LedgerStore, NewRow
from services.delivery.store.proofs import Proof, ProofStore
from services.delivery.store.runs import Run, RunStore
from services.delivery.store.snapshots import SnapshotStore
from services.delivery.store.templates import Template, TemplateStore
from services.delivery.tracking.personal_links import proof_links
from shared.ids import new_id, recipient_key
from shared.uow import Work
from topics.delivery import ApprovalKind, DeliveryCounts, ProofFailed, ProofSent


async def prepare_proof(work: Work, proof: Proof) -> None:
    """Render a proof whose snapshot is here and give it to the sender; its row is locked."""
    delivery = await DeliveryStore(work.connection).find(proof.delivery_id)
    template = await TemplateStore(work.connection).find(delivery.template_id) if delivery else None
    if delivery is None or template is None or delivery.content_hash != proof.content_hash:
        await fail_proof(work, proof, "the content changed meanwhile; ask for the proof again")
        return
    if not template.proof_recipients:
        reason = "the template names nobody to send proofs to"
        await fail_proof(work, proof, reason, field="proof_recipients")
        return
    member = await SnapshotStore(work.connection).sample(proof.snapshot_id)
    if member is None:
        await fail_proof(work, proof, "the target is empty; change it and ask again")
        return
    try:
        letter = await _render(work, proof, delivery, member)
    except BadTemplate as problem:
        await fail_proof(work, proof, problem.reason, field=problem.field)
        return
    merge = merge_of(member)
    if letter is not None:
        # With the row, so that it goes when the row's data go: it holds personal data.
        merge[LETTER] = b64encode(letter).decode("ascii")
    await _hand_over(work, proof, delivery, template, merge)


async def _render(
    work: Work, proof: Proof, delivery: Delivery, member: dict[str, Any]
) -> bytes | None:
    """Keep what the proof looks like; return its letter as PDF where the content has one."""
    content = await TemplateStore(work.connection).content(delivery.template_hash)
    values = variables(
        merge_of(member),
        number=proof.campaign_number,
        label=proof.campaign_label,
        unsubscribe_url=f"{work.settings.public_url}/u/{PROOF_LINK}",
    )
    # Rendering may wait for a child.
    values |= await asyncio.to_thread(proof_links, content, values, settings_of(work))
    rendered = await asyncio.to_thread(KITCHEN.render, content, values)
    warnings = await noticed(work, content, rendered)
    rendered = with_subject(rendered, proof_prefix(content.language, proof.number))
    letter = await proof_letter(
        content,
        merge_of(member),
        number=proof.campaign_number,
        label=proof.campaign_label,
        at=work.now,
    )
    await ProofStore(work.connection).rendered(
        proof.proof_id,
        rendered,
        send_doubles=content.send_doubles,
        warnings=warnings,
        sample_key=member.get("recipient_key"),
        letter=letter,
    )
    return letter


async def _hand_over(
    work: Work, proof: Proof, delivery: Delivery, template: Template, merge: dict[str, Any]
) -> None:
    run = Run(
        run_id=proof.proof_id,
        kind=RunKind.PROOF,
        state="started",
        campaign_id=proof.campaign_id,
        campaign_number=proof.campaign_number,
        campaign_label=proof.campaign_label,
        delivery_id=proof.delivery_id,
        template_hash=delivery.template_hash,
        content_hash=proof.content_hash,
        snapshot_id=None,
        snapshot_hash=None,
        count=len(template.proof_recipients),
        chunks=0,
        filled=True,
        subject_prefix=proof_prefix(template.language, proof.number),
        retry_until=work.now + timedelta(minutes=settings_of(work).proof_retry_minutes),
    )
    await RunStore(work.connection).add(run, work.now)
    rows = [
        NewRow(
            run_id=proof.proof_id,
            member_id=new_id(),
            recipient_key=recipient_key(work.settings.secret, "email", address),
            address=address,
            merge=merge,
        )
        for address in template.proof_recipients
    ]
    await LedgerStore(work.connection).add(rows, work.now)


async def fail_proof(work: Work, proof: Proof, reason: str, *, field: str | None = None) -> None:
    """Say that a proof could not be made or sent."""
    await ProofStore(work.connection).ended(proof.proof_id, sent=False)
    work.emit(
        ProofFailed(
            campaign_id=proof.campaign_id,
            delivery_id=proof.delivery_id,
            snapshot_id=proof.snapshot_id,
            reason=reason,
            field=field,
        )
    )


async def complete_proof(work: Work, run: Run, counts: DeliveryCounts) -> None:
    """Ask for approval once every proof recipient's server took the proof."""
    proofs = ProofStore(work.connection)
    proof = await proofs.lock(run.run_id)
    if proof is None or proof.state != "sending":
        return
    delivery = await DeliveryStore(work.connection).lock(proof.delivery_id)
    if delivery is None or delivery.content_hash != proof.content_hash:
        await fail_proof(work, proof, "the content changed meanwhile; ask for the proof again")
        return
    if counts.sent < counts.targeted:
        missed = counts.targeted - counts.sent
        reason = f"{missed} of {counts.targeted} proof recipients' servers refused it"
        await fail_proof(work, proof, reason, field="proof_recipients")
        return
    await proofs.ended(proof.proof_id, sent=True)
    work.emit(
        ProofSent(
            campaign_id=proof.campaign_id,
            delivery_id=proof.delivery_id,
            proof_number=proof.number,
            content_hash=proof.content_hash,
            snapshot_id=proof.snapshot_id,
            recipients=counts.sent,
        )
    )
    content = await TemplateStore(work.connection).content(delivery.template_hash)
    # The subject as its author wrote it: approvals are published, and name no recipient.
    subject = proof_prefix(content.language, proof.number) + content.subject
    request = replace(
        _request(work, proof, subject),
        send_doubles=content.send_doubles,
        has_letter=bool(content.letter),
        warnings=await proofs.warnings(proof.proof_id),
    )
    await open_approval(work, request)


def _request(work: Work, proof: Proof, subject: str) -> Request:
    return Request(
        approval_id=new_id(),
        campaign_id=proof.campaign_id,
        campaign_number=proof.campaign_number,
        campaign_label=proof.campaign_label,
        delivery_id=proof.delivery_id,
        kind=ApprovalKind.PROOF,
        subject=subject,
        proof_number=proof.number,
        proof_path=f"/p/{proof_token(work.settings.secret, proof.proof_id, now=work.now)}",
        count=proof.count,
        content_hash=proof.content_hash,
        snapshot_id=proof.snapshot_id,
        snapshot_hash=proof.snapshot_hash,
        requested_by=proof.requested_by,
        requested_at=work.now,
        reviewer_ids=proof.reviewer_ids,
        rules=proof.rules,
    )
