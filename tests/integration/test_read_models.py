"""Read models are refilled from topics with no effect but their tables; topics are checked."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiokafka.admin import NewTopic

from shared import kafka, topics_admin
from shared.registry import Registry
from shared.service import Runtime, Service
from shared.topics_admin import acl_commands
from shared.uow import Work
from shared.views import SenderWired, View, rebuild
from tests.conftest import Open
from tests.instances import Instance, make_topics
from tests.integration.test_core import send
from topics.names import CAMPAIGN_STATE, EVENTS_BATCH, EVENTS_REALTIME, TARGETING_EVENTS
from topics.targeting import TargetCounted, TargetCounts, TargetRefused

VIEW = View("counts", ("timers",), (TargetCounted,))


class Book:
    """A read model of counts, kept in the core's timers table; it may be told to publish."""

    def __init__(self) -> None:
        self.talks = False
        self.registry = Registry()
        self.registry.on(TargetCounted)(self._note)
        self.registry.on(TargetRefused)(self._other)

    async def _note(self, event: TargetCounted, work: Work) -> None:
        await work.connection.execute(
            "INSERT INTO timers VALUES ('count', $1, $2, '{}')"
            " ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at",
            str(event.campaign_id),
            work.now,
        )
        if self.talks:
            work.emit(event)

    async def _other(self, _: TargetRefused, work: Work) -> None:
        work.emit(counted(uuid4()))


def counted(campaign: UUID) -> TargetCounted:
    return TargetCounted(campaign_id=campaign, targeting_id=uuid4(), counts=TargetCounts())


async def opened(open_service: Open, book: Book) -> Runtime:
    files = Path(__file__).parent / "no_migrations"
    runtime = await open_service(Service("targeting", book.registry, files))
    await make_topics(runtime.settings, TARGETING_EVENTS)
    return runtime


async def keys(runtime: Runtime) -> set[str]:
    return {row["key"] for row in await runtime.pool.fetch("SELECT key FROM timers")}


async def test_a_rebuild_drops_what_is_there_and_refills_it(open_service: Open) -> None:
    runtime = await opened(open_service, Book())
    campaigns = [uuid4() for _ in range(30)]
    refusal = TargetRefused(campaign_id=uuid4(), targeting_id=uuid4(), reason="no")
    await send(runtime, *(counted(campaign) for campaign in campaigns), refusal)
    await runtime.pool.execute("INSERT INTO timers VALUES ('count', 'wrong', now(), '{}')")
    taken = await rebuild(runtime.uow, runtime.registry, VIEW, runtime.settings)
    assert taken == 30, "messages that the view is not made of are left alone"
    assert await keys(runtime) == {str(campaign) for campaign in campaigns}
    assert await runtime.pool.fetchval("SELECT count(*) FROM outbox") == 0
    assert await rebuild(runtime.uow, runtime.registry, VIEW, runtime.settings) == 30
    assert len(await keys(runtime)) == 30


async def test_a_rebuild_whose_handler_would_publish_is_stopped(open_service: Open) -> None:
    book = Book()
    runtime = await opened(open_service, book)
    await send(runtime, counted(uuid4()))
    book.talks = True
    with pytest.raises(SenderWired, match="counts would publish TargetCounted"):
        await rebuild(runtime.uow, runtime.registry, VIEW, runtime.settings)
    assert await runtime.pool.fetchval("SELECT count(*) FROM outbox") == 0


def test_a_view_says_how_far_back_it_can_be_refilled() -> None:
    assert VIEW.topics == ("targeting.events.v1",)
    assert VIEW.reaches_back == TARGETING_EVENTS.retention


async def test_the_broker_is_brought_to_the_catalogue_and_compared_with_it(
    instance: Instance,
) -> None:
    settings = instance.settings()
    wrong = NewTopic(settings.kafka_namespace + CAMPAIGN_STATE.name, 1, 1)
    async with kafka.admin(settings) as client:
        await client.create_topics([wrong], timeout_ms=30_000)
    made = await topics_admin.apply(settings)
    assert CAMPAIGN_STATE.name not in made
    assert TARGETING_EVENTS.dead_letters.name in made
    assert await topics_admin.apply(settings) == []
    found = [str(difference.what) for difference in await topics_admin.check(settings)]
    assert found == ["has 1 partitions, wants 3", "cleanup.policy is delete, wants compact"]


async def test_a_topic_that_is_missing_is_said_to_be(instance: Instance) -> None:
    settings = instance.settings()
    found = await topics_admin.check(settings)
    assert {difference.what for difference in found} == {"is missing"}


def test_outside_producers_may_write_to_the_intake_topics_and_nothing_else() -> None:
    lines = acl_commands("broker:9092", producer="shop", services="muster")
    shop = [line for line in lines if "User:shop" in line]
    assert [line.rpartition("--topic ")[2] for line in shop] == [
        EVENTS_REALTIME.name,
        EVENTS_BATCH.name,
    ]
    assert all("--operation Write --operation Describe --topic" in line for line in shop)
    assert "--operation All" in lines[-1]
    assert "User:muster" in lines[-1]
