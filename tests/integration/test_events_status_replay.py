"""Two thousand events sent for real: topics read again, an archive made anew, change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from confluent_kafka import Producer

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.app import SERVICE as DELIVERY
from services.events_status.app import SERVICE as EVENTS
from services.events_status.archive.rebuilding import rebuild
from services.events_status.statistics import count_events
from shared import kafka
from shared.service import Runtime
from tests.conftest import Open
from tests.faults.replays import behind, rewind
from tests.instances import make_topics
from tests.integration.delivery_harness import Case, Catcher, add_operators
from tests.integration.events_story import (
    KIND,
    MANAGER,
    SOURCE,
    WRITTEN,
    actor,
    binary,
    broken,
    data,
    know_operators,
)
from tests.integration.test_core import running, send
from tests.integration.test_delivery_kafka import EMITTED
from tests.integration.test_events_status_archive import DEFAULT
from tests.integration.test_events_status_rows import link
from tests.integration.test_events_status_steering import exhausted
from tests.waiting import eventually
from topics.events import ControlEvent, EventControl
from topics.names import EVENTS_BATCH, EVENTS_REALTIME, EVENTS_STATE, EVENTS_STATUS
from topics.outside import event_id

COUNT = 2_000
Place = tuple[Runtime, Runtime]


@asynccontextmanager
async def at_work(open_service: Open, catcher: Catcher) -> AsyncIterator[Place]:
    """Run both services over one instance until the block ends."""
    delivery = await open_service(DELIVERY, SMTP_PORT=str(catcher.port))
    events = await open_service(EVENTS)
    topics = {*events.topics, *delivery.topics}
    await make_topics(events.settings, *topics | set(WRITTEN) | set(EMITTED))
    async with running(delivery), running(events):
        yield events, delivery


def push(runtime: Runtime) -> None:
    """Have an outside system send the events, some to nobody, some uncovered, some twice."""
    producer = Producer({"bootstrap.servers": runtime.settings.kafka_bootstrap, "linger.ms": 20})
    for number in [*range(COUNT), *range(0, COUNT, 10)]:
        address = f"gone{number}@x.example" if number % 50 == 7 else f"a{number}@x.example"
        kind = "unheard.of" if number % 50 == 9 else KIND
        topic = EVENTS_BATCH if number % 2 else EVENTS_REALTIME
        producer.produce(
            runtime.settings.kafka_namespace + topic.name,
            value=data(address),
            headers=dict(binary(str(number), kind=kind)),
            key=str(number),
        )
    assert producer.flush(30) == 0


async def over(runtime: Runtime, count: int) -> bool:
    found = await runtime.pool.fetchval(
        "SELECT count(*) FROM events WHERE status NOT IN ('pending', 'pending_delivery')"
    )
    return bool(found == count)


async def published(runtime: Runtime) -> int:
    """Return how many records the topics of statuses hold."""
    client = kafka.reader(runtime.settings, [EVENTS_STATUS.name, EVENTS_STATE.name])
    await client.start()
    try:
        return sum((await client.end_offsets(client.assignment())).values())
    finally:
        await client.stop()


async def effects(place: Place, catcher: Catcher) -> dict[str, Any]:
    """Return all that must stay as it is."""
    events, delivery = place
    statuses = await events.pool.fetch("SELECT event_id, status, version FROM events")
    return {
        "statuses": {row["event_id"]: (row["status"], row["version"]) for row in statuses},
        "history": await events.pool.fetchval("SELECT count(*) FROM event_history"),
        "outcomes": await events.pool.fetchval("SELECT count(*) FROM outcomes"),
        "attempts": await delivery.pool.fetchval("SELECT count(*) FROM attempts"),
        "mails": len(await catcher.store.after(0, 10 * COUNT)),
        "published": await published(events),
    }


async def read_all_again(place: Place) -> None:
    """Have both services, which are at rest, read all their topics from the beginning."""
    for runtime in place:
        for consumer in runtime.consumers:
            await rewind(runtime.settings, consumer.name, consumer.registry)


async def at_rest(place: Place) -> bool:
    """Whether both services have read and published everything, and no workflow has work."""
    for runtime in place:
        busy = await runtime.pool.fetchval(
            "SELECT EXISTS (SELECT 1 FROM outbox) OR EXISTS (SELECT 1 FROM workflow_wakes)"
        )
        if busy or any(
            [await behind(runtime.settings, one.name, one.registry) for one in runtime.consumers]
        ):
            return False
    return True


async def test_topics_read_again_and_a_rebuild_change_nothing_that_happened(
    open_service: Open, catcher: Catcher
) -> None:
    catcher.misbehave(FaultRule(action=Action.REFUSE_RECIPIENT, recipient="gone*", code=550))
    async with at_work(open_service, catcher) as place:
        events, delivery = place
        await add_operators(delivery)
        await know_operators(events)
        case = Case([])
        await delivery.execute(case.template(subject="Order", body="<p>{{ ctx.order }}</p>"))
        await events.execute(link(KIND, case.template_id))
        push(events)
        await eventually(partial(over, events, COUNT), seconds=120, what="all events being over")
        await send(events, *controls())
        await eventually(partial(over, events, COUNT + 1), what="the one that was sent again")
        await eventually(partial(at_rest, place), what="the services being at rest")
        before = await effects(place, catcher)
        await the_archive_is_made_anew(events)
    assert Counter(status for status, _ in before["statuses"].values()) == {
        "sent": COUNT - COUNT // 25 + 1,
        "delivery_error": COUNT // 50,
        "not_covered": COUNT // 50,
    }
    for forget in (False, True):
        place = await open_service(EVENTS), await open_service(DELIVERY)
        await read_all_again(place)
        if forget:
            for runtime in place:
                await runtime.pool.execute("TRUNCATE inbox")
        async with at_work(open_service, catcher) as place:
            await eventually(partial(at_rest, place), seconds=120, what="the replay's end")
            assert await effects(place, catcher) == before
            assert await broken(place[0]) == []
            assert await place[0].pool.fetchval("SELECT count(*) FROM inbox") > COUNT


def controls() -> list[ControlEvent]:
    """Return what people asked: refused pauses, and one event sent again."""
    pause, resend = EventControl.PAUSE, EventControl.RESEND
    asked = [(number, pause) for number in range(20)] + [(0, resend)]
    return [
        ControlEvent(event_id=event_id(SOURCE, str(number)), control=control, actor=actor(MANAGER))
        for number, control in asked
    ]


async def the_archive_is_made_anew(runtime: Runtime) -> None:
    """Rebuild archive and statistics of which a part was lost or spoilt, beside the service."""
    await exhausted(runtime, DEFAULT)
    await exhausted(runtime, count_events)
    before = [await rows(runtime, name) for name in REBUILT]
    assert len(before[0]) == COUNT + 1
    await runtime.pool.execute("DELETE FROM archived_events WHERE status <> 'delivery_error'")
    await runtime.pool.execute("UPDATE archived_events SET status = 'sent'")
    await runtime.pool.execute("TRUNCATE archived_deliveries")
    await runtime.pool.execute("UPDATE event_statistics SET events = 7")
    found = await rebuild(runtime.uow, runtime.settings)
    assert (found.events, found.archived) == (COUNT + 1, COUNT + 1)
    assert found.records > 2 * COUNT
    assert [await rows(runtime, name) for name in REBUILT] == before
    again = await rebuild(runtime.uow, runtime.settings)
    assert again.archived == 0
    assert [await rows(runtime, name) for name in REBUILT] == before
    assert await broken(runtime) == []
    assert await runtime.pool.fetchval("SELECT count(*) FROM rebuilt_states") == 0


REBUILT = {
    "archived_events": "event_id, seq, account, event_type, queue, channel, status, version,"
    " template_id, source, ce_id, received_at, changed_at, week, purged_at",
    "archived_deliveries": "week, template_id, channel, event_type, status, events",
    "event_statistics": "day, channel, event_type, status, events, purged",
}


async def rows(runtime: Runtime, table: str) -> set[tuple[Any, ...]]:
    where = " WHERE events <> 0" if table == "archived_deliveries" else ""
    found = await runtime.pool.fetch(f"SELECT {REBUILT[table]} FROM {table}{where}")
    return {tuple(row) for row in found}
