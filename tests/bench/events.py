"""How fast an event becomes a sent message: durable all along, into a real sink.

Every process runs on the same machine: PostgreSQL, Kafka, the sink and the sender of the events
take their part of its cores. What is compared is measured in one run.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from services.cli.catalogue import find
from shared.service import open_runtime
from tests.bench.delivery import ROOT, percentile
from tests.bench.eventing import SOURCE, Center, center
from tests.bench.intake import intake
from tests.bench.mailing import Site
from tests.bench.processes import cpu_of, server_pids, smtp_sink
from tests.bench.replaying import figures_of, replay
from tests.bench.results import Figure
from tests.servers import Servers
from tests.waiting import eventually
from topics.names import EVENTS_BATCH
from topics.outside import event_id

BOUND: Final = "two cores, shared with PostgreSQL, Kafka, the sink and the sender of the events"
FLOOR: Final = 1_000.0
GOAL: Final = 2_000.0
PROBE: Final = 75_000
"""Events of the burst: so many that the database vacuums and analyses what it grows meanwhile."""
SUSTAINED_SECONDS: Final = 300
SHARE: Final = 0.65
"""The rate that is kept up, of that of the burst, which is worked off in larger batches."""
ABOVE_FLOOR: Final = 1.02 * FLOOR
"""A rate that holds the floor is asked for, if that much was worked off in the burst or not."""
LOOK_EVERY: Final = 5
"""Seconds between two counts of all events, which cost the server more the more there are."""
LATENCY_A_SECOND: Final = 300
LATENCY_SECONDS: Final = 15
WARM_SECONDS: Final = 5
"""So long events go through before a campaign starts and times are taken: servers are just up."""
CAMPAIGN: Final = 100_000
FLOOD: Final = 30_000
"""Batch events that wait when real-time ones come: more than are worked off meanwhile."""
BESIDE_FLOOD_A_SECOND: Final = 200
P99_MS: Final = 1_000.0


@dataclass
class Pace:
    """A steady rate and what was waiting at each look."""

    offered_per_s: float
    worked_off_per_s: float
    backlog: list[int] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """What was kept up: the rate that was offered, or what was worked off of it."""
        return self.offered_per_s if self.is_flat else self.worked_off_per_s

    @property
    def is_flat(self) -> bool:
        """Whether no more waits in the last third than in the first, and two seconds' at most.

        Half a second's more may be chance.
        """
        third = len(self.backlog) // 3
        first, last = statistics.mean(self.backlog[:third]), statistics.mean(self.backlog[-third:])
        return last <= min(first + self.offered_per_s / 2, 2 * self.offered_per_s)


async def measure(
    servers: Servers, *, seconds: int, replayed: int, alone: bool = False
) -> list[Figure]:
    """Measure Message Center: a sustained rate, times beside a campaign, doors, a replay.

    ``alone``: the sustained rate and nothing else.
    """
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        figures = await _sustained(servers, Path(name), seconds)
        if alone:
            return figures
        figures += await _times(servers, Path(name))
        figures += await _times_beside_batch(servers, Path(name))
        figures += await intake(servers, Path(name))
    if replayed:
        figures += figures_of(await replay(servers, replayed), replayed)
    return figures


async def _sustained(servers: Servers, folder: Path, seconds: int) -> list[Figure]:
    with smtp_sink() as sink:
        async with center(servers, folder, sink) as made:
            await made.ready()
            burst = await _burst(made, PROBE)
            pids = {name: [one.process.pid] for (name, _), one in made.rig.workers.items()}
            pids |= {"sink": [sink.pid]} | server_pids(ROOT)
            before = cpu_of(pids)
            per_s = min(max(burst * SHARE, ABOVE_FLOOR), 1.1 * GOAL)
            pace = await _keep_up(made, per_s, seconds, first=PROBE)
            spent = {name: used - before[name] for name, used in cpu_of(pids).items()}
    return [
        Figure("events.burst_per_s", "events/s", [burst], None, BOUND),
        Figure("events.sustained_per_s", "events/s", [pace.per_s], FLOOR, BOUND),
        Figure("events.offered_per_s", "events/s", [pace.offered_per_s], None, BOUND),
        Figure(
            "events.sustained_backlog", "events", [float(one) for one in pace.backlog], None,
            f"what is on its way at the rate, looked at every {LOOK_EVERY} s",
        ),
        *(
            Figure(f"events.{name}_millicores", "cores/1000", [1000 * used / seconds], None, BOUND)
            for name, used in spent.items()
        ),
    ]  # fmt: skip


async def _burst(made: Center, count: int) -> float:
    """Return at which rate a burst is worked off."""
    began = time.perf_counter()
    for number in range(count):
        made.push(number)
    await made.flush()
    await _sent(made, count, seconds=300)
    return count / (time.perf_counter() - began)


async def _sent(made: Center, count: int, *, seconds: float) -> None:
    async def all_sent() -> bool:
        return await made.count("sent") >= count

    # Counted seldom: the server's cores are what is measured.
    await eventually(all_sent, seconds=seconds, what=f"{count} sent events", every=0.5)


async def _keep_up(made: Center, per_s: float, seconds: int, *, first: int) -> Pace:
    """Push events at a rate; return it with what was waiting meanwhile; all must be sent then."""
    backlog: list[int] = []
    pushed, looked, began = 0, 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        while pushed < elapsed * per_s:
            made.push(first + pushed)
            pushed += 1
        made.producer.poll(0)
        if elapsed >= looked + LOOK_EVERY:
            looked += LOOK_EVERY
            backlog.append(first + pushed - await made.count("sent"))
        await asyncio.sleep(0.01)
    await made.flush()
    took = time.perf_counter() - began
    left = first + pushed - await made.count("sent")
    await _sent(made, first + pushed, seconds=120)
    return Pace(pushed / took, (pushed - left) / took, backlog)


async def _times(servers: Servers, folder: Path) -> list[Figure]:
    """Return how long events take while a campaign runs: from their sending to their outcome.

    The outcome is written after the mail server's answer, so it is a little late.
    """
    with smtp_sink() as sink:
        async with center(servers, folder, sink) as made:
            await made.ready()
            delivery = find("delivery")
            settings = made.rig.instance.settings(delivery.settings)
            runtime = await open_runtime(delivery, settings)
            owner = await asyncpg.connect(made.rig.instance.database_url)
            try:
                site = Site(runtime, owner, {}, folder)
                campaign = await site.approved(CAMPAIGN)
                warm = await _at_a_rate(made, LATENCY_A_SECOND, WARM_SECONDS)
                await runtime.execute(campaign.start())
                await eventually(lambda: site.sent(campaign), seconds=60, what="the first mail")
                sent_at = await _at_a_rate(made, LATENCY_A_SECOND, LATENCY_SECONDS)
                under_way = await site.sent(campaign) < campaign.count
            finally:
                await owner.close()
            await _sent(made, len(warm) + len(sent_at), seconds=120)
            times = await _until_outcomes(made, sent_at)
            await runtime.pool.close()
    assert under_way, "the campaign ended too soon: give it more messages"
    waits = f"a campaign of {CAMPAIGN:,} beside {LATENCY_A_SECOND} events/s"
    return [
        Figure("events.p50_ms", "ms", [percentile(times, 0.5)], None, waits),
        Figure("events.p99_ms", "ms", [percentile(times, 0.99)], P99_MS, waits),
    ]


async def _times_beside_batch(servers: Servers, folder: Path) -> list[Figure]:
    """Return how long real-time events take while batch events wait before them."""
    with smtp_sink() as sink:
        async with center(servers, folder, sink) as made:
            await made.ready()
            warm = await _at_a_rate(made, BESIDE_FLOOD_A_SECOND, WARM_SECONDS)
            await _sent(made, len(warm), seconds=60)
            for number in range(FLOOD):
                made.push(number, topic=EVENTS_BATCH)
                made.producer.poll(0)
            await made.flush()
            sent_at = await _at_a_rate(made, BESIDE_FLOOD_A_SECOND, LATENCY_SECONDS)
            left = len(warm) + len(sent_at) + FLOOD - await made.count("sent")
            await _sent(made, len(warm) + len(sent_at) + FLOOD, seconds=300)
            times = await _until_outcomes(made, sent_at)
    assert left > len(sent_at), "the batch events were worked off too soon: give it more"
    waits = f"{FLOOD:,} batch events beside {BESIDE_FLOOD_A_SECOND} events/s"
    return [
        Figure("events.beside_batch_p50_ms", "ms", [percentile(times, 0.5)], None, waits),
        Figure("events.beside_batch_p99_ms", "ms", [percentile(times, 0.99)], P99_MS, waits),
    ]


async def _until_outcomes(made: Center, sent_at: Mapping[str, float]) -> list[float]:
    """Return how many milliseconds after its sending each event's outcome was written."""
    rows = await made.rig.rows(
        "SELECT run_id, extract(epoch FROM outcome_at)::float8 AS at"
        " FROM delivery.ledger WHERE urgent"
    )
    ended = {row["run_id"]: row["at"] for row in rows}
    return [1000 * (ended[event_id(SOURCE, ce_id)] - at) for ce_id, at in sent_at.items()]


async def _at_a_rate(made: Center, per_s: int, seconds: int) -> dict[str, float]:
    """Push events at a rate; return when each was, in seconds since the epoch."""
    sent_at, began = {}, time.perf_counter()
    for number in range(per_s * seconds):
        sent_at[made.push(number)] = time.time()
        made.producer.poll(0)
        await asyncio.sleep(max(0.0, began + (number + 1) / per_s - time.perf_counter()))
    await made.flush()
    return sent_at
