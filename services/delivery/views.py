"""The live view of deliveries: what is sent, opened and clicked, as it happens.

It adds up summaries of transactions (``DeliveryActivity``). Beside a run's picture stands the last
number of each source that told of it, in the same entry of the table: so a summary counts once,
replayed, sent again by a relay, or taken up by another replica.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from services.delivery.domain.activity import (
    HOUR,
    KINDS,
    MINUTE,
    Figures,
    Picture,
    add,
    figures_of,
    in_last,
)
from services.delivery.store.activity import ActivityStore, Shown
from shared.live_views import LiveTable, LiveView, keep_running
from shared.service import Runtime
from topics.cloudevents import Malformed, decode_envelope, decode_message
from topics.delivery import DeliveryActivity
from topics.names import DELIVERY_ACTIVITY, DELIVERY_ACTIVITY_CHANGELOG

SOURCE_DAYS: Final = timedelta(days=1)
"""How long a source that fell silent is remembered: as long as the topic keeps its summaries."""
RUN_DAYS: Final = timedelta(days=7)
SWEEP_EVERY: Final = 500
MOVING: Final = timedelta(hours=2)
"""A run where nothing happened for longer looks as it did when it was written last."""


def put(table: Any, message: Any) -> None:
    """Put one summary into the table, unless its source's number was seen before."""
    activity = _activity(message)
    if activity is None:
        return
    key = str(activity.run_id)
    known = table.get(key) or {}
    at = activity.at.timestamp()
    sources: dict[str, Any] = known.get("sources", {})
    last, _ = sources.get(activity.source, (0, 0.0))
    if activity.sequence <= last:
        return
    oldest = at - SOURCE_DAYS.total_seconds()
    kept = {name: told for name, told in sources.items() if told[1] > oldest}
    picture = add(_picture(known), figures_of(activity.counts.model_dump()), activity.at)
    table[key] = {
        "total": list(picture.total),
        "fine": {str(start): list(value) for start, value in picture.fine.items()},
        "minutes": {str(start): list(value) for start, value in picture.minutes.items()},
        "last_at": picture.last_at,
        "sources": kept | {activity.source: [activity.sequence, at]},
        "partition": message.partition,
    }
    if message.offset % SWEEP_EVERY == 0:
        _sweep(table, message.partition, at - RUN_DAYS.total_seconds())


def _sweep(table: Any, partition: int, before: float) -> None:
    """Forget runs of a partition where nothing happened for days.

    Only of the partition of the record in hand: Faust writes the removal into its changelog.
    """
    for key, value in list(table.items()):
        if value["partition"] == partition and value["last_at"] < before:
            del table[key]


VIEW: Final = LiveView("activity", DELIVERY_ACTIVITY, DELIVERY_ACTIVITY_CHANGELOG, "activity", put)


def _activity(message: Any) -> DeliveryActivity | None:
    try:
        found = decode_message(decode_envelope(message.headers or (), message.value))
    except Malformed:
        return None  # nobody else reads this topic; what is no summary adds nothing
    return found if isinstance(found, DeliveryActivity) else None


def _picture(value: dict[str, Any]) -> Picture:
    if not value:
        return Picture()
    return Picture(
        tuple(value["total"]),
        {int(start): tuple(found) for start, found in value["fine"].items()},
        {int(start): tuple(found) for start, found in value["minutes"].items()},
        value["last_at"],
    )


class ActivityWatch(LiveTable):
    """What the view knows now of the runs whose partitions this replica reads."""

    def shown(self, now: datetime) -> list[Shown]:
        """Return how runs look now; those at rest are left out."""
        since = (now - MOVING).timestamp()
        return [
            _shown(UUID(key), _picture(value), now)
            for key, value in self.items()
            if value["last_at"] > since
        ]


def _shown(run_id: UUID, picture: Picture, now: datetime) -> Shown:
    return Shown(
        run_id=run_id,
        total=_named(picture.total),
        minute=_named(in_last(picture, MINUTE, now)),
        hour=_named(in_last(picture, HOUR, now)),
        last_at=datetime.fromtimestamp(picture.last_at, UTC),
    )


def _named(figures: Figures) -> dict[str, int]:
    return dict(zip(KINDS, figures, strict=True))


_WATCHES: WeakKeyDictionary[Runtime, ActivityWatch] = WeakKeyDictionary()


def watch_of(runtime: Runtime) -> ActivityWatch:
    """Return the live view of a running service."""
    return _WATCHES.setdefault(runtime, ActivityWatch())


async def watch_activity(runtime: Runtime, stop: asyncio.Event) -> None:
    """Keep the view running until ``stop`` is set, and write what it shows."""
    watch = watch_of(runtime)

    async def show() -> None:
        async with runtime.uow.begin() as work:
            await ActivityStore(work.connection).show(watch.shown(work.now), work.now)

    await keep_running(runtime, VIEW, watch, show, stop)
