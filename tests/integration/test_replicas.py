"""Two replicas of a service share its work, and one that is killed under load costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import orjson
import pytest

from services.cli.replaying import members_of
from shared import kafka
from tests.driving import Rig, rig
from tests.faults.nursery import nursery
from tests.faults.telling import new_event_id
from tests.instances import fresh_instance
from tests.servers import Servers
from tests.waiting import eventually
from topics.names import EVENTS_REALTIME

SERVICE = "events_status"
EVENTS = 600
PARTS = 6


@pytest.fixture
async def made(servers: Servers, tmp_path: Path) -> AsyncIterator[Rig]:
    async with (
        fresh_instance(servers) as instance,
        nursery() as spawn,
        rig(instance, tmp_path, services=[SERVICE], spawn=spawn) as found,
    ):
        for replica in (1, 2):
            found.start(
                SERVICE,
                replica=replica,
                MUSTER_TEST_HANDLED=str(tmp_path / f"handled-{replica}"),
                CONSUMER_MAX_RECORDS="20",
            )
        await found.ready(SERVICE)
        yield found


async def publish(made: Rig, ids: Sequence[str]) -> None:
    """Publish an outside event for each id, a few in flight at a time."""
    for start in range(0, len(ids), 50):
        some = ids[start : start + 50]
        await asyncio.gather(*(_publish_one(made, event_id) for event_id in some))


async def _publish_one(made: Rig, event_id: str) -> None:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": "/shop.example",
        "ce_type": "parcel.lost",
        "content-type": "application/json",
    }
    await made.send_raw(
        EVENTS_REALTIME,
        event_id.encode(),
        [(name, value.encode()) for name, value in headers.items()],
        orjson.dumps({"email": "somebody@client.example"}),
    )


async def ended(made: Rig, count: int) -> None:
    """Wait until so many events have their end."""

    async def all_ended() -> bool:
        found = await made.value(
            "SELECT count(*) FROM events_status.events WHERE status = 'not_covered'"
        )
        return bool(found >= count)

    await eventually(all_ended, seconds=60, what=f"{count} events' ends")


def handled(made: Rig, replica: int) -> int:
    """Return how many records a replica handled."""
    path = made.folder / f"handled-{replica}"
    return sum(map(int, path.read_text().split())) if path.exists() else 0


async def both_working(made: Rig) -> int:
    """Publish events until each replica has had some, and its part; return how many."""
    start = [handled(made, replica) for replica in (1, 2)]
    published = 0

    async def each_had_some() -> bool:
        nonlocal published
        await publish(made, [new_event_id() for _ in range(PARTS)])
        published += PARTS
        await ended(made, published)
        return all(handled(made, i + 1) > start[i] for i in range(2))

    await eventually(each_had_some, what="events handled by each replica")
    return published


async def test_two_replicas_share_the_work_and_totals_are_equal_when_one_is_killed(
    made: Rig,
) -> None:
    assert EVENTS_REALTIME.partitions >= PARTS

    async def both_joined() -> bool:
        try:
            return len(await members_of(made.settings, SERVICE)) == 2
        except kafka.KafkaError:
            return False  # the first group of a new broker waits for its coordinator

    await eventually(both_joined, what="both replicas in the group")
    warm = await both_working(made)
    before = [handled(made, replica) for replica in (1, 2)]
    first = [new_event_id() for _ in range(EVENTS)]
    await publish(made, first)
    await ended(made, warm + EVENTS)
    shares = [handled(made, replica) - before[replica - 1] for replica in (1, 2)]
    assert min(shares) > 0.2 * sum(shares), shares

    second = [new_event_id() for _ in range(EVENTS)]
    publishing = asyncio.create_task(publish(made, second))
    await ended(made, warm + EVENTS + 50)
    made.workers[SERVICE, 2].kill()
    await publishing
    await ended(made, warm + 2 * EVENTS)
    counts = await made.rows(
        "SELECT count(*) AS events, count(DISTINCT ce_id) AS ids,"
        " (SELECT count(*) FROM events_status.event_history JOIN events_status.events"
        "  USING (event_id) WHERE ce_id = ANY ($1::text[])) AS changes,"
        " (SELECT count(*) FROM events_status.dead_letters) AS dead"
        " FROM events_status.events WHERE ce_id = ANY ($1::text[])",
        first + second,
    )
    assert counts == [{"events": 2 * EVENTS, "ids": 2 * EVENTS, "changes": 4 * EVENTS, "dead": 0}]
