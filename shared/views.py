"""Read models: tables that can be dropped and refilled from topics, with no sender wired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared import kafka
from shared.batch import Item, read
from shared.consumer import handle_run
from shared.database import identifier
from shared.kafka import Record
from shared.registry import Registry
from shared.settings import Settings
from shared.uow import UnitOfWork
from topics.message import Message


@dataclass(frozen=True, slots=True)
class View:
    """A read model of a service.

    Attributes:
        name: what ``muster replay --rebuild`` calls it.
        tables: the tables that hold it and nothing else.
        kinds: the messages it is made of; their handlers write those tables only.
    """

    name: str
    tables: tuple[str, ...]
    kinds: tuple[type[Message], ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics it is refilled from."""
        return tuple(sorted({kind.topic.name for kind in self.kinds}))

    @property
    def reaches_back(self) -> timedelta | None:
        """How far back it can be refilled; ``None`` when its topics are compacted: whole."""
        ages = [kind.topic.retention for kind in self.kinds if kind.topic.retention is not None]
        return min(ages) if ages else None


class SenderWired(Exception):
    """A view's handler tried to publish; a rebuild must have no effect but its tables."""


async def rebuild(uow: UnitOfWork, registry: Registry, view: View, settings: Settings) -> int:
    """Empty a view's tables and fill them from its topics; return how many messages it took.

    Raises:
        SenderWired: a handler emitted a message; what was refilled so far stays.
    """
    async with uow.begin() as work:
        tables = ", ".join(identifier(name) for name in view.tables)
        await work.connection.execute(f"TRUNCATE {tables}")
    taken = 0
    client = kafka.reader(settings, view.topics)
    await client.start()
    try:
        ends = await client.end_offsets(client.assignment())
        while any([await client.position(part) < end for part, end in ends.items()]):
            fetched = await client.getmany(timeout_ms=500, max_records=2000)
            raws = [raw for part in fetched.values() for raw in part]
            taken += await _take(uow, registry, view, [kafka.as_record(settings, r) for r in raws])
    finally:
        await client.stop()
    return taken


async def _take(uow: UnitOfWork, registry: Registry, view: View, records: Sequence[Record]) -> int:
    items = [read(record, registry) for record in records]
    ours = [one for one in items if isinstance(one, Item) and type(one.message) in view.kinds]
    async with uow.begin() as work:
        for item in ours:
            await handle_run([item], work)
        if work.emitted:
            raise SenderWired(f"{view.name} would publish {type(work.emitted[0]).__name__}")
    return len(ours)
