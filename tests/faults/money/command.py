"""``python -m tests.faults money --seeds 50``, or ``--seed 7`` to play one again.

Each seed kills budget or stock at a drawn crash point while money and goods are held, spent, used
and invoiced, tells everything again, and checks every sum and ``muster check``. What comes of
``--seeds`` is written to ``docs/results/faults.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from tests.conftest import ROOT
from tests.faults import results
from tests.faults.money.draws import PLACES, draw, not_hit
from tests.faults.money.house import house
from tests.faults.money.playing import play
from tests.faults.nursery import nursery
from tests.faults.scenario import Result
from tests.servers import Servers, running_servers

console = Console(highlight=False, soft_wrap=True)


@dataclass
class Played:
    """What came of the seeds."""

    results: list[Result] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)


async def _play(servers: Servers, folder: Path, seeds: Sequence[int]) -> Played:
    played = Played()
    async with nursery() as spawn, house(servers, folder, spawn) as made:
        for seed in seeds:
            result = await play(made, draw(seed))
            played.results.append(result)
            if result.broken:
                played.failed.append(seed)
            mark = "[red]✗[/]" if result.broken else "[green]✓[/]"
            console.print(
                f"{mark} seed {seed}: {result.fault}, well {result.recovery_seconds:.1f} s later"
            )
            for line in result.broken[:20]:
                console.print(f"    {escape(line)}")
    return played


def main(words: Sequence[str]) -> None:
    """Play seeds; exit 1 when something did not hold, or a place was never hit."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults money", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", type=int, default=len(PLACES), help="play seeds 1 to this")
    which.add_argument("--seed", type=int, help="play this one")
    asked = parser.parse_args(words)
    seeds = [asked.seed] if asked.seed else list(range(1, asked.seeds + 1))
    folder = Path(tempfile.mkdtemp(prefix="muster-faults-"))
    console.print(f"logs of the services: {folder}")
    with running_servers(ROOT) as servers:
        played = asyncio.run(_play(servers, folder, seeds))
    missed = not_hit(one.fault.removeprefix("kill at ") for one in played.results if one.hits)
    whole = len(seeds) < len(PLACES) or not missed
    if not whole:
        console.print(f"[red]never hit: {', '.join(missed)}[/]")
    if not asked.seed:
        results.write(
            played.results,
            part="money",
            seeds=len(seeds),
            failed=played.failed,
            command=f"make faults MONEY={len(seeds)}",
        )
        console.print(f"written: {results.RESULTS.name}")
    raise SystemExit(0 if whole and not played.failed else 1)
