"""``python -m tests.bench.replaying``: topics read again, and the archive made anew from them.

Events are sent for real first (Kafka, routing, SMTP, outcomes). Then both services read all their
topics from the beginning, with their inboxes emptied and with them kept, before a mail server that
counts who comes. Last, archive and statistics are rebuilt from the topic of states and compared
with counted rows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvloop

from services.cli.catalogue import find
from services.events_status.app import SERVICE
from services.events_status.archive.rebuilding import rebuild
from services.events_status.archive.synchronising import synchronise
from services.events_status.statistics import count_events
from shared import logs
from shared.service import Runtime, open_runtime
from tests.bench.delivery import ROOT
from tests.bench.eventing import SERVICES, Center, center
from tests.bench.processes import peak_mb, smtp_sink
from tests.bench.results import Figure, write
from tests.faults.replays import behind, rewind
from tests.servers import Servers, running_servers
from tests.waiting import eventually

COUNT: Final = 1_000_000
PER_SECOND: Final = 100
"""The least rate that is waited for: whatever is slower has come to a stop."""
LOOK_EVERY: Final = 2.0
_WITNESS: Final = """
SELECT count(*) AS events, sum(version)::bigint AS versions,
       sum(hashtextextended(event_id::text || status || version || changed_at, 0)) AS statuses,
       (SELECT count(*) FROM events_status.event_history) AS history,
       (SELECT count(*) FROM events_status.outcomes) AS outcomes,
       (SELECT count(*) FROM delivery.runs) AS runs,
       (SELECT count(*) FROM delivery.attempts) AS attempts
FROM events_status.events
"""
_DIFFERING: Final = """
SELECT count(*) FROM (
    SELECT (received_at AT TIME ZONE $1)::date AS day, channel, event_type, status, count(*) AS n
    FROM events_status.events GROUP BY 1, 2, 3, 4) rows
FULL JOIN events_status.event_statistics s USING (day, channel, event_type, status)
WHERE rows.n IS DISTINCT FROM s.events
"""
_ARCHIVE_DIFFERING: Final = """
SELECT count(*) FROM events_status.events e FULL JOIN events_status.archived_events a
    USING (event_id, status, version, channel, queue, event_type, template_id)
WHERE e.seq IS DISTINCT FROM a.seq
"""


class Callers:
    """A mail server's place, where nobody should come."""

    def __init__(self) -> None:
        self.seen = 0

    async def call(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a caller, and hang up."""
        self.seen += 1
        writer.close()


@asynccontextmanager
async def counting() -> AsyncIterator[tuple[Callers, int]]:
    """Listen where the mail server would be."""
    callers = Callers()
    server = await asyncio.start_server(callers.call, "127.0.0.1", 0)
    async with server:
        yield callers, server.sockets[0].getsockname()[1]


async def replay(servers: Servers, count: int) -> dict[str, float]:
    """Return the figures of a replay of ``count`` events; each has at least two states.

    ``…_per_s`` are records read and handled a second (an event, its message and its outcome each);
    memory is by how much the rebuild's peak was above that of its first tenth, in MB. What counts
    changes, mails and differing lines must be 0.
    """
    folder = ROOT / "replaying"
    folder.mkdir(parents=True, exist_ok=True)
    with smtp_sink() as sink:
        async with center(servers, folder, sink) as place, counting() as (callers, port):
            await place.ready()
            await _send(place, count)
            figures: dict[str, float] = {}
            before = await _witness(place)
            for name, forget in (("emptied", True), ("kept", False)):
                seconds, records = await _read_again(place, port, count, forget=forget)
                figures[f"events.replay_{name}_per_s"] = records / seconds
            after = await _witness(place)
            figures["events.replay_changes"] = sum(before[key] != after[key] for key in before)
            figures["events.replay_mails"] = callers.seen + after["attempts"] - before["attempts"]
            await place.rig.stop(*(place.rig.workers[name, 1] for name in SERVICES))
            return figures | await _made_anew(place)


def figures_of(found: dict[str, float], count: int) -> list[Figure]:
    """Return what a replay found as figures."""
    bound = f"{count:,} events read again"
    return [Figure(name, _unit(name), [value], None, bound) for name, value in found.items()]


def _unit(name: str) -> str:
    return "records/s" if name.endswith("_per_s") else "MB" if name.endswith("_mb") else "number"


async def _send(place: Center, count: int) -> None:
    for number in range(count):
        place.push(number)
        if number % 1_000 == 0:
            place.producer.poll(0)
            if len(place.producer) > 50_000:
                await place.flush()
    await place.flush()

    async def sent() -> bool:
        return await place.count("sent") == count

    seconds = 60 + count / PER_SECOND
    await eventually(sent, seconds=seconds, what="all events being sent", every=LOOK_EVERY)
    await place.rig.drained(*SERVICES, seconds=60 + count / PER_SECOND)


async def _witness(place: Center) -> dict[str, Any]:
    [row] = await place.rig.rows(_WITNESS)
    return row


async def _read_again(place: Center, port: int, count: int, *, forget: bool) -> tuple[float, int]:
    """Have both services read all again; return how long it took, and how many records it was."""
    rig = place.rig
    await rig.stop(*(rig.workers[name, 1] for name in SERVICES))
    readers = [reader for name in SERVICES for reader in find(name).registries.items()]
    for name, registry in readers:
        await rewind(rig.settings, name, registry)
    if forget:
        for name in SERVICES:
            await rig.owner.execute(f"TRUNCATE {name}.inbox")
    records = await rig.value("SELECT count(*) FROM events_status.events") * 3
    for name in SERVICES:
        rig.start(name, replica=1, SMTP_HOST="127.0.0.1", SMTP_PORT=str(port))
    await rig.ready(*SERVICES, seconds=90)
    began = time.monotonic()

    async def caught_up() -> bool:
        return not any([await behind(rig.settings, *reader) for reader in readers])

    seconds = 60 + 3 * count / PER_SECOND
    await eventually(caught_up, seconds=seconds, what="the replay's end", every=LOOK_EVERY)
    await rig.drained(*SERVICES, seconds=120)
    return time.monotonic() - began, records


async def _made_anew(place: Center) -> dict[str, float]:
    rig = place.rig
    runtime = await open_runtime(SERVICE, rig.instance.settings(SERVICE.settings))
    try:
        await _archived(runtime)
        for table in ("archived_events CASCADE", "archived_deliveries", "event_statistics"):
            await runtime.pool.execute(f"TRUNCATE {table}")
        seen, base = 0, 0.0
        expected = 2 * await rig.value("SELECT count(*) FROM events_status.events")

        def tell(records: int) -> None:
            nonlocal seen, base
            seen += records
            if not base and seen >= expected / 10:
                base = peak_mb(os.getpid())

        began = time.monotonic()
        found = await rebuild(runtime.uow, runtime.settings, tell)
        seconds = time.monotonic() - began
        zone = runtime.settings.muster_zone
        return {
            "events.replay_rows_per_s": found.records / seconds,
            "events.replay_rows": float(found.records),
            "events.replay_memory_growth_mb": peak_mb(os.getpid()) - base,
            "events.replay_aggregates_differing": await rig.value(_DIFFERING, zone),
            "events.replay_archive_differing": await rig.value(_ARCHIVE_DIFFERING),
        }
    finally:
        await runtime.pool.close()


async def _archived(runtime: Runtime) -> None:
    """Archive and count the usual way first, as an instance that lives would have done."""
    more = True
    while more:
        async with runtime.uow.begin() as work:
            more = (await synchronise(work, "default")).more
    more = True
    while more:
        async with runtime.uow.begin() as work:
            more = (await count_events(work)).more


def main() -> None:
    """Measure, write the figures beside those of ``muster bench events``, and print them."""
    parser = argparse.ArgumentParser(description="Read everything again, and make it anew.")
    parser.add_argument("--count", type=int, default=COUNT)
    count = parser.parse_args().count
    logs.configure(level="error", service="bench")
    with running_servers(Path(ROOT), durable=True) as servers:
        found = uvloop.run(replay(servers, count))
    command = f"python -m tests.bench.replaying --count {count}"
    write("events", command, figures_of(found, count), keep="events.")
    print(json.dumps(found, indent=2))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
