"""One scenario: a service fails at its drawn place while campaigns run, and all ends well."""

from __future__ import annotations

import asyncio
import random
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.driving import Worker
from tests.faults import checks
from tests.faults.draws import Draw
from tests.faults.story import Story
from tests.faults.telling import Teller
from tests.faults.world import World
from tests.waiting import eventually

HIT_SECONDS = 60.0
BROKER_RESTART = "restart of the broker in mid-run"
DATABASE_RESTART = "restart of PostgreSQL in mid-run"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a scenario; ``fault`` is its kind, in words."""

    fault: str
    hits: tuple[tuple[str, str], ...]
    broken: tuple[str, ...]
    lost: int
    doubled: int
    ambiguous: int
    recovery_seconds: float


@dataclass
class Stage:
    """The one world all scenarios play in, with what they read on from."""

    world: World
    services: tuple[str, ...]
    journal: checks.Journal
    blamed: set[str] = field(default_factory=set)
    ambiguous_before: int = 0
    results: list[Result] = field(default_factory=list)

    async def play(self, draw: Draw) -> Result:
        """Play one scenario and check everything."""
        teller = Teller(self.world.rig, random.Random(draw.seed))
        story = Story(self.world, teller, self.services)
        already = len(hits_in(self.world.hits))
        await self.mend()
        armed = await self._arm(draw)
        failed_at: list[float] = []
        nurse = asyncio.create_task(self._nurse(draw, armed, failed_at))
        try:
            await story.tell(campaigns=draw.campaigns, events=draw.events)
            recovered = time.monotonic()
            await asyncio.wait_for(nurse, HIT_SECONDS)
        finally:
            nurse.cancel()
        await self._after(draw, armed)
        hits = tuple(hits_in(self.world.hits)[already:])
        return await self.judge(draw.name, story, recovered - failed_at[0], hits)

    async def play_restart(self, fault: str, restart: Callable[[], Awaitable[None]]) -> Result:
        """Run campaigns, restart a server once their first messages leave, and check everything."""
        await self.mend()
        story = Story(self.world, Teller(self.world.rig, random.Random(fault)), self.services)
        telling = asyncio.create_task(story.tell(campaigns=2, events=5))
        await eventually(story.has_runs, seconds=60, what="messages leaving")
        assert not telling.done(), "the server restarts too late to matter"
        await restart()
        back_at = time.monotonic()
        await telling
        recovery_seconds = time.monotonic() - back_at
        await self.world.rig.drained(*self.services)
        return await self.judge(fault, story, recovery_seconds)

    async def mend(self) -> None:
        """Bring back what a scenario that went wrong left behind."""
        for (name, replica), worker in list(self.world.rig.workers.items()):
            if is_frozen(worker):
                worker.wake()
            if replica > 1:
                await asyncio.to_thread(worker.stop)
            elif not worker.alive:
                self.world.start(name)
        await self.world.rig.ready(*self.services)

    async def _arm(self, draw: Draw) -> Worker:
        """Kill the service as it is and start it again with the fault armed."""
        self.world.rig.workers[draw.service, 1].kill()
        extra: dict[str, Any] = (
            {"MUSTER_TEST_TRANSIENT": "2"} if draw.place.point.startswith("retry") else {}
        )
        worker = self.world.start(
            draw.service,
            MUSTER_FAULT=draw.fault,
            MUSTER_TEST_KIND=draw.place.kind,
            **extra,
        )
        await self.world.rig.ready(draw.service)
        return worker

    async def _nurse(self, draw: Draw, armed: Worker, failed_at: list[float]) -> None:
        """Wait for the failure, then start a successor."""
        await eventually(
            lambda: is_frozen(armed) if draw.how == "freeze" else not armed.alive,
            seconds=HIT_SECONDS,
            what=f"{draw.service}: {draw.fault} ({draw.place.kind})",
        )
        failed_at.append(time.monotonic())
        # A frozen one keeps its port and its name in the group: its successor is a replica.
        self.world.start(draw.service, replica=1 if draw.how == "kill" else 2)

    async def _after(self, draw: Draw, armed: Worker) -> None:
        """Wake a frozen worker, whose successor has done its work; then it works alone again."""
        if draw.how == "freeze":
            armed.wake()
            await self.world.rig.ready(draw.service)
            await asyncio.to_thread(self.world.rig.workers[draw.service, 2].stop)
        await self.world.rig.drained(*self.services)

    async def judge(
        self,
        fault: str,
        story: Story,
        recovery_seconds: float,
        hits: tuple[tuple[str, str], ...] = (),
    ) -> Result:
        """Check everything that must hold, and keep the result."""
        await self.journal.read()
        caught = await checks.mails(self.world)
        broken = (
            await checks.invariants(self.world, self.services, self.journal)
            + caught.broken
            + self.journal.broken
            + self.journal.unanswered(story.teller.commands)
            + await checks.totals(self.world, story)
        )
        # What broke in an earlier scenario stays broken; each is blamed for its own.
        broken = [line for line in broken if line not in self.blamed]
        self.blamed |= set(broken)
        ambiguous = caught.ambiguous - self.ambiguous_before
        self.ambiguous_before = caught.ambiguous
        result = Result(
            fault=fault,
            hits=hits,
            broken=tuple(broken),
            lost=sum(line in caught.lost_lines for line in broken),
            doubled=sum(line in caught.doubled_lines for line in broken),
            ambiguous=ambiguous,
            recovery_seconds=recovery_seconds,
        )
        self.results.append(result)
        return result


async def open_stage(world: World, services: Sequence[str]) -> Stage:
    """Return a stage over a running world; the caller closes its journal."""
    journal = checks.Journal(world.rig.settings)
    await journal.open()
    return Stage(world, tuple(services), journal)


def hits_in(path: Path) -> list[tuple[str, str]]:
    """Return the faults that struck, as (point, kind), in order."""
    if not path.exists():
        return []
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    return [(point, kind) for point, kind in lines]


def is_frozen(worker: Worker) -> bool:
    """Whether a process is stopped by a signal."""
    status = Path(f"/proc/{worker.process.pid}/stat")
    if status.exists():
        return status.read_text().rpartition(")")[2].split()[0] == "T"
    found = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(worker.process.pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip().startswith("T")
