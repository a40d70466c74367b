"""``python -m tests.bench core``: measure, write ``docs/results``, print."""

from __future__ import annotations

import argparse

import uvloop
from rich.console import Console
from rich.table import Table

from shared import logs
from tests.bench import actions, bounces, core, delivery, events, replaying, screens, timings
from tests.bench.results import Figure, write
from tests.servers import Servers, running_servers

console = Console()
WHATS = ["core", "actions", "bounces", "delivery", "events", "screens", "timings"]


def show(figures: list[Figure]) -> None:
    """Print figures as a table."""
    table = Table("figure", "unit", "min", "median", "max", "floor")
    for figure in figures:
        spread = figure.as_json()
        numbers = [f"{spread[name]:,.0f}" for name in ("min", "median", "max")]
        floor = f"{figure.floor:,.0f}" if figure.floor else ""
        table.add_row(figure.name, figure.unit, *numbers, floor)
    console.print(table)


async def _measure(servers: Servers, arguments: argparse.Namespace) -> list[Figure]:
    if arguments.what == "delivery":
        return await delivery.measure(
            servers, messages=arguments.mails, runs=arguments.runs, whole=not arguments.quick
        )
    if arguments.what == "events":
        seconds, replayed = arguments.seconds, arguments.replayed
        alone = arguments.sustained
        return await events.measure(servers, seconds=seconds, replayed=replayed, alone=alone)
    if arguments.what == "bounces":
        return await bounces.measure(servers, runs=arguments.runs)
    if arguments.what == "screens":
        return await screens.measure(servers, runs=arguments.runs)
    figures = await actions.measure(servers, runs=arguments.runs)
    if arguments.what == "core":
        messages, runs = arguments.messages, arguments.runs
        return await core.measure(servers, messages=messages, runs=runs) + figures
    return figures


def _time(parts: list[str] | None) -> None:
    """Time what a newcomer runs; a part of it is shown, and not written as the whole."""
    try:
        figures = timings.measure(parts or list(timings.COMMANDS))
    except timings.Failed as failed:
        raise SystemExit(str(failed)) from None
    show(figures)
    if not parts:
        console.print(f"written to {write('timings', 'muster bench timings', figures)}")


def main() -> None:
    """Run the benchmark that was asked for."""
    parser = argparse.ArgumentParser(prog="muster bench", description="Measure, then claim.")
    parser.add_argument("what", choices=WHATS)
    parser.add_argument("--messages", type=int, default=core.MESSAGES)
    parser.add_argument("--mails", type=int, default=delivery.MESSAGES)
    parser.add_argument("--quick", action="store_true", help="leave out a delivery's largest sizes")
    parser.add_argument("--seconds", type=int, default=events.SUSTAINED_SECONDS)
    parser.add_argument("--sustained", action="store_true", help="of events: this rate alone")
    parser.add_argument("--replayed", type=int, default=replaying.COUNT)
    parser.add_argument("--runs", type=int, default=core.RUNS)
    parser.add_argument(
        "--part", choices=list(timings.COMMANDS), action="append", help="of timings: only these"
    )
    arguments = parser.parse_args()
    if arguments.what == "timings":
        _time(arguments.part)
        return
    logs.configure(level="warning", service="bench")
    with running_servers(delivery.ROOT, durable=True) as servers:
        figures = uvloop.run(_measure(servers, arguments))
    show(figures)
    command, keep = f"muster bench {arguments.what}", None
    if arguments.what == "events" and arguments.sustained:
        command, keep = f"python -m tests.bench {arguments.what} --sustained", "events."
    elif arguments.what == "events" and not arguments.replayed:
        command, keep = f"python -m tests.bench {arguments.what} --replayed 0", "events.replay_"
    path = write(arguments.what, command, figures, keep=keep)
    console.print(f"written to {path}")


main()
