"""``python -m tests.faults delivery --runs 300``, or ``--seed 7`` to play one again.

Each run kills or freezes the delivery service at a drawn crash point while a campaign and single
messages leave, to a mail server that misbehaves as drawn; then everything is checked. Behind the
runs come the faults that have a name. Results go to ``docs/results/faults.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from tests.conftest import REPOSITORY, ROOT
from tests.driving import Spawn
from tests.faults import results
from tests.faults.brokers import can_mount
from tests.faults.delivery import draws
from tests.faults.delivery.draws import PLACES, draw
from tests.faults.delivery.lanes import Lane, lane, overall
from tests.faults.delivery.named import SCENARIOS, play_broker_death, play_full_disk
from tests.faults.delivery.playing import play
from tests.faults.nursery import nursery
from tests.faults.scenario import Result
from tests.servers import Servers, running_servers

LANES = 3
MINUTES = 40.0
console = Console(highlight=False, soft_wrap=True)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults delivery", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--runs",
        type=int,
        default=len(PLACES),
        help="play seeds 1 to this, and what has a name; 0: that alone",
    )
    which.add_argument("--seed", type=int, help="play this one")
    parser.add_argument("--lanes", type=int, default=LANES, help="how many are played at once")
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help="after so many, no other seed is begun"
    )
    return parser.parse_args(words)


@dataclass
class Evening:
    """All that is played: its seeds, what came of them, and when it has to end.

    Attributes:
        named: whether the faults with a name are played, too.
        failed: the seeds of runs in which something did not hold.
        broken: what did not hold behind all runs.
    """

    seeds: list[int]
    until: float
    results: list[Result] = field(default_factory=list)
    named: bool = True
    seeds_played: int = 0
    failed: list[int] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    async def play(self, servers: Servers, folder: Path, lanes: int) -> None:
        """Play the seeds over lanes, each taking the next one; then the faults with a name."""
        waiting = list(reversed(self.seeds))
        async with nursery() as spawn:
            async with AsyncExitStack() as stack:
                made = []
                for number in range(max(1, min(lanes, len(self.seeds)))):
                    place = folder / f"lane-{number + 1}"
                    place.mkdir()
                    made.append(await stack.enter_async_context(lane(servers, place, spawn)))
                async with asyncio.TaskGroup() as group:
                    for one in made:
                        group.create_task(self._play_next(one, waiting))
                if self.named:
                    await self._play_named(made[0])
                for one in made:
                    self.broken += await overall(one)
            if self.named:
                await self._play_apart(folder, spawn)

    async def _play_next(self, made: Lane, waiting: list[int]) -> None:
        while waiting and time.monotonic() < self.until:
            seed = waiting.pop()
            drawn, began = draw(seed), time.monotonic()
            result = await play(made, drawn)
            self.seeds_played += 1
            if result.broken:
                self.failed.append(seed)
            self._tell(f"{self.seeds_played:3}/{len(self.seeds)}", f"seed {seed}", result, began)
            if result.broken:
                console.print(f"    {drawn.conditions}; logs: {made.rig.folder}")
                console.print(f"    again: make faults RUN={seed}")

    async def _play_named(self, made: Lane) -> None:
        for name, scenario in SCENARIOS.items():
            if scenario.servers and made.servers.cluster is None:
                console.print(f"{name}: the servers are not ours to restart")
                continue
            began = time.monotonic()
            self._tell("named  ", name, await scenario.play(made), began)

    async def _play_apart(self, folder: Path, spawn: Spawn) -> None:
        """Play what takes servers of its own."""
        if not can_mount(folder):
            console.print("full disk: a small file system cannot be mounted here: that takes root")
        for name, scenario in (("broker death", play_broker_death), ("full disk", play_full_disk)):
            if name == "full disk" and not can_mount(folder):
                continue
            place, began = folder / name.replace(" ", "-"), time.monotonic()
            place.mkdir()
            self._tell("named  ", name, await scenario(place, spawn), began)

    def _tell(self, count: str, who: str, result: Result, began: float) -> None:
        """Keep a result, and say what came of it."""
        self.results.append(result)
        mark = "[red]✗[/]" if result.broken else "[green]✓[/]"
        now = time.monotonic()
        console.print(
            f"{now - self.began:5.0f} s  {count} {mark} {who}: {result.fault}, recovered in"
            f" {result.recovery_seconds:.1f} s, {result.ambiguous} ambiguous, {now - began:.1f} s"
            " in all"
        )
        for line in result.broken[:20]:
            console.print(f"    {escape(line)}")


def main(words: Sequence[str]) -> None:
    """Play runs; exit 1 when an invariant broke."""
    asked = _arguments(words)
    seeds = [asked.seed] if asked.seed else list(range(1, asked.runs + 1))
    alone = asked.seed is not None
    folder = Path(tempfile.mkdtemp(prefix="muster-faults-"))
    console.print(f"logs: {folder}")
    evening = Evening(seeds, until=time.monotonic() + 60 * asked.minutes, named=not alone)
    with running_servers(ROOT) as servers:
        asyncio.run(evening.play(servers, folder, asked.lanes))
    held = _tell(evening)
    if not alone:
        results.write(
            [one for one in evening.results if one.recovery_seconds],
            part="delivery",
            seeds=evening.seeds_played,
            failed=sorted(evening.failed),
            command=f"make faults RUNS={asked.runs}",
        )
        console.print(f"written: {results.RESULTS.relative_to(REPOSITORY)}")
    raise SystemExit(0 if held else 1)


def _tell(evening: Evening) -> bool:
    """Say what came of it all; return whether everything held."""
    for line in evening.broken[:20]:
        console.print(f"[red]✗[/] behind all runs: {escape(line)}")
    played, asked = evening.seeds_played, len(evening.seeds)
    if played < asked:
        console.print(f"[red]out of time: {asked - played} of {asked} were not played[/]")
    missed = draws.not_hit(hit for result in evening.results for hit in result.hits)
    whole = asked < len(PLACES) or not missed
    if not whole:
        console.print(f"[red]never hit: {', '.join(missed)}[/]")
    if evening.failed:
        console.print(f"[red]failed: {', '.join(map(str, sorted(evening.failed)))}[/]")
    found = evening.results
    console.print(
        f"{len(found)} runs, in {sum(bool(one.hits) for one in found)} a process was struck:"
        f" {sum(one.lost for one in found)} lost, {sum(one.doubled for one in found)} doubled"
        f" outside the ambiguous, {sum(one.ambiguous for one in found)} ambiguous"
    )
    held = not any(one.broken for one in found)
    return held and not evening.broken and played == asked and whole
