"""``muster check``: the invariants, over every service's rows and the topics."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from services.cli.catalogue import MODULES, NAMES, find
from services.cli.environment import settings_or_exit
from services.cli.letters import opened
from shared import kafka
from shared.consumer import Consumer
from shared.database import Connection, without_time_limit
from shared.registry import Registry
from shared.service import Runtime
from shared.settings import Settings
from shared.undecodable import fetch
from topics.cloudevents import Malformed, decode_envelope
from topics.message import message_type

console = Console()

Broken = Callable[[Connection], Awaitable[list[str]]]
Seen = dict[str, dict[str, set[tuple[str, str]]]]

WHAT: Final[dict[str, str]] = {
    "I1": "one ledger row per run, recipient and channel",
    "I2": "targeted and generated counts add up",
    "I3": "what left was attempted first, and twice only after an ambiguous attempt",
    "I4": "each message was handled once by each of its readers",
    "I5": "nothing is sent after an opt-out",
    "I6": "what was approved is what was sent",
    "I7": "budget and stock ledgers sum to their balances",
    "I8": "addresses are blocked for written reasons",
    "I9": "each date of a schedule became one campaign",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one service's rows stand: the rows that break an invariant, each with its name first."""

    service: str
    broken: tuple[str, ...]


async def verdicts(
    settings: Settings, names: Sequence[str] = NAMES, *, seen: Seen | None = None
) -> list[Verdict]:
    """Check every invariant of some services, by default all.

    A broken one's text begins with its name (``I2 …``). ``seen`` is what was published, where it
    is known; else the topics are read.
    """
    seen = await published(settings, names) if seen is None else seen
    found = []
    for name in names:
        async with opened(name, settings) as runtime:
            broken = [
                line for one in runtime.consumers for line in await _unhandled(one, runtime, seen)
            ]
            broken += await _unsent(runtime)
            check = _invariants_of(name)
            if check is not None:
                async with runtime.uow.begin() as work:
                    # It reads every row there is, and locks none.
                    await without_time_limit(work.connection)
                    # Days in the rows are those of the instance.
                    zone = work.settings.muster_zone
                    await work.connection.execute("SELECT set_config('TimeZone', $1, true)", zone)
                    broken += await check(work.connection)
        found.append(Verdict(name, tuple(broken)))
    return found


def _invariants_of(name: str) -> Broken | None:
    module = MODULES[name].removesuffix(".app") + ".invariants"
    if importlib.util.find_spec(module) is None:
        return None
    broken: Broken = importlib.import_module(module).broken
    return broken


async def published(settings: Settings, names: Sequence[str] = NAMES) -> Seen:
    """Return the identities (source, id) of every record, by topic and CloudEvents type."""
    registries = [one for name in names for one in find(name).registries.values()]
    topics = sorted({topic.name for registry in registries for topic in registry.topics})
    seen: Seen = defaultdict(lambda: defaultdict(set))
    client = kafka.reader(settings, topics)
    await client.start()
    try:
        ends = await client.end_offsets(client.assignment())
        while any([await client.position(part) < end for part, end in ends.items()]):
            raws, _ = await fetch(client, timeout_ms=500, limit=5000)
            for raw in raws:
                _note(seen, kafka.as_record(settings, raw))
    finally:
        await client.stop()
    return seen


def _note(seen: Seen, record: kafka.Record) -> None:
    try:
        envelope = decode_envelope(record.headers, record.value)
    except Malformed:
        return
    seen[record.topic][envelope.type].add((envelope.source, envelope.id))


async def _unhandled(consumer: Consumer, runtime: Runtime, seen: Seen) -> list[str]:
    """I4: everything published for a consumer is in its inbox, its dead letters, or waits."""
    name, registry = consumer.name, consumer.registry
    wanted: set[tuple[str, str]] = set()
    for topic in registry.topics:
        for ce_type, identities in seen.get(topic.name, {}).items():
            if registry.intake(topic.name) or _handles(registry, ce_type):
                wanted |= identities
    rows = await runtime.pool.fetch(
        "SELECT source, id FROM inbox WHERE consumer = $1"
        " UNION SELECT ce_source, ce_id FROM dead_letters WHERE consumer = $1",
        name,
    )
    missing = wanted - {(row["source"], row["id"]) for row in rows}
    return [f"I4 {name} never handled {id_} of {source}" for source, id_ in sorted(missing)[:20]]


async def _unsent(runtime: Runtime) -> list[str]:
    """I4: what was emitted is published, or will be within a minute."""
    left = await runtime.pool.fetchval(
        "SELECT coalesce(sum(records), 0)::int FROM outbox"
        " WHERE created_at < now() - interval '1 minute'"
    )
    if not left:
        return []
    return [f"I4 {runtime.service.name} has {left} messages in its outbox for over a minute"]


def _handles(registry: Registry, ce_type: str) -> bool:
    kind = message_type(ce_type)
    return kind is not None and registry.entry(kind) is not None


def check() -> None:
    """Check the invariants; exit 1 and the rows when one does not hold."""
    found = asyncio.run(verdicts(settings_or_exit()))
    console.print(table_of(found))
    broken = [line for verdict in found for line in verdict.broken]
    for line in broken:
        console.print(f"[red]✗[/] {line}", soft_wrap=True)
    if broken:
        raise typer.Exit(1)


def table_of(found: list[Verdict]) -> Table:
    """Return the invariants as a table: each with how many rows break it."""
    table = Table("invariant", "says", "holds", title="Invariants")
    lines = [line for verdict in found for line in verdict.broken]
    for name, what in WHAT.items():
        count = sum(line.startswith(name) for line in lines)
        table.add_row(name, what, "[green]✓[/]" if not count else f"[red]✗ {count} rows[/]")
    return table
