"""``python -m tests.faults --seeds 200``, or ``--seed 7`` to play one again.

Each seed kills or freezes one service at a drawn crash point while campaigns run, then checks every
invariant. The results of ``--seeds`` are written to ``docs/results/faults.json``.
``python -m tests.faults delivery --help`` tells of the runs of the delivery service alone,
``python -m tests.faults money --help`` of those of budget and stock, ``… events --help`` of those
of Message Center.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from tests.conftest import REPOSITORY, ROOT
from tests.faults import draws, results
from tests.faults.delivery import command
from tests.faults.draws import PLACES, Draw, draw
from tests.faults.events import command as events
from tests.faults.money import command as money
from tests.faults.replays import replay
from tests.faults.scenario import (
    BROKER_RESTART,
    DATABASE_RESTART,
    Result,
    Stage,
    open_stage,
)
from tests.faults.world import SPINE, world
from tests.servers import Servers, running_servers

REPLAY_EVERY = 20
console = Console()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", type=int, default=20, help="play seeds 1 to this")
    which.add_argument("--seed", type=int, help="play this one")
    return parser.parse_args()


@dataclass
class Played:
    """What came of a run: results, the seeds that did not come to their end, whether all held."""

    results: list[Result] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    held: bool = True


async def play(servers: Servers, folder: Path, seeds: Sequence[int]) -> Played:
    """Play seeds in one world, those after a failing one too."""
    played = Played()
    async with world(servers, folder) as made:
        stage = await open_stage(made, SPINE)
        try:
            for seed in seeds:
                drawn = draw(seed)
                who = f"seed {seed}, {drawn.service}"
                held = await _survived(f"{who}: {drawn.name}", _play(who, stage, drawn))
                if held is None:
                    played.failed.append(seed)
                played.held &= bool(held)
                if seed % REPLAY_EVERY == 0:
                    again = _replay(stage, forget=seed % (2 * REPLAY_EVERY) == 0)
                    played.held &= bool(await _survived("replay", again))
            if len(seeds) > 1:
                times = max(1, len(seeds) // REPLAY_EVERY)
                played.held &= bool(await _survived("restarts", _restarts(stage, times=times)))
        finally:
            await stage.journal.close()
    missed = draws.not_hit(hit for result in stage.results for hit in result.hits)
    if len(seeds) >= len(PLACES) and missed:
        console.print(f"[red]never hit: {', '.join(missed)}[/]")
        played.held = False
    played.results = stage.results
    return played


async def _survived(what: str, doing: Coroutine[Any, Any, bool]) -> bool | None:
    """Return whether all held; ``None``, after saying why, when it did not come to its end."""
    try:
        return await doing
    except Exception as problem:  # noqa: BLE001 - two hundred seeds do not end with the third
        causes = problem.exceptions if isinstance(problem, ExceptionGroup) else (problem,)
        for cause in causes:
            line = f"[red]✗[/] {what}: {type(cause).__name__}: {escape(str(cause))}"
            console.print(line, soft_wrap=True, highlight=False)
        return None


async def _play(who: str, stage: Stage, drawn: Draw) -> bool:
    return _tell(who, await stage.play(drawn))


async def _restarts(stage: Stage, *, times: int) -> bool:
    """Restart the servers in mid-run, where they are ours."""
    cluster = stage.world.servers.cluster
    if cluster is None:
        console.print("the servers are not ours to restart: no restart was tried")
        return True
    held = True
    for _ in range(times):
        for fault, restart in (
            (BROKER_RESTART, cluster.restart_kafka),
            (DATABASE_RESTART, cluster.restart_postgres),
        ):
            held &= _tell("servers", await stage.play_restart(fault, restart))
    return held


def _tell(who: str, result: Result) -> bool:
    mark = "[red]✗[/]" if result.broken else "[green]✓[/]"
    console.print(
        f"{mark} {who}: {result.fault}, recovered in {result.recovery_seconds:.1f} s,"
        f" {result.ambiguous} ambiguous",
        highlight=False,
        soft_wrap=True,
    )
    for line in result.broken:
        console.print(f"    {line}", soft_wrap=True, highlight=False)
    return not result.broken


async def _replay(stage: Stage, *, forget: bool) -> bool:
    began = time.monotonic()
    broken = await replay(stage, forget=forget)
    how = ", inboxes emptied" if forget else ""
    mark = "[red]✗[/]" if broken else "[green]✓[/]"
    seconds = time.monotonic() - began
    console.print(f"{mark} all topics replayed{how} ({seconds:.0f} s)", highlight=False)
    for line in broken:
        console.print(f"    {line}", soft_wrap=True, highlight=False)
    return not broken


def main() -> None:
    """Play seeds; exit 1 when an invariant broke."""
    asked = _arguments()
    seeds = [asked.seed] if asked.seed else range(1, asked.seeds + 1)
    folder = Path(tempfile.mkdtemp(prefix="muster-faults-"))
    console.print(f"logs of the services: {folder}", highlight=False)
    with running_servers(ROOT) as servers:
        played = asyncio.run(play(servers, folder, seeds))
    if not asked.seed:
        results.write(
            played.results,
            part="spine",
            seeds=asked.seeds,
            failed=played.failed,
            command=f"make faults SEEDS={asked.seeds}",
        )
        console.print(f"written: {results.RESULTS.relative_to(REPOSITORY)}", highlight=False)
    raise SystemExit(0 if played.held else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["delivery"]:
        command.main(sys.argv[2:])
    if sys.argv[1:2] == ["money"]:
        money.main(sys.argv[2:])
    if sys.argv[1:2] == ["events"]:
        events.main(sys.argv[2:])
    main()
