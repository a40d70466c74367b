"""Addresses released and texts of bounces qualified, by people."""

from __future__ import annotations

from services.delivery.answer_log import log_meaning
from services.delivery.domain.qualification import Qualified, refusal_of
from services.delivery.quarantining import release
from services.delivery.store.bounce_messages import BounceMessageStore
from services.delivery.store.causes import first_time
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.bounces import (
    BounceQualified,
    QualificationRefused,
    QualifyBounce,
    ReleaseAddress,
    ReleaseRefused,
)

registry = Registry()


def _not_released(command: ReleaseAddress, refusal: Refused) -> ReleaseRefused:
    return ReleaseRefused(
        recipient_key=command.recipient_key, reason=refusal.reason, actor=command.actor
    )


def _not_qualified(command: QualifyBounce, refusal: Refused) -> QualificationRefused:
    return QualificationRefused(
        text_id=command.text_id,
        reason=refusal.reason,
        field=refusal.field,
        actor=command.actor,
    )


@registry.on(ReleaseAddress, refusal=_not_released)
async def release_address(command: ReleaseAddress, work: Work) -> None:
    """Release an address once: a replay must not undo what happened since."""
    await require(work, command.actor, Right.MANAGE_CAMPAIGNS)
    if await first_time(work):
        await release(work, command)


@registry.on(QualifyBounce, refusal=_not_qualified)
async def qualify_bounce(command: QualifyBounce, work: Work) -> None:
    """Keep what a person makes of a text; it counts for what comes from now on."""
    await require(work, command.actor, Right.MANAGE_CAMPAIGNS)
    refusal = refusal_of(command.reason, command.severity, command.status)
    if refusal is not None:
        raise Refused(refusal, field="reason")
    if not await first_time(work):
        return
    qualified = Qualified(command.reason, command.severity, command.status)
    store = BounceMessageStore(work.connection)
    if not await store.qualify(command.text_id, qualified):
        raise Refused(f"there is no bounce text {command.text_id}", field="text_id")
    text = await store.find(command.text_id)
    if text is not None:
        log_meaning(work, text.text, qualified)
    work.emit(
        BounceQualified(
            text_id=command.text_id,
            status=command.status,
            reason=command.reason,
            severity=command.severity,
            actor=command.actor,
        )
    )
