"""The view of service levels: what transactions tell, added up by minute and by hour.

Beside each part of the table stands the last number of each source that told of it, in the same
entry: so a summary counts once, replayed, sent again by a relay, or after a kill between two parts.
Times are those of what happened, not of its telling: a late summary counts in its own minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

from services.events_status.level_store import LevelStore, Snapshot
from services.events_status.levels import (
    DAY,
    HOUR,
    MINUTE,
    NOTHING,
    TOTAL,
    Tally,
    begin_of,
    chart,
    keys_of,
    levels,
    plus,
    seen,
    tally_of,
)
from shared.live_views import LiveTable, LiveView, keep_running
from shared.service import Runtime
from topics.cloudevents import Malformed, decode_envelope, decode_message
from topics.levels import OTHER, ActivityLine, EventsActivity, QueueLength
from topics.names import EVENTS_ACTIVITY, EVENTS_ACTIVITY_CHANGELOG

KEPT: Final = {MINUTE: 2 * HOUR, HOUR: DAY + HOUR}
"""How long minutes and hours are kept; what is told later than that counts nowhere."""
SOURCE_SECONDS: Final = 2 * DAY
"""How long a source that fell silent is remembered: as long as the topic keeps its summaries."""
MOST_TYPES: Final = 200
MOST_UNROUTED: Final = 50
"""Of the types shown by themselves, how many may never have been routed.

Whoever may push events can make types up; those never get a template, so they cannot keep a
type that has one from being shown.
"""
QUEUE: Final = "queue"
TYPES: Final = "types"
SHOW_EVERY: Final = timedelta(seconds=4)
SHOW_AT_LEAST: Final = timedelta(seconds=15)


def put(table: Any, message: Any) -> None:
    """Put one summary into the table, each part of it unless its number was seen there before."""
    activity = _activity(message)
    if activity is None:
        return
    lines = _known(table, activity)
    observed = _queue(table, activity, lines)
    added: dict[int, dict[str, Tally]] = {}
    for line in lines:
        for key in keys_of(line.channel, line.event_type):
            _add(added, begin_of(line.minute, MINUTE), key, tally_of(line))
    for key, tally in observed.items():
        _add(added, begin_of(activity.at, MINUTE), key, tally)
    latest = table[QUEUE]["latest"]
    for width in KEPT:
        for start, tallies in _by(added, width).items():
            if start > latest - KEPT[width]:
                _put_part(table, width, start, tallies, activity)


def _add(book: dict[int, dict[str, Tally]], start: int, key: str, tally: Tally) -> None:
    part = book.setdefault(start, {})
    part[key] = plus(part.get(key, NOTHING), tally)


def _by(minutes: Mapping[int, Mapping[str, Tally]], width: int) -> dict[int, dict[str, Tally]]:
    found: dict[int, dict[str, Tally]] = {}
    for start, tallies in minutes.items():
        for key, tally in tallies.items():
            _add(found, start // width * width, key, tally)
    return found


def _put_part(
    table: Any, width: int, start: int, tallies: Mapping[str, Tally], activity: EventsActivity
) -> None:
    name = f"{width}:{start}"
    known = table.get(name)
    if known is None:
        _sweep(table)
        known = {"sources": {}, "lines": {}}
    if activity.sequence <= known["sources"].get(activity.source, 0):
        return
    lines = dict(known["lines"])
    for key, tally in tallies.items():
        lines[key] = _packed(plus(_tally(lines.get(key)), tally))
    sources = known["sources"] | {activity.source: activity.sequence}
    table[name] = {"sources": sources, "lines": lines}


def _queue(table: Any, activity: EventsActivity, lines: Iterable[ActivityLine]) -> dict[str, Tally]:
    """Move the queue's lengths on; return what was seen of them, by key."""
    known = table.get(QUEUE) or {"latest": 0.0, "lengths": {}, "sources": {}}
    before: Mapping[str, int] = known["lengths"]
    after: Mapping[str, int]
    last, _ = known["sources"].get(activity.source, (0, 0.0))
    if activity.queue is not None:
        types = table.get(TYPES) or {}
        after = _counted(activity.queue, types)
        # A queue that is empty is a sample too.
        shown = (keys_of(*key.split(" ", 1)) for key in types)
        touched = {TOTAL, *before, *after, *(key for keys in shown for key in keys)}
    else:
        after, touched = _moved(before, lines)
        if activity.sequence <= last:
            # Killed after this part was written: the lengths have moved on already.
            after = before
    if activity.sequence > last:
        at = activity.at.timestamp()
        latest = max(known["latest"], at)
        oldest = latest - SOURCE_SECONDS
        kept = {name: told for name, told in known["sources"].items() if told[1] > oldest}
        table[QUEUE] = {
            "latest": latest,
            "lengths": {key: length for key, length in after.items() if length},
            "sources": kept | {activity.source: [activity.sequence, at]},
        }
    sampled = activity.queue is not None
    return {key: seen(before.get(key, 0), after.get(key, 0), sampled=sampled) for key in touched}


def _moved(
    before: Mapping[str, int], lines: Iterable[ActivityLine]
) -> tuple[dict[str, int], set[str]]:
    """Return the queue's lengths after some changes, and whose they changed."""
    after, touched = dict(before), set()
    for line in lines:
        for key in keys_of(line.channel, line.event_type):
            after[key] = max(after.get(key, 0) + line.queued, 0)
            touched.add(key)
    return after, touched


def _counted(queue: Iterable[QueueLength], types: Mapping[str, Any]) -> dict[str, int]:
    lengths: dict[str, int] = {}
    for one in queue:
        kind = one.event_type if f"{one.channel} {one.event_type}" in types else OTHER
        for key in keys_of(one.channel, kind):
            lengths[key] = lengths.get(key, 0) + one.events
    return lengths


def _known(table: Any, activity: EventsActivity) -> list[ActivityLine]:
    """Return a summary's lines; types that are too many count as others."""
    types: dict[str, list[int]] = dict(table.get(TYPES) or {})
    minute = begin_of(activity.at, MINUTE)
    changed = False
    found = []
    for line in activity.lines:
        key = f"{line.channel} {line.event_type}"
        last, routed = types.get(key, (0, 0))
        told = [max(last, minute), int(bool(routed or line.routed))]
        if line.event_type != OTHER and (key in types or _has_room(types, told[1])):
            changed = changed or told != [last, routed]
            types[key] = told
            found.append(line)
        else:
            found.append(line.model_copy(update={"event_type": OTHER}))
    if changed:
        table[TYPES] = types
    return found


def _has_room(types: Mapping[str, list[int]], routed: int) -> bool:
    if routed:
        return len(types) < MOST_TYPES
    return sum(not one[1] for one in types.values()) < MOST_UNROUTED


def _sweep(table: Any) -> None:
    """Forget minutes and hours past their time, and types of which nothing was told since."""
    latest = table[QUEUE]["latest"]
    for name, width, start in list(_parts(name for name, _ in table.items())):
        if start <= latest - KEPT[width]:
            del table[name]
    types = table.get(TYPES) or {}
    kept = {key: one for key, one in types.items() if one[0] > latest - KEPT[HOUR]}
    if len(kept) < len(types):
        table[TYPES] = kept


def _parts(names: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    for name in names:
        width, colon, start = name.partition(":")
        if colon:
            yield name, int(width), int(start)


VIEW: Final = LiveView("levels", EVENTS_ACTIVITY, EVENTS_ACTIVITY_CHANGELOG, "levels", put)


def _activity(message: Any) -> EventsActivity | None:
    try:
        found = decode_message(decode_envelope(message.headers or (), message.value))
    except Malformed:
        return None  # nobody else reads this topic; what is no summary adds nothing
    return found if isinstance(found, EventsActivity) else None


def _packed(tally: Tally) -> list[Any]:
    return [tally.counts, tally.least, tally.most, tally.lengths, tally.samples]


def _tally(packed: list[Any] | None) -> Tally:
    return Tally(tuple(packed[0]), *packed[1:]) if packed else NOTHING


class LevelWatch(LiveTable):
    """What the view knows now; nothing in a replica that does not read the topic."""

    def snapshot(self, now: datetime) -> Snapshot | None:
        """Return how service levels stand at a time."""
        return snapshot_of(dict(self.items()), now)


def snapshot_of(entries: Mapping[str, Any], now: datetime) -> Snapshot | None:
    """Return what a table's entries say at a time; ``None`` of an empty one."""
    queue = entries.get(QUEUE)
    if queue is None:
        return None
    books: dict[int, dict[int, dict[str, Tally]]] = {width: {} for width in KEPT}
    for name, width, start in _parts(entries):
        lines = entries[name]["lines"]
        books[width][start] = {key: _tally(line) for key, line in lines.items()}
    return Snapshot(
        told_until=datetime.fromtimestamp(queue["latest"], UTC),
        as_of=now,
        levels=levels(books[MINUTE], books[HOUR], queue["lengths"], now),
        minutes=chart(books[MINUTE], now),
    )


_WATCHES: WeakKeyDictionary[Runtime, LevelWatch] = WeakKeyDictionary()


def watch_of(runtime: Runtime) -> LevelWatch:
    """Return the live view of a running service."""
    return _WATCHES.setdefault(runtime, LevelWatch())


async def watch_levels(runtime: Runtime, stop: asyncio.Event) -> None:
    """Keep the view running until ``stop`` is set, and write what it shows."""
    watch = watch_of(runtime)
    written: dict[str, Any] = {}

    async def show() -> None:
        now = runtime.clock.now()
        # Entries are replaced, never changed: beside the loop they may be read while it goes on.
        entries = dict(watch.items())
        if not _is_due(written, entries.get(QUEUE), now):
            return
        snapshot = await asyncio.to_thread(snapshot_of, entries, now)
        if snapshot is None:
            return
        async with runtime.uow.begin() as work:
            await LevelStore(work.connection).show(snapshot)
        written.update(at=now, queue=entries[QUEUE])

    await keep_running(runtime, VIEW, watch, show, stop)


def _is_due(written: Mapping[str, Any], queue: Any, now: datetime) -> bool:
    """Whether a snapshot is worth writing: something was told since, or time went on."""
    if not written:
        return True
    wait = SHOW_EVERY if queue != written["queue"] else SHOW_AT_LEAST
    return bool(now - written["at"] >= wait)
