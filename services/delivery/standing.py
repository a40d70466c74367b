"""One approval for many occurrences: what stands for the next one, and is asked no more."""

from __future__ import annotations

from services.delivery.approving import grant_at_once
from services.delivery.domain.approvals import Approval
from services.delivery.domain.standing import stands
from services.delivery.store.approvals import Request
from services.delivery.store.deliveries import Delivery
from services.delivery.store.standing import StandingStore
from shared.ids import new_id
from shared.uow import Work
from topics.delivery import ApprovalKind, GenerateProof


async def stand(work: Work, command: GenerateProof, delivery: Delivery) -> bool:
    """Grant an occurrence's approval where another one's stands for it; say whether one does.

    Only the first time it is asked: whoever asks again wants an answer of their own.
    """
    once, series_id = command.rules.once, command.series_id
    if once is None or series_id is None:
        return False
    store = StandingStore(work.connection)
    if not await store.add(command.campaign_id, series_id):
        return False
    latest = await store.latest(series_id, delivery.content_hash)
    if latest is None or not stands(latest, once, count=command.count, now=work.now):
        return False
    await store.stand(command.campaign_id, latest.approval_id)
    day = latest.decided_at.date().isoformat() if latest.decided_at else ""
    reason = f"the approval of C-{latest.campaign_number} {latest.campaign_label} of {day} stands"
    await grant_at_once(work, _request(work, command, delivery, latest), reason)
    return True


def _request(work: Work, command: GenerateProof, delivery: Delivery, latest: Approval) -> Request:
    return Request(
        approval_id=new_id(),
        campaign_id=command.campaign_id,
        campaign_number=command.campaign_number,
        campaign_label=command.campaign_label,
        delivery_id=command.delivery_id,
        kind=ApprovalKind.PROOF,
        subject=latest.subject,
        proof_number=None,
        proof_path=None,
        count=command.count,
        content_hash=delivery.content_hash,
        snapshot_id=command.snapshot_id,
        snapshot_hash=command.snapshot_hash,
        requested_by=command.requested_by.id,
        requested_at=work.now,
        reviewer_ids=command.reviewer_ids,
        rules=command.rules,
        send_doubles=latest.send_doubles,
        warnings=latest.warnings,
    )
