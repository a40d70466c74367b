"""Service levels: that each summary counts once, in its own minute, and what windows say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.events_status import views
from services.events_status.level_store import Snapshot
from services.events_status.views import VIEW, LevelWatch, put
from shared.live_views import contents, take
from tests.records import record_of
from topics.levels import OTHER, ActivityLine, EventsActivity, Level, QueueLength, Window
from topics.names import EVENTS_ACTIVITY, EVENTS_ACTIVITY_CHANGELOG

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KIND = "order.confirmed"


@dataclass
class Message:
    """What the view reads of Faust's message."""

    offset: int
    value: bytes
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    partition: int = 0


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def a_line(minutes: float = 0, kind: str = KIND, **counts: int) -> ActivityLine:
    at = after(minutes).replace(second=0, microsecond=0)
    return ActivityLine(channel="email", event_type=kind, minute=at, **counts)


def a_summary(
    sequence: int,
    *lines: ActivityLine,
    at: float = 0,
    queue: Sequence[QueueLength] | None = None,
    source: str = "one",
) -> Message:
    activity = EventsActivity(
        source=source,
        sequence=sequence,
        lines=lines,
        queue=None if queue is None else tuple(queue),
        at=after(at),
    )
    _, headers, value = record_of(activity, source="/muster/events_status")
    return Message(sequence, value, headers)


def long(events: int, kind: str = KIND) -> QueueLength:
    return QueueLength(channel="email", event_type=kind, events=events)


class Told:
    """A table that summaries are put into, one offset after another."""

    def __init__(self) -> None:
        self.table: dict[str, Any] = {}
        self._offset = 0

    def take(self, *messages: Message) -> Told:
        for one in messages:
            one.offset = self._offset
            self._offset += 1
            take(VIEW, self.table, one)
        return self

    def snapshot(self, minutes: float = 1) -> Snapshot:
        watch = LevelWatch()
        watch._table = self.table
        found = watch.snapshot(after(minutes))
        assert found is not None
        return found

    def level(
        self, minutes: float = 1, *, window: Window = Window.HOUR, channel: str = "", kind: str = ""
    ) -> Level:
        [found] = [
            one
            for one in self.snapshot(minutes).levels
            if (one.window, one.channel, one.event_type) == (window, channel, kind)
        ]
        return found


def test_the_changelog_is_the_topic_that_the_catalogue_lists() -> None:
    assert f"{VIEW.app_id}-{VIEW.table}-changelog" == EVENTS_ACTIVITY_CHANGELOG.name
    assert EVENTS_ACTIVITY_CHANGELOG.partitions == EVENTS_ACTIVITY.partitions == 1


def test_a_summary_sent_again_or_replayed_counts_once() -> None:
    told = Told()
    records = [a_summary(n, a_line(entered=10, queued=10)) for n in (1, 2, 1, 2, 3)]
    told.take(*records, *(a_summary(n, a_line(entered=10, queued=10)) for n in (1, 2, 3)))
    assert told.level().incoming == 30
    assert told.level().queued == 30
    other = a_summary(1, a_line(entered=5, queued=5), source="two")
    assert told.take(other).level().incoming == 35


@pytest.mark.parametrize("survived", range(5))
def test_killed_between_two_parts_of_a_summary_it_still_counts_once(survived: int) -> None:
    class Killed(dict[str, Any]):
        left = survived

        def __setitem__(self, key: str, value: Any) -> None:
            if not self.left:
                raise InterruptedError
            self.left -= 1
            super().__setitem__(key, value)

    told = Told()
    summary = a_summary(7, a_line(entered=10, queued=10), a_line(-1, sent=4))
    killed = Killed()
    with pytest.raises(InterruptedError):
        put(killed, summary)
    told.table = dict(killed)
    assert told.take(summary).level().incoming == 10
    assert (told.level().outgoing, told.level().queued, told.level().queued_max) == (4, 10, 10)
    assert told.level(window=Window.DAY).incoming == 10


def test_a_late_summary_counts_in_its_own_window() -> None:
    told = Told().take(
        a_summary(1, a_line(0, sent=3), at=0),
        a_summary(2, a_line(-40, sent=7), at=0),
        a_summary(3, a_line(-90, sent=100), at=0),
        a_summary(4, a_line(-25 * 60, sent=1000), at=0),
    )
    assert told.level(window=Window.MINUTE).outgoing == 3
    assert told.level(window=Window.HOUR).outgoing == 10
    assert told.level(window=Window.DAY).outgoing == 110
    minutes = {one.minute: one.outgoing for one in told.snapshot().minutes}
    assert (minutes[after(0)], minutes[after(-40)], len(minutes)) == (3, 7, 60)


def test_windows_end_and_their_throughput_is_by_the_hour() -> None:
    told = Told().take(a_summary(1, a_line(entered=30, sent=12), at=0))
    minute = told.level(1.5, window=Window.MINUTE)
    assert (minute.since, minute.until) == (after(0), after(1))
    assert (minute.incoming_per_hour, minute.outgoing_per_hour) == (1800, 720)
    assert told.level(2, window=Window.MINUTE).incoming == 0
    assert told.level(59, window=Window.HOUR).incoming == 30
    assert told.level(60, window=Window.HOUR).incoming == 0
    assert told.level(23 * 60 + 59, window=Window.DAY).incoming == 30
    assert told.level(24 * 60, window=Window.DAY).incoming == 0


def test_times_are_means_and_errors_are_rated_by_what_came_in() -> None:
    told = Told().take(
        a_summary(
            1,
            a_line(entered=8, routed=4, sent=2, queue_ms=8000, processing_ms=3000),
            a_line(not_covered=1, expired=1, ignored=1, delivery_error=1, sending_ms=5000),
        )
    )
    level = told.level(channel="email", kind=KIND)
    assert (level.queue_seconds, level.processing_seconds, level.sending_seconds) == (2, 1.5, 2.5)
    assert (level.errors, level.error_rate) == (4, 0.5)
    late = Told().take(a_summary(1, a_line(delivery_error=3))).level()
    assert (late.error_rate, late.queue_seconds) == (1, None)
    assert Told().take(a_summary(1, a_line(queued=1))).level().error_rate is None


def test_the_queue_is_moved_by_changes_and_set_right_by_counts() -> None:
    told = Told().take(
        a_summary(1, a_line(queued=4), at=0),
        a_summary(2, a_line(queued=-10), at=0),
        a_summary(3, queue=[long(20)], at=1),
        a_summary(4, a_line(queued=30), at=1.5),
        a_summary(5, a_line(queued=-50), at=1.6),
        a_summary(6, queue=[], at=2),
    )
    level = told.level(3, channel="email", kind=KIND)
    assert (level.queued, level.queued_min, level.queued_max) == (0, 0, 50)
    assert level.queued_avg == 10
    assert told.level(2, window=Window.MINUTE).queued_max == 50
    assert told.take(a_summary(7, queue=[long(5)], at=3)).level(3).queued == 5


def test_made_up_types_are_bounded_and_keep_no_routed_one_from_being_shown() -> None:
    told = Told()
    for number in range(300):
        told.take(a_summary(number + 1, a_line(kind=f"spam.{number}", entered=1)))
    told.take(a_summary(301, a_line(routed=1, sent=1)), a_summary(302, queue=[long(9, "new")]))
    shown = {one.event_type for one in told.snapshot().levels}
    assert len(shown) <= views.MOST_UNROUTED + 3
    assert told.level(channel="email", kind=OTHER).incoming == 300 - views.MOST_UNROUTED
    assert told.level(channel="email", kind=OTHER).queued == 9
    assert told.level(channel="email", kind=KIND).outgoing == 1
    assert told.level().incoming == 300
    for number in range(300):
        told.take(a_summary(400 + number, a_line(kind=f"routed.{number}", routed=1)))
    assert len(contents(told.table)[views.TYPES]) == views.MOST_TYPES


def test_what_is_past_every_window_is_forgotten() -> None:
    told = Told().take(a_summary(1, a_line(entered=1), at=0))
    for number in range(2, 200):
        at = number * 15.0
        told.take(a_summary(number, a_line(at, kind="later", entered=1), at=at))
    parts = [name for name in told.table if ":" in name]
    assert len(parts) < 2 * 4 + 2 + 27
    assert f"email {KIND}" not in contents(told.table)[views.TYPES]


def test_what_is_no_summary_adds_nothing() -> None:
    table: dict[str, Any] = {}
    take(VIEW, table, Message(3, b"hello", [("ce_id", b"1")]))
    assert table == {"@0": 3}
    assert LevelWatch().snapshot(NOON) is None
