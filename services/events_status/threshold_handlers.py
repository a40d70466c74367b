"""Setting thresholds: who may, what makes sense, and that a command counts once."""

from __future__ import annotations

from typing import Final

from services.events_status.threshold_store import ThresholdStore
from services.events_status.thresholds import Standing, checked
from services.events_status.watching import settle
from shared.errors import Refused
from shared.ids import new_id
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.levels import Grade, SetThreshold, ThresholdRefused, ThresholdSet

registry: Final = Registry()


def _refused(command: SetThreshold, refusal: Refused) -> ThresholdRefused:
    return ThresholdRefused(
        indicator=command.indicator,
        reason=refusal.reason,
        field=refusal.field,
        actor=command.actor,
    )


@registry.on(SetThreshold, refusal=_refused)
async def set_threshold(command: SetThreshold, work: Work) -> None:
    """Say from when on a level is told; one that is told no more is back to normal."""
    await require(work, command.actor, Right.MANAGE_EVENTS)
    threshold = checked(command)
    store = ThresholdStore(work.connection)
    cause = work.cause
    identity = (cause.source, cause.id) if cause else (f"/muster/{work.service}", str(new_id()))
    if not await store.remember(command, identity, work.now):
        return
    if threshold.warning is None and threshold.alert is None:
        kept = await store.find(threshold)
        if kept is not None:
            if kept.standing.grade is not Grade.NORMAL:
                await settle(work, kept, Standing(), None)
            await store.remove(threshold)
    else:
        await store.save(threshold, command.actor.id, work.now)
    work.emit(
        ThresholdSet(
            indicator=command.indicator,
            channel=command.channel,
            event_type=command.event_type,
            warning=command.warning,
            alert=command.alert,
            actor=command.actor,
        )
    )
