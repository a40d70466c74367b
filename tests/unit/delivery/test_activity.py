"""The live picture: windows, and that a summary counts once however often it comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from services.delivery.domain.activity import (
    HOUR,
    MINUTE,
    NOTHING,
    Figures,
    Picture,
    add,
    in_last,
)
from services.delivery.views import SWEEP_EVERY, VIEW, put
from shared.live_views import contents, take
from tests.records import record_of
from topics.delivery import ActivityCounts, DeliveryActivity
from topics.names import DELIVERY_ACTIVITY, DELIVERY_ACTIVITY_CHANGELOG

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SENT: Figures = (10, 0, 1, 0, 0)
RUN = uuid4()


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_what_happened_leaves_the_minute_and_then_the_hour_but_not_the_total() -> None:
    picture = add(Picture(), SENT, NOON)
    assert in_last(picture, MINUTE, after(50)) == SENT
    assert in_last(picture, MINUTE, after(61)) == NOTHING
    assert in_last(picture, HOUR, after(3_590)) == SENT
    assert in_last(picture, HOUR, after(3_601)) == NOTHING
    assert picture.total == SENT


def test_windows_add_up_and_forget_their_oldest_buckets() -> None:
    picture = Picture()
    for second in range(0, 7_200, 20):
        picture = add(picture, SENT, after(second))
    assert picture.total[0] == 3_600
    assert len(picture.fine) <= 8
    assert len(picture.minutes) <= 62
    assert in_last(picture, HOUR, after(7_200))[0] == 1_800


def test_a_late_summary_counts_where_it_belongs() -> None:
    picture = add(add(Picture(), SENT, after(600)), SENT, NOON)
    assert in_last(picture, MINUTE, after(620)) == SENT
    assert in_last(picture, HOUR, after(620))[0] == 20
    assert add(picture, SENT, after(-9_000)).total[0] == 30
    assert picture.last_at == after(600).timestamp()


@dataclass
class Message:
    """What the view reads of Faust's message."""

    offset: int
    value: bytes
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    partition: int = 0


def a_summary(
    offset: int, sequence: int, *, source: str = "one", at: datetime = NOON, run: UUID = RUN
) -> Message:
    activity = DeliveryActivity(
        run_id=run, source=source, sequence=sequence, counts=ActivityCounts(sent=10), at=at
    )
    _, headers, value = record_of(activity, source="/muster/delivery")
    return Message(offset, value, headers)


def sent(table: dict[str, Any]) -> int:
    found: int = contents(table)[str(RUN)]["total"][0]
    return found


def test_the_changelog_is_the_topic_that_the_catalogue_lists() -> None:
    assert f"{VIEW.app_id}-{VIEW.table}-changelog" == DELIVERY_ACTIVITY_CHANGELOG.name
    assert DELIVERY_ACTIVITY_CHANGELOG.partitions == DELIVERY_ACTIVITY.partitions


def test_a_summary_sent_again_by_a_relay_counts_once() -> None:
    table: dict[str, Any] = {}
    for offset, sequence in enumerate((1, 2, 1, 2, 3)):
        take(VIEW, table, a_summary(offset, sequence))
    assert sent(table) == 30


def test_sources_are_numbered_each_for_itself() -> None:
    table: dict[str, Any] = {}
    for offset, source in enumerate(("one", "two", "one", "two")):
        take(VIEW, table, a_summary(offset, 1, source=source))
    assert sent(table) == 20


def test_killed_between_the_summary_and_its_offset_it_still_counts_once() -> None:
    table: dict[str, Any] = {}
    put(table, a_summary(7, 1))
    assert "@0" not in table
    take(VIEW, table, a_summary(7, 1))
    assert (sent(table), table["@0"]) == (10, 7)


def test_a_replay_of_the_partition_changes_nothing() -> None:
    table: dict[str, Any] = {}
    records = [a_summary(offset, offset + 1) for offset in range(5)]
    for record in records * 2:
        take(VIEW, table, record)
    assert sent(table) == 50


def test_what_is_no_summary_adds_nothing() -> None:
    table: dict[str, Any] = {}
    take(VIEW, table, Message(3, b"hello", [("ce_id", b"1")]))
    assert table == {"@0": 3}


def test_silent_sources_and_old_runs_are_forgotten() -> None:
    table: dict[str, Any] = {}
    old = uuid4()
    take(VIEW, table, a_summary(1, 1, run=old, at=NOON - timedelta(days=8)))
    take(VIEW, table, a_summary(2, 1, source="gone", at=NOON - timedelta(days=2)))
    take(VIEW, table, a_summary(SWEEP_EVERY, 1))
    assert str(old) not in table
    assert list(contents(table)[str(RUN)]["sources"]) == ["one"]
    assert sent(table) == 20
