"""What the heartbeat view does with each record, on a table that is a plain mapping."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.workflows.views import VIEW
from shared.live_views import contents
from shared.live_views import take as take_into
from tests.records import record_of
from topics.names import HEARTBEATS, HEARTBEATS_CHANGELOG
from topics.workflows import WorkflowHeartbeat

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def take(table: dict[str, Any], message: Message) -> None:
    take_into(VIEW, table, message)


@dataclass
class Message:
    """What the view reads of Faust's message."""

    partition: int
    offset: int
    value: bytes
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def a_record(offset: int, *, seconds: float = 0, partition: int = 0) -> Message:
    beat = WorkflowHeartbeat(
        service="delivery",
        instance="one",
        names=("deliveryMgt",),
        interval_seconds=10,
        at=NOW + timedelta(seconds=seconds),
    )
    _, headers, value = record_of(beat, source="/muster/delivery")
    return Message(partition, offset, value, headers)


def test_the_changelog_is_the_topic_that_the_catalogue_lists() -> None:
    assert f"{VIEW.app_id}-{VIEW.table}-changelog" == HEARTBEATS_CHANGELOG.name
    assert HEARTBEATS_CHANGELOG.partitions == HEARTBEATS.partitions


def test_a_beat_is_kept_with_the_offset_it_came_at() -> None:
    table: dict[str, Any] = {}
    take(table, a_record(4))
    assert table["@0"] == 4
    assert (contents(table)["delivery"]["at"], contents(table)["delivery"]["beats"]) == (
        NOW.isoformat(),
        1,
    )


def test_a_replay_of_the_partition_changes_nothing() -> None:
    table: dict[str, Any] = {}
    records = [a_record(4), a_record(5, seconds=10), a_record(2, seconds=20, partition=1)]
    for record in records:
        take(table, record)
    before = dict(table)
    for record in records:
        take(table, record)
    assert table == before
    assert contents(table)["delivery"]["beats"] == 3


def test_an_offset_seen_before_is_not_read_again_even_when_it_says_something_else() -> None:
    table: dict[str, Any] = {}
    take(table, a_record(4))
    take(table, a_record(4, seconds=30))
    assert contents(table)["delivery"]["at"] == NOW.isoformat()


def test_a_record_that_is_no_heartbeat_is_passed_over() -> None:
    table: dict[str, Any] = {}
    take(table, Message(0, 7, b"hello", [("ce_id", b"1")]))
    assert table == {"@0": 7}
