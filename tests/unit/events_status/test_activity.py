"""Summaries: what changes add up to, and that each has a number of its own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any
from uuid import uuid4

from services.events_status.activity import Lanes, _shortened, lines_of
from services.events_status.domain import Move, Retries, Told, Tracked, copy_outcomes, move, put_off
from topics.delivery import Outcome
from topics.events import EventStatus
from topics.levels import MOST_LINES, OTHER, ActivityLine

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = NOON.replace(second=0)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def unborn(kind: str = "order.confirmed", channel: str = "email", **fields: Any) -> Tracked:
    wanted: Any = {"due_at": NOON, "channel": channel} | fields
    return Tracked(uuid4(), kind, None, NOON, None, 0, **wanted)


def course(event: Tracked, *steps: tuple[EventStatus, float]) -> list[Move]:
    moves: list[Move] = []
    for status, seconds in steps:
        moves.append(move(event, status, at=after(seconds)))
        event = moves[-1].event
    return moves


def only(line: ActivityLine) -> dict[str, int]:
    """Return the counts of a line that are not nothing."""
    numbers = line.model_dump(exclude={"channel", "event_type", "minute"})
    return {name: number for name, number in numbers.items() if number}


def test_an_event_is_counted_with_its_times_where_it_happened() -> None:
    taken = course(unborn(), (EventStatus.PENDING, 0))
    [line] = lines_of(taken)
    assert (line.minute, only(line)) == (MINUTE, {"queued": 1, "entered": 1})
    routed = course(taken[0].event, (EventStatus.PENDING_DELIVERY, 12))
    [line] = lines_of(routed)
    assert only(line) == {"queued": -1, "routed": 1, "queue_ms": 12_000}
    told = Told(routed[0].event.event_id, Outcome.SENT, "", after(15.5))
    copied = copy_outcomes(routed[0].event, [told], now=after(600))
    [line] = lines_of(copied)
    # It counts when the server took it, not when that was copied ten minutes later.
    assert line.minute == MINUTE
    assert only(line) == {"sent": 1, "processing_ms": 3_500, "sending_ms": 15_500}


def test_a_clock_that_is_ahead_makes_no_future_and_one_behind_no_negative_time() -> None:
    [_, routed] = course(unborn(), (EventStatus.PENDING, 0), (EventStatus.PENDING_DELIVERY, 9))
    for seconds, wanted in (
        (900, {"sent": 1, "processing_ms": 1_000, "sending_ms": 10_000}),
        (-20, {"sent": 1}),
    ):
        told = Told(routed.event.event_id, Outcome.SENT, "", after(seconds))
        [line] = lines_of(copy_outcomes(routed.event, [told], now=after(10)))
        assert only(line) == wanted
        assert line.minute <= MINUTE


def test_every_end_that_is_an_error_is_counted_by_its_name() -> None:
    ends = (EventStatus.NOT_COVERED, EventStatus.EXPIRED)
    for end in ends:
        [line] = lines_of(course(unborn(), (EventStatus.PENDING, 0), (end, 1)))
        assert only(line) == {"entered": 1, end.value: 1}
    for end in (EventStatus.IGNORED, EventStatus.DELIVERY_ERROR):
        steps = ((EventStatus.PENDING, 0), (EventStatus.PENDING_DELIVERY, 0), (end, 1))
        [line] = lines_of(course(unborn(), *steps))
        assert only(line) == {"entered": 1, "routed": 1, end.value: 1}


def test_a_pause_leaves_the_queue_and_is_no_time_in_it() -> None:
    moves = course(
        unborn(),
        (EventStatus.PENDING, 0),
        (EventStatus.PAUSED, 1),
        (EventStatus.PENDING, 20),
        (EventStatus.PENDING_DELIVERY, 22),
    )
    assert [lines_of([one])[0].queued for one in moves] == [1, -1, 1, -1]
    [line] = lines_of(moves)
    assert (line.entered, line.queue_ms) == (1, 2_000)


def test_a_scheduled_event_waits_in_nobodys_queue_and_its_wait_is_no_delay() -> None:
    due = after(3600)
    event = unborn(due_at=due)
    [taken] = course(event, (EventStatus.PENDING, 0))
    assert only(lines_of([taken])[0]) == {"entered": 1}
    ready = Tracked(
        event.event_id, "order.confirmed", None, NOON, EventStatus.PENDING, 1, "email", due, due
    )
    [routed] = course(ready, (EventStatus.PENDING_DELIVERY, 3603))
    assert only(lines_of([routed])[0]) == {"routed": 1, "queue_ms": 3_000}


def test_what_waits_for_its_next_try_is_out_of_the_queue_until_it_is_counted() -> None:
    retries = Retries(most=3, base_seconds=60)
    [taken, given] = course(unborn(), (EventStatus.PENDING, 0), (EventStatus.PENDING_DELIVERY, 1))
    for event, wanted in ((taken.event, -1), (given.event, 0)):
        failed = put_off(event, at=after(2), reason="no", retries=retries)
        assert lines_of([failed])[0].queued == wanted
        again = put_off(failed.event, at=after(90), reason="no", retries=retries)
        assert lines_of([again])[0].queued == 0
        [expired] = lines_of([put_off(again.event, at=after(900), reason="no", retries=retries)])
        assert (expired.expired, expired.queued) == (1, 0)


def test_lines_are_by_channel_type_and_minute_and_bounded() -> None:
    moves = [course(unborn(f"kind.{n}"), (EventStatus.PENDING, 0))[0] for n in range(500)]
    moves += course(unborn("kind.0", "sms"), (EventStatus.PENDING, 45))
    lines = lines_of(moves)
    assert sum(line.entered for line in lines) == 501
    assert len(lines) == MOST_LINES + 2
    [others, late] = [line for line in lines if line.event_type == OTHER]
    assert (others.entered, others.channel) == (500 - MOST_LINES, "email")
    assert (late.channel, late.minute) == ("sms", MINUTE + timedelta(minutes=1))


def test_the_longest_queues_are_told_by_type_the_rest_by_channel() -> None:
    told = _shortened({("email", f"kind.{n}"): n + 1 for n in range(MOST_LINES + 3)})
    assert {one.event_type: one.events for one in told}[OTHER] == 1 + 2 + 3
    assert len(told) == MOST_LINES + 1


async def test_tasks_side_by_side_have_lanes_of_their_own_and_give_them_back() -> None:
    lanes = Lanes()
    go = asyncio.Event()

    async def work() -> list[tuple[str, int]]:
        first = lanes.next()
        await go.wait()
        return [first, lanes.next()]

    tasks = [asyncio.create_task(work()) for _ in range(5)]
    await asyncio.sleep(0)
    go.set()
    found = [one for task in tasks for one in await task]
    assert len(set(found)) == 10
    sources = {source for source, _ in found}
    assert len(sources) == 5
    for _ in range(20):
        again = await asyncio.create_task(work())
        assert {source for source, _ in again} <= sources
        found += again
    assert len(set(found)) == 50
    for source in sources:
        numbers = [number for name, number in found if name == source]
        assert numbers == sorted(numbers)


FORKED = Lanes()


def told_of() -> tuple[str, int]:
    async def told() -> tuple[str, int]:
        return FORKED.next()

    return asyncio.run(told())


def test_a_forked_process_tells_under_a_name_of_its_own() -> None:
    ours = [told_of() for _ in range(2)]
    with get_context("fork").Pool(1) as pool:
        theirs = pool.apply(told_of)
    assert [number for _, number in ours] == [1, 2]
    assert theirs[1] == 1
    assert theirs[0] != ours[0][0]
