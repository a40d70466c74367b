"""The registry, and what becomes of a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import pytest

from shared.errors import NotAllowed, Refused
from shared.registry import Intake, Registry, Taken, answer
from shared.testing import RecordedWork
from shared.uow import Work
from topics.cloudevents import Envelope
from topics.names import EVENTS_REALTIME
from topics.targeting import CountTarget, TargetCounted, TargetCounts, TargetRefused

COMMAND = CountTarget(campaign_id=uuid4(), targeting_id=uuid4())


def counted() -> TargetCounted:
    return TargetCounted(
        campaign_id=COMMAND.campaign_id, targeting_id=COMMAND.targeting_id, counts=TargetCounts()
    )


def refused(command: CountTarget, refusal: Refused) -> TargetRefused:
    return TargetRefused(
        campaign_id=command.campaign_id,
        targeting_id=command.targeting_id,
        reason=refusal.reason,
    )


async def refuse(_command: CountTarget, work: Work) -> None:
    work.emit(counted())
    raise NotAllowed("Max may not count")


async def test_a_refusal_is_answered_alone_and_kept_as_it_was_raised() -> None:
    registry, done = Registry(), RecordedWork(service="targeting")
    registry.on(CountTarget, refusal=refused)(refuse)
    done.emit(counted())
    entry = registry.entry(CountTarget)
    assert entry is not None
    await answer(entry, COMMAND, done)
    assert [type(one) for one in done.emitted] == [TargetCounted, TargetRefused]
    (refusal,) = done.refusals
    assert (type(refusal), refusal.code) == (NotAllowed, "not_allowed")


async def test_a_refusal_without_an_answer_is_raised() -> None:
    registry = Registry()
    registry.on(CountTarget)(refuse)
    entry = registry.entry(CountTarget)
    assert entry is not None
    with pytest.raises(NotAllowed):
        await answer(entry, COMMAND, RecordedWork(service="targeting"))


def test_a_message_has_one_handler_also_over_included_registries() -> None:
    registry, other = Registry(), Registry()
    registry.on(CountTarget)(refuse)
    other.on(CountTarget)(refuse)
    with pytest.raises(TypeError, match="CountTarget has two handlers"):
        registry.include(other)


def test_the_topics_follow_from_the_handlers() -> None:
    registry, other = Registry(), Registry()
    registry.on(CountTarget)(refuse)

    def read(envelope: Envelope) -> bytes:
        return envelope.data

    @other.on_topic(EVENTS_REALTIME, read)
    async def intake(_events: Sequence[Taken[bytes]], _work: Work) -> None:
        return

    registry.include(other)
    assert [topic.name for topic in registry.topics] == [
        "events.realtime.v1",
        "targeting.commands.v1",
    ]
    assert registry.intake("events.realtime.v1") == Intake(read, intake)
    assert registry.intake("targeting.commands.v1") is None
    assert registry.kinds == (CountTarget,)


def test_a_registry_that_gives_way_is_not_taken_into_one_that_does_not() -> None:
    with pytest.raises(TypeError, match="consumer of its own"):
        Registry().include(Registry(gives_way=True))
