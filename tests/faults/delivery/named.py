"""Faults of the delivery engine that have a name, each one run."""

from __future__ import annotations

import asyncio
import random
import smtplib
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.embedded.ports import free_port
from shared import kafka
from tests.bounce_mails import dsn
from tests.driving import Spawn
from tests.faults.brokers import DISK_BYTES, fill, own_servers, small_disk
from tests.faults.child import CLOCK_VARIABLE
from tests.faults.delivery.asked import PATIENCE_SECONDS
from tests.faults.delivery.draws import Draw, Strike
from tests.faults.delivery.lanes import Lane, lane
from tests.faults.delivery.playing import Playing, play
from tests.faults.delivery.receiver import HOST, Manners
from tests.faults.kinds import Kind
from tests.faults.scenario import Result
from tests.waiting import eventually

REBALANCES: Final = 100
JUMP_SECONDS: Final = 3 * 3600
COPIES, BOUNCED = 50, 10
BOUNCE_DOMAIN: Final = "bounces.example.org"
SLOW: Final = Manners(delay_seconds=0.02)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault with a name.

    Attributes:
        also: what happens beside the run.
        needs: variables its processes get besides, from the lane.
        servers: whether it restarts servers, which other lanes may share.
    """

    drawn: Draw
    also: Callable[[Playing], Awaitable[None]] | None = None
    needs: Callable[[Lane], dict[str, str]] = field(default=lambda _: {})
    servers: bool = False

    async def play(self, made: Lane) -> Result:
        """Play it in a lane."""
        return await play(made, self.drawn, also=self.also, environment=self.needs(made))


def drawn(
    title: str, *strikes: Strike, people: int = 200, manners: Manners = SLOW, **more: bool | int
) -> Draw:
    """Return a run about a fault with a name."""
    return Draw(
        seed=1,
        strikes=strikes,
        manners=manners,
        people=people,
        singles=10,
        window=10,
        title=title,
        **more,  # type: ignore[arg-type]  # what Draw has
    )


async def restart_database(playing: Playing) -> None:
    """Restart PostgreSQL while mails leave."""
    cluster = playing.lane.servers.cluster
    assert cluster is not None, "the servers are not ours to restart"
    await playing.under_way()
    await cluster.restart_postgres()
    playing.down_at = time.monotonic()


async def restart_broker(playing: Playing) -> None:
    """Restart Kafka while mails leave, and single messages are asked for."""
    cluster = playing.lane.servers.cluster
    assert cluster is not None, "the servers are not ours to restart"
    await playing.under_way()
    restarting = asyncio.create_task(cluster.restart_kafka())
    await playing.send_singles(20)
    await restarting
    playing.down_at = time.monotonic()


async def kill_a_broker(playing: Playing) -> None:
    """Kill one of three brokers for good while mails leave."""
    cluster = playing.lane.servers.cluster
    assert cluster is not None, "its own"
    await playing.under_way()
    await cluster.kill_broker(2)
    playing.down_at = time.monotonic()


async def fill_the_disk(playing: Playing) -> None:
    """Fill the disk under the broker's log while mails leave; make room once the broker halted."""
    cluster = playing.lane.servers.cluster
    assert cluster is not None, "its own"
    await playing.under_way()
    [broker] = cluster.brokers
    filler = await asyncio.to_thread(fill, cluster.root / "kafka", "filler")
    # Mails need no broker: single messages are what still has to come in through it.
    asking = asyncio.create_task(playing.send_singles(20))
    await eventually(lambda: broker.running() is None, seconds=60, what="the broker halting")
    filler.unlink()
    await cluster.restart_broker(broker.node)
    playing.down_at = time.monotonic()
    await asking


def rebalancing(times: int) -> Callable[[Playing], Awaitable[None]]:
    """Return what makes another consumer join and leave delivery's group, many times."""

    async def rebalance(playing: Playing) -> None:
        settings = playing.lane.door.settings
        topics = [topic.name for topic in playing.lane.door.registry.topics]
        for number in range(times):
            guest = kafka.consumer(settings, topics, group="muster.delivery", instance=None)
            await guest.start()
            with suppress(TimeoutError):
                await asyncio.wait_for(guest.getmany(timeout_ms=50), 5)
            await guest.stop()
            if number % 10 == 0:
                await playing.send_singles(1)
        playing.down_at = time.monotonic()

    return rebalance


async def jump(playing: Playing) -> None:
    """Set the service's clock three hours on while mails leave."""
    await playing.under_way()
    _clock(playing.lane).write_text(str(JUMP_SECONDS))
    playing.down_at = time.monotonic()


def _clock(made: Lane) -> Path:
    return made.rig.folder / "clock"


async def pause_one_of_two(playing: Playing) -> None:
    """Pause the first campaign; a second one starts meanwhile, and ends before it goes on."""
    async with playing.paused():
        [first] = playing.campaigns
        second = await playing.start_campaign()
        ended = "SELECT state = 'finished' FROM delivery.runs WHERE run_id = $1"
        await eventually(
            lambda: playing.lane.rig.value(ended, second.run_id),
            seconds=PATIENCE_SECONDS,
            what="the other campaign's end",
        )
        assert not await playing.lane.rig.value(ended, first.run_id), "it was to be paused"
    playing.down_at = time.monotonic()


async def bounce(playing: Playing) -> None:
    """Send ten mails back, fifty times each and shuffled, while their campaign waits."""
    made, ledger = playing.lane, "SELECT count(*) FROM delivery.failures WHERE kind = 'bounce'"
    before = await made.rig.value(ledger)
    async with playing.paused():
        addresses = {one.address for one in playing.campaigns[0].people}
        mails = [one for one in made.receiver.kept if one.recipient in addresses][:BOUNCED]
        playing.meanwhile.bounced = {one.recipient for one in mails}
        copies = [
            (one.sender, f"X-Copy: {n}\r\n".encode() * (n % 2) + dsn(one.sender, one.recipient))
            for one in mails
            for n in range(COPIES)
        ]
        random.Random(playing.drawn.seed).shuffle(copies)
        port = int(playing.environment["BOUNCE_SMTP_PORT"])
        await asyncio.to_thread(_send_back, port, copies)
        await eventually(
            lambda: made.rig.value(
                "SELECT NOT EXISTS (SELECT 1 FROM delivery.inbound_mails WHERE handled_at IS NULL)"
                " AND NOT EXISTS (SELECT 1 FROM delivery.failures WHERE NOT settled)"
            ),
            seconds=PATIENCE_SECONDS,
            what="the bounces being read",
        )
        counted = await made.rig.value(ledger) - before
        assert counted == len(mails), f"I4 {len(mails)} mails bounced, {counted} were counted"
    playing.down_at = time.monotonic()


def _send_back(port: int, mails: list[tuple[str, bytes]]) -> None:
    with smtplib.SMTP(HOST, port, timeout=20) as client:
        for to, content in mails:
            client.sendmail("", [to], content)


def _bounces(_: Lane) -> dict[str, str]:
    return {"BOUNCE_DOMAIN": BOUNCE_DOMAIN, "BOUNCE_SMTP_PORT": str(free_port())}


FROZEN: Final = Strike("freeze", "sender.before_results", Kind.SLICE, 2)
CALLING: Final = Strike("freeze", "sender.before_call", Kind.SLICE, 15)
SCENARIOS: Final = {
    "frozen": Scenario(drawn("a sender frozen, woken once its successor is done", FROZEN)),
    "frozen early": Scenario(
        drawn("a sender frozen, woken beside its successor", CALLING, wakes_early=True)
    ),
    "clock": Scenario(
        drawn("the service's clock jumps 3 h", manners=Manners(deferred_share=0.3)),
        jump,
        lambda made: {CLOCK_VARIABLE: str(_clock(made))},
    ),
    "two": Scenario(drawn("two campaigns, one paused"), pause_one_of_two),
    "bounces": Scenario(
        drawn(f"{BOUNCED} bounces, {COPIES} times each and shuffled"), bounce, _bounces
    ),
    "opt-outs": Scenario(
        drawn(
            "1,000 of 3,000 people opt out in mid-run",
            people=3_000,
            manners=Manners(delay_seconds=0.004),
            opt_outs=1_000,
        )
    ),
    "rebalances": Scenario(drawn(f"{REBALANCES} rebalances in a run"), rebalancing(REBALANCES)),
    "database": Scenario(drawn("restart of PostgreSQL in mid-run"), restart_database, servers=True),
    "broker": Scenario(drawn("restart of the broker in mid-run"), restart_broker, servers=True),
}


async def play_broker_death(folder: Path, spawn: Spawn) -> Result:
    """Kill one of three brokers for good in mid-run."""
    async with (
        own_servers(folder / "servers", brokers=3) as servers,
        lane(servers, folder, spawn) as made,
    ):
        title = "one of three brokers killed for good in mid-run"
        return await Scenario(drawn(title), kill_a_broker).play(made)


async def play_full_disk(folder: Path, spawn: Spawn) -> Result:
    """Fill the disk under the broker's log in mid-run; takes root, for a disk of its own."""
    with small_disk(folder / "servers" / "kafka", size_bytes=DISK_BYTES):
        async with (
            own_servers(folder / "servers", brokers=1) as servers,
            lane(servers, folder, spawn) as made,
        ):
            title = "disk full under the broker's log in mid-run"
            return await Scenario(drawn(title), fill_the_disk).play(made)
