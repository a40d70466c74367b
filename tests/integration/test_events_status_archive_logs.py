"""The archive's logs: each step brings what the next names, whatever the order of messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.events_status.app import SERVICE
from services.events_status.archive.pointers import Stage
from services.events_status.erase import erase
from services.events_status.purge import purge_events
from services.events_status.statistics import count_events
from shared.clock import DrivenClock
from shared.ids import recipient_key
from shared.service import Runtime
from shared.uow import Work
from shared.workflows import Step
from tests.conftest import Open
from tests.integration.events_story import ADDRESS, KIND, broken, know_operators
from tests.integration.test_events_status_archive import DEFAULT, MONDAY, NOW, archived
from tests.integration.test_events_status_archive import lines as archive_lines
from tests.integration.test_events_status_rows import TEMPLATE, link, say, step, take
from tests.integration.test_events_status_steering import ends, exhausted, lines
from topics.bounces import (
    AddressQuarantined,
    AddressReleased,
    AddressStatus,
    ErrorReason,
    QualificationStatus,
    Severity,
)
from topics.delivery import Channel, Outcome
from topics.events import EventStatusChanged
from topics.logs import (
    AnswerKind,
    AnswersLogged,
    LoggedAnswer,
    LoggedTracking,
    LoggedUrl,
    Qualification,
    TrackingLogged,
)
from topics.message import Actor, Via

UNKNOWN = "550 5.1.1 user unknown"
CONTENT = "5" * 64
PERSON = Actor(id=str(uuid4()), via=Via.WEB)


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(NOW)


@pytest.fixture
async def runtime(open_service: Open, clock: DrivenClock) -> Runtime:
    opened = await open_service(SERVICE, clock, MUSTER_ZONE="Europe/Paris")
    await know_operators(opened)
    await opened.execute(link(KIND, TEMPLATE))
    return opened


def meaning(text: str = UNKNOWN, reason: ErrorReason = ErrorReason.USER_UNKNOWN) -> Qualification:
    return Qualification(
        text=text, reason=reason, severity=Severity.HARD, status=QualificationStatus.KEEP
    )


def answers(*events: UUID, at: datetime = NOW, means: Qualification | None = None) -> AnswersLogged:
    return AnswersLogged(
        batch_id=uuid4(),
        qualifications=(means or meaning(),),
        answers=tuple(
            LoggedAnswer(message_id=event, text=UNKNOWN, kind=AnswerKind.BOUNCE, at=at)
            for event in events
        ),
        at=at,
    )


def followed(*events: UUID) -> TrackingLogged:
    return TrackingLogged(
        batch_id=uuid4(),
        urls=(
            LoggedUrl(
                content_hash=CONTENT, number=4, kind=1, url="https://shop.example/", label="Order"
            ),
        ),
        entries=tuple(
            LoggedTracking(
                tracking_id=uuid4(),
                message_id=event,
                content_hash=CONTENT,
                number=4,
                kind=1,
                at=NOW,
                is_machine=False,
            )
            for event in events
        ),
        at=NOW,
    )


async def rows(runtime: Runtime, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    found = await runtime.pool.fetch(f"SELECT {columns} FROM {table} ORDER BY 1")
    return [tuple(row) for row in found]


async def next_step(runtime: Runtime) -> str:
    return str(await runtime.pool.fetchval("SELECT step FROM archive_pointers WHERE is_next"))


async def test_the_steps_are_done_in_their_order_and_go_on_where_they_were_left(
    runtime: Runtime,
) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.FAILED)
    await runtime.execute(answers(event))
    await runtime.execute(followed(event))
    seen = []
    for _ in Stage:
        found, _ = await step(runtime, DEFAULT)
        seen.append((await next_step(runtime), found.rows_in, found.more))
    assert seen == [
        ("qualifications", 1, True),
        ("delivery_logs", 1, True),
        ("urls", 2, True),  # the outcome, and what the server said
        ("tracking_logs", 1, True),
        ("quarantine", 1, True),
        ("events", 0, False),
    ]
    assert await rows(runtime, "archived_answers", "event_id, kind") == [(event, "bounce")]
    assert await rows(runtime, "archived_tracking_logs", "event_id, number") == [(event, 4)]
    assert await broken(runtime) == []


async def fails(work: Work) -> Step:
    found = await DEFAULT(work)
    await work.connection.execute("SELECT 1 / 0")
    return found


async def test_a_step_that_fails_leaves_its_pointer_and_its_rows_for_the_next(
    runtime: Runtime,
) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.SENT)
    await runtime.execute(followed(event))
    for stage in Stage:
        for _ in range(2):
            with pytest.raises(asyncpg.DivisionByZeroError):
                await step(runtime, fails)
        if stage is not Stage.EVENTS:  # the first has made the pointers
            assert await next_step(runtime) == stage
        await step(runtime, DEFAULT)
    assert await rows(runtime, "archived_tracking_logs", "event_id, number") == [(event, 4)]
    [reached] = await rows(runtime, "archived_delivery_logs", "event_id, outcome")
    assert reached == (event, "sent")


async def test_no_log_names_what_an_earlier_step_has_not_brought(runtime: Runtime) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.SENT)
    for _ in range(2):  # events and qualifications: there was none then
        await step(runtime, DEFAULT)
    await runtime.execute(answers(event))
    await runtime.execute(followed(event))
    await step(runtime, DEFAULT)
    assert await rows(runtime, "archived_delivery_logs", "outcome") == [("sent",)]
    assert await rows(runtime, "archived_answers") == []
    assert len(await rows(runtime, "incoming_answers")) == 1
    await exhausted(runtime, DEFAULT)
    await exhausted(runtime, DEFAULT)
    assert len(await rows(runtime, "archived_answers")) == 1
    assert await rows(runtime, "incoming_answers") == []


async def test_what_comes_before_its_event_is_archived_waits_and_a_stranger_is_let_go(
    runtime: Runtime,
) -> None:
    event = await take(runtime, "1")
    _, _ = await step(runtime, DEFAULT)
    await runtime.execute(answers(uuid4()))
    await runtime.execute(followed(uuid4()))
    assert await rows(runtime, "incoming_answers") == await rows(runtime, "incoming_tracking") == []
    await ends(runtime, event, Outcome.SENT)
    await runtime.execute(followed(event))
    await exhausted(runtime, DEFAULT)  # it was under way: its events were looked at before
    assert await rows(runtime, "archived_tracking_logs") == []
    await exhausted(runtime, DEFAULT)
    assert len(await rows(runtime, "archived_tracking_logs")) == 1


async def test_told_twice_or_late_nothing_changes_and_the_later_meaning_counts(
    runtime: Runtime,
) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.FAILED)
    first, links = answers(event), followed(event)
    by_person = answers(at=NOW + timedelta(hours=1), means=meaning(reason=ErrorReason.REFUSED))
    for message in (by_person, first, links):
        await runtime.execute(message)
    await exhausted(runtime, DEFAULT)
    before = [await rows(runtime, f"archived_{name}") for name in ("answers", "tracking_logs")]
    for message in (first, links):
        await runtime.execute(message)
    await exhausted(runtime, DEFAULT)
    after = [await rows(runtime, f"archived_{name}") for name in ("answers", "tracking_logs")]
    assert (after, [len(one) for one in after]) == (before, [1, 1])
    [reason] = await rows(runtime, "archived_qualifications", "reason")
    assert reason == (ErrorReason.REFUSED,)


async def test_quarantined_addresses_follow_three_hours_after_a_send(
    runtime: Runtime, clock: DrivenClock
) -> None:
    key = recipient_key(runtime.settings.secret, "email", ADDRESS)
    told = AddressQuarantined(
        recipient_key=key,
        channel=Channel.EMAIL,
        status=AddressStatus.QUARANTINE,
        reason=ErrorReason.USER_UNKNOWN,
        at=NOW,
    )
    await runtime.execute(told)
    await exhausted(runtime, DEFAULT)
    assert await rows(runtime, "archived_quarantine") == []  # nothing was sent
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.SENT)
    for hours, expected in ((0, []), (2, []), (1, [(key, "quarantine")])):
        clock.advance(timedelta(hours=hours))
        await exhausted(runtime, DEFAULT)
        assert await rows(runtime, "archived_quarantine", "recipient_key, status") == expected
    await runtime.execute(
        AddressReleased(recipient_key=key, channel=Channel.EMAIL, actor=PERSON, at=clock.now())
    )
    await runtime.execute(told)  # replayed
    await ends(runtime, await take(runtime, "2"), Outcome.SENT)
    await exhausted(runtime, DEFAULT)
    clock.advance(timedelta(hours=3))
    await exhausted(runtime, DEFAULT)
    assert await rows(runtime, "archived_quarantine", "status") == [("valid",)]
    async with runtime.uow.begin() as work:
        assert await erase(work, key, ADDRESS) >= 2
    assert await rows(runtime, "archived_quarantine") == []
    keys = await rows(runtime, "archived_events", "recipient_key")
    assert keys == [(None,), (None,)]


async def test_a_bounce_after_the_purge_changes_the_archive_and_the_statistics(
    runtime: Runtime, clock: DrivenClock
) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.SENT)
    await exhausted(runtime, DEFAULT)
    await exhausted(runtime, count_events)
    clock.advance(timedelta(days=32))
    await exhausted(runtime, purge_events)
    for _ in range(2):
        await say(runtime, event, Outcome.FAILED)
        found, said = await step(runtime, DEFAULT)
        while found != Step():
            changes = [one for one in said if isinstance(one, EventStatusChanged)]
            if changes:
                assert [(one.before, one.after) for one in changes] == [("sent", "delivery_error")]
            found, said = await step(runtime, DEFAULT)
        clock.advance(timedelta(hours=1))
    assert await archived(runtime) == {event: ("delivery_error", 4)}
    week = MONDAY + timedelta(days=35)
    assert await archive_lines(runtime) == {(week, TEMPLATE, "delivery_error", 1)}
    assert {one for one in await lines(runtime) if one[4]} == {
        (NOW.astimezone(UTC).date(), "email", KIND, "delivery_error", 1)
    }
    logs = await rows(runtime, "archived_delivery_logs", "at, outcome")
    assert [one[1] for one in logs] == ["sent", "failed", "failed"]
    assert await rows(runtime, "late_outcomes") == []
