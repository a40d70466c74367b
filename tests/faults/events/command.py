"""``python -m tests.faults events --seeds 200``, or ``--seed 7`` to play one again.

Each seed kills web, events_status or delivery at a drawn crash point, or restarts a server, while
events come in by every door; then each accepted event has one end, and mails are compared. What
comes of ``--seeds`` is written to ``docs/results/faults.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from tests.conftest import ROOT
from tests.faults import results
from tests.faults.events.center import center
from tests.faults.events.draws import PLACES, draw, not_hit
from tests.faults.events.playing import play
from tests.faults.nursery import nursery
from tests.faults.scenario import Result
from tests.servers import Servers, running_servers

console = Console(highlight=False, soft_wrap=True)


@dataclass
class Played:
    """What came of the seeds."""

    results: list[Result] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    events: int = 0


async def _play(servers: Servers, folder: Path, seeds: Sequence[int]) -> Played:
    played, began = Played(), time.monotonic()
    async with nursery() as spawn, center(servers, folder, spawn) as made:
        for seed in seeds:
            drawn, at = draw(seed), time.monotonic()
            result = await play(made, drawn)
            played.results.append(result)
            played.events += drawn.events
            if result.broken:
                played.failed.append(seed)
            mark = "[red]✗[/]" if result.broken else "[green]✓[/]"
            now = time.monotonic()
            console.print(
                f"{now - began:5.0f} s {mark} seed {seed}: {result.fault}, {drawn.events} events,"
                f" well {result.recovery_seconds:.1f} s later, {result.ambiguous} ambiguous,"
                f" {now - at:.1f} s in all"
            )
            for line in result.broken[:20]:
                console.print(f"    {escape(line)}")
    return played


def main(words: Sequence[str]) -> None:
    """Play seeds; exit 1 when something did not hold, or a place was never hit."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults events", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", type=int, default=len(PLACES), help="play seeds 1 to this")
    which.add_argument("--seed", type=int, help="play this one")
    parser.add_argument(
        "--first", type=int, default=1, help="begin with this seed; nothing is kept"
    )
    asked = parser.parse_args(words)
    seeds = [asked.seed] if asked.seed else list(range(asked.first, asked.seeds + 1))
    folder = Path(tempfile.mkdtemp(prefix="muster-faults-"))
    console.print(f"logs of the services: {folder}")
    with running_servers(ROOT) as servers:
        played = asyncio.run(_play(servers, folder, seeds))
    missed = not_hit(one.fault for one in played.results if one.recovery_seconds)
    whole = len(seeds) < len(PLACES) or not missed
    if not whole:
        console.print(f"[red]never hit: {', '.join(missed)}[/]")
    console.print(f"{len(seeds)} runs, {played.events} events; failed: {played.failed or 'none'}")
    if not asked.seed and asked.first == 1:
        results.write(
            played.results,
            part="events",
            seeds=len(seeds),
            failed=played.failed,
            command=f"make faults EVENTS={len(seeds)}",
        )
        console.print(f"written: {results.RESULTS.name}")
    raise SystemExit(0 if whole and not played.failed else 1)
