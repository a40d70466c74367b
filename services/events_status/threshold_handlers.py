"""Service levels by message: thresholds set, levels told to who asks."""

from __future__ import annotations

from typing import Any, Final

from services.events_status.level_store import LevelStore, Snapshot
from services.events_status.threshold_store import ThresholdStore
from services.events_status.thresholds import RANK, Kept, Standing, checked
from services.events_status.watching import settle
from shared.errors import Refused
from shared.ids import new_id
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.levels import (
    AskForLevels,
    Grade,
    Level,
    LevelsTold,
    SetThreshold,
    ThresholdRefused,
    ThresholdSet,
    ThresholdStanding,
    Window,
)

registry: Final = Registry()
MOST_TOLD: Final = 8
"""Of how many types, and thresholds, a message tells at most."""


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


@registry.on(AskForLevels)
async def tell_levels(command: AskForLevels, work: Work) -> None:
    """Tell how service levels stand; whoever may not read is told nothing."""
    ask: Any = {"ask_id": command.ask_id, "actor": command.actor}
    try:
        await require(work, command.actor, Right.READ)
    except Refused:
        work.emit(LevelsTold(as_of=None, is_late=False, **ask))
        return
    snapshot = await LevelStore(work.connection).latest()
    kept = await ThresholdStore(work.connection).listed()
    standings = sorted(
        kept, key=lambda one: (-RANK[one.standing.grade], bool(one.threshold.channel))
    )
    ask["thresholds"] = tuple(_standing(one) for one in standings[:MOST_TOLD])
    if snapshot is None:
        work.emit(LevelsTold(as_of=None, is_late=True, **ask))
        return
    work.emit(
        LevelsTold(
            as_of=snapshot.as_of,
            is_late=snapshot.is_late(work.now),
            levels=tuple(_notable(snapshot)),
            minutes=tuple(snapshot.minutes),
            **ask,
        )
    )


def _notable(snapshot: Snapshot) -> list[Level]:
    whole = [one for one in snapshot.levels if not one.channel]
    types = [one for one in snapshot.levels if one.event_type and one.window is Window.HOUR]
    types.sort(key=lambda one: (-one.incoming - one.queued, one.channel, one.event_type))
    return [*whole, *types[:MOST_TOLD]]


def _standing(kept: Kept) -> ThresholdStanding:
    named = {name: getattr(kept.threshold, name) for name in _SHOWN}
    return ThresholdStanding(**named, grade=kept.standing.grade, value=kept.value)


_SHOWN: Final = ("indicator", "channel", "event_type", "window", "below", "warning", "alert")
