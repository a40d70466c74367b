"""What a record means to a consumer, and which messages are handled together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.batch import Broken, Item, in_runs, read
from shared.errors import Permanent
from shared.kafka import Record
from shared.registry import Entry, Intake, Registry, Taken
from shared.uow import Work
from tests.records import record_of
from topics.cloudevents import Envelope
from topics.message import Message
from topics.names import EVENTS_REALTIME, TARGETING_COMMANDS, TARGETING_EVENTS
from topics.targeting import CountTarget, TargetCounted, TargetCounts

COUNT = CountTarget(campaign_id=UUID(int=1), targeting_id=UUID(int=2))
COUNTED = TargetCounted(campaign_id=UUID(int=1), targeting_id=UUID(int=2), counts=TargetCounts())


async def nothing(_message: object, _work: Work) -> None:
    """Handle nothing."""


async def nothing_batched(_messages: Sequence[Message], _work: Work) -> None:
    """Handle nothing, together."""


def read_order(envelope: Envelope) -> str:
    if not envelope.type.startswith("order."):
        raise Permanent("is no order")
    return envelope.type


async def take(_events: Sequence[Taken[str]], _work: Work) -> None:
    """Handle nothing, of an intake topic."""


INTAKE = Intake(read_order, take)


def registry() -> Registry:
    made = Registry()
    made.on(CountTarget)(nothing)
    made.on_batch(TargetCounted)(nothing_batched)
    made.on_topic(EVENTS_REALTIME, read_order)(take)
    return made


def record(message: Message, *, topic: str | None = None, **changes: bytes) -> Record:
    key, headers, value = record_of(message)
    found = {**dict(headers), **changes}
    return Record(topic or message.topic.name, 0, 1, key.decode(), list(found.items()), value)


def test_a_message_of_ours_comes_with_its_handler() -> None:
    item = read(record(COUNT), registry())
    assert isinstance(item, Item)
    assert item.message == COUNT
    assert item.entry is not None
    assert item.identity == ("/test", item.envelope.id)


def test_a_message_that_is_not_handled_here_is_skipped() -> None:
    assert read(record(COUNT), Registry()) is None


def test_an_unknown_type_is_broken_where_somebody_waits_and_skipped_elsewhere() -> None:
    newer = b"muster.targeting.count_target.v9"
    broken = read(record(COUNT, ce_type=newer), registry())
    assert isinstance(broken, Broken)
    assert broken.reason == "unknown message type 'muster.targeting.count_target.v9'"
    assert read(record(COUNTED, ce_type=newer), registry()) is None


def test_a_message_on_the_wrong_topic_is_broken() -> None:
    broken = read(record(COUNT, topic=TARGETING_EVENTS.name), registry())
    assert isinstance(broken, Broken)
    assert "does not belong on this topic" in broken.reason


def test_a_tombstone_is_nobodys_business_but_an_intakes() -> None:
    assert read(Record(TARGETING_COMMANDS.name, 0, 1, "k", [], b""), registry()) is None
    assert isinstance(read(Record(EVENTS_REALTIME.name, 0, 1, "k", [], b""), registry()), Broken)


def test_an_intake_topic_takes_any_type_as_it_is_read_there() -> None:
    event = record(COUNT, topic=EVENTS_REALTIME.name, ce_type=b"order.confirmed")
    item = read(event, registry())
    assert isinstance(item, Item)
    assert item.message == "order.confirmed"
    assert item.intake == INTAKE


def test_what_an_intake_cannot_read_is_broken_with_its_reason() -> None:
    event = record(COUNT, topic=EVENTS_REALTIME.name, ce_type=b"something.else")
    assert read(event, registry()) == Broken(event, "is no order", outside=True)


@pytest.mark.parametrize("value", [b"", b"[]", b"\xff", b"{}"])
def test_a_body_that_does_not_fit_is_broken_or_a_tombstone(value: bytes) -> None:
    key, headers, _ = record_of(COUNT)
    found = read(Record(COUNT.topic.name, 0, 1, key.decode(), headers, value), registry())
    assert found is None if value == b"" else isinstance(found, Broken)


ENTRIES = [
    Entry(nothing),
    Entry(nothing_batched, batched=True),
    Entry(nothing_batched, batched=True),
]


def item(which: int) -> Item:
    envelope = Envelope(source="/x", id="1", type="t", time=None, data=b"")
    entry = ENTRIES[which] if which < len(ENTRIES) else None
    intake = None if entry else INTAKE
    return Item(Record("t", 0, 0, None, [], b""), envelope, None, entry, intake)


def together(one: Item) -> object:
    """What a run of it has in common; nothing when it is handled by itself."""
    return one.intake or (one.entry if one.entry and one.entry.batched else None)


@given(st.lists(st.integers(0, 3), max_size=30))
def test_runs_keep_the_order_and_hold_one_batched_type_or_intake_each(kinds: list[int]) -> None:
    items = [item(which) for which in kinds]
    runs = list(in_runs(items))
    assert [one for run in runs for one in run] == items
    for run in runs:
        assert len(run) == 1 or {id(together(one)) for one in run} == {id(together(run[0]))}
        assert len(run) == 1 or together(run[0]) is not None
    for first, second in itertools.pairwise(runs):
        one, other = together(first[-1]), together(second[0])
        assert one is None or one is not other, "two runs that belong together"
