"""Faults of Kafka itself: a broker of three that dies for good, a disk that fills under the log."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from deploy.embedded.cluster import EmbeddedCluster
from tests.driving import open_process
from tests.faults.scenario import Result, Stage, open_stage
from tests.faults.story import Story
from tests.faults.telling import Teller
from tests.faults.world import SPINE, world
from tests.servers import QUICK, Servers
from tests.waiting import eventually

BROKER_DEATH = "one of three brokers killed for good in mid-run"
DISK_FULL = "disk full under the broker's log in mid-run"
DISK_BYTES = 1 << 30
ROOM_BYTES = 8 << 20


@asynccontextmanager
async def own_servers(root: Path, *, brokers: int) -> AsyncIterator[Servers]:
    """Yield embedded servers that nobody else uses."""
    cluster = EmbeddedCluster(root, brokers=brokers, postgres_settings=QUICK, detach=False)
    await cluster.start()
    try:
        yield Servers(
            cluster.kafka_bootstrap,
            cluster.database_url,
            cluster.smtp_host,
            cluster.smtp_port,
            cluster.mail_url,
            cluster,
        )
    finally:
        await cluster.stop()


@asynccontextmanager
async def own_stage(folder: Path, *, brokers: int) -> AsyncIterator[tuple[Stage, EmbeddedCluster]]:
    """Yield a stage over servers of its own, with their cluster."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    async with (
        own_servers(folder / "servers", brokers=brokers) as servers,
        world(servers, folder / "logs") as made,
    ):
        stage = await open_stage(made, SPINE)
        try:
            assert servers.cluster is not None
            yield stage, servers.cluster
        finally:
            await stage.journal.close()


async def play_broker_death(folder: Path, *, seed: int = 1) -> Result:
    """Run campaigns on three brokers, kill one for good once messages leave; check everything.

    The seed draws which. ``recovery_seconds`` is from the death to the last campaign's end.
    """
    async with own_stage(folder, brokers=3) as (stage, cluster):
        victim = random.Random(seed).choice([broker.node for broker in cluster.brokers])
        result = await stage.play_restart(BROKER_DEATH, lambda: cluster.kill_broker(victim))
        [dead] = [broker for broker in cluster.brokers if broker.node == victim]
        assert dead.running() is None, f"broker {victim} was to stay dead"
        return result


def can_mount(folder: Path) -> bool:
    """Whether a small file system can be had here; needs root and a kernel that lets it."""
    try:
        with small_disk(folder / "probe", size_bytes=1 << 20):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextmanager
def small_disk(place: Path, *, size_bytes: int) -> Iterator[Path]:
    """Yield a file system of its own, in memory.

    Raises:
        subprocess.CalledProcessError: it may not be mounted.
    """
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(place)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=False, capture_output=True)


def fill(disk: Path, name: str, *, leave_bytes: int = 0) -> Path:
    """Take the room a disk has, but for so much; return the file that holds it."""
    filler = disk / name
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while shutil.disk_usage(disk).free > leave_bytes and file.write(bytes(1 << 16)):
            pass
    return filler


async def play_full_disk(folder: Path, *, seed: int = 1) -> Result:
    """Run campaigns, fill the broker's disk once messages leave, make room; check everything.

    A broker whose log cannot be written halts; it is started again when there is room.
    ``recovery_seconds`` is from that start to the last campaign's end.
    """
    with small_disk(folder / "servers" / "kafka", size_bytes=DISK_BYTES) as disk:
        async with own_stage(folder, brokers=1) as (stage, cluster):
            story = Story(stage.world, Teller(stage.world.rig, random.Random(seed)), stage.services)
            # Nearly all of it before, so that the rest takes no time: campaigns are quick.
            before = await asyncio.to_thread(fill, disk, "before", leave_bytes=ROOM_BYTES)
            telling = asyncio.create_task(story.tell(campaigns=4, events=5))
            await eventually(story.has_runs, seconds=60, what="messages leaving")
            rest = fill(disk, "rest")
            [broker] = cluster.brokers
            await eventually(
                lambda: broker.running() is None or telling.done(),
                seconds=60,
                what="the broker halting",
            )
            if telling.done():
                await telling
                raise AssertionError("the disk filled too late to matter")
            await _all_go_on(stage)
            for filler in (before, rest):
                filler.unlink()
            await cluster.restart_broker(broker.node)
            back_at = time.monotonic()
            await telling
            recovery_seconds = time.monotonic() - back_at
            await stage.world.rig.drained(*stage.services)
            return await stage.judge(DISK_FULL, story, recovery_seconds)


async def _all_go_on(stage: Stage) -> None:
    """Without Kafka every service stays up, and ``muster doctor`` says what is missing."""
    dead = [name for (name, _), worker in stage.world.rig.workers.items() if not worker.alive]
    assert not dead, f"ended with the broker: {dead}"
    said = stage.world.rig.folder / "doctor.log"
    doctor = open_process(["doctor"], stage.world.rig.instance.environment(), said)
    assert await asyncio.to_thread(doctor.wait, 60) == 1
    assert "check KAFKA_BOOTSTRAP" in said.read_text()
