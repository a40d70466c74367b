"""messageCenterLevels: counts the queue, and tells of each threshold that is crossed.

Times, throughput and error rate are the live view's; where it does not keep up nothing is decided
on them (ADR 27). How long the queue is, and how long its oldest waits, is counted in the rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from services.events_status.activity import note_queue
from services.events_status.level_store import LevelStore
from services.events_status.threshold_store import ThresholdStore
from services.events_status.thresholds import (
    Kept,
    Seen,
    Standing,
    Unknown,
    Waiting,
    decide,
    value_of,
)
from shared.ids import new_id
from shared.uow import Work
from shared.workflows import Step
from topics.levels import Grade, ServiceLevelCrossed


async def watch_service_levels(work: Work) -> Step:
    """Look at each threshold once."""
    store = ThresholdStore(work.connection)
    waiting = await store.waiting()
    note_queue(work, _lengths(waiting))
    seen = await _seen(work, waiting)
    crossed = 0
    for kept in await store.locked():
        crossed += await _look_at(work, kept, seen)
    return Step(crossed, crossed)


def _lengths(waiting: Sequence[Waiting]) -> dict[tuple[str, str], int]:
    lengths: defaultdict[tuple[str, str], int] = defaultdict(int)
    for one in waiting:
        lengths[one.channel, one.event_type] += one.events
    return lengths


async def _seen(work: Work, waiting: Sequence[Waiting]) -> Seen:
    snapshot = await LevelStore(work.connection).latest()
    if snapshot is None or snapshot.is_late(work.now):
        return Seen(None, waiting, work.now)
    levels = {(one.channel, one.event_type, one.window): one for one in snapshot.levels}
    return Seen(levels, waiting, work.now)


async def _look_at(work: Work, kept: Kept, seen: Seen) -> bool:
    try:
        value = value_of(kept.threshold, seen)
    except Unknown:
        return False
    standing = decide(kept.standing, kept.threshold, value, work.now)
    return await settle(work, kept, standing, value)


async def settle(work: Work, kept: Kept, standing: Standing, value: float | None) -> bool:
    """Write how a level stands now, and tell of its crossing; return whether there was one."""
    store = ThresholdStore(work.connection)
    before = kept.standing.grade
    now = replace(kept, standing=standing, value=value)
    if standing.grade is before:
        await store.stand(now)
        return False
    crossing_id = kept.crossing_id or new_id()
    back = standing.grade is Grade.NORMAL
    now = replace(now, since=work.now, crossing_id=None if back else crossing_id)
    await store.stand(now)
    await store.crossed(now, crossing_id, before, work.now)
    threshold = kept.threshold
    reached = before if back else standing.grade
    work.emit(
        ServiceLevelCrossed(
            crossing_id=crossing_id,
            indicator=threshold.indicator,
            channel=threshold.channel,
            event_type=threshold.event_type,
            window=threshold.window,
            below=threshold.below,
            before=before,
            after=standing.grade,
            value=value,
            limit=threshold.limit(reached),
            since=kept.since or work.now,
            at=work.now,
        )
    )
    return True
