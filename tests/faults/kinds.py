"""Which kind of consumer a crash point is reached in: known only to the tests' child processes.

The product's crash points say where in the code they are, not what was being done. Here the pieces
that do the work are wrapped, so that a fault can be aimed at a batch handler, a workflow's step or
the sender, and so that what was really hit is written down before the process dies.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from services.delivery import sender
from shared import faults
from shared.batch import Item, read
from shared.consumer import Batcher
from shared.kafka import Record
from shared.relay import Relay
from shared.uow import Work
from shared.workflows import Engine, Step, TechnicalWorkflow
from topics.names import HEARTBEATS, WORKFLOWS_STATE

KIND_VARIABLE: Final = "MUSTER_TEST_KIND"
HITS_VARIABLE: Final = "MUSTER_TEST_HITS"


class Kind(StrEnum):
    """What a piece of a service's work is."""

    SINGLE = "single handler"
    BATCH = "batch handler"
    INTAKE = "intake"
    RETRY = "retry"
    WORKFLOW = "workflow"
    RELAY = "relay"
    SENDER = "sender"


_now_in: ContextVar[frozenset[Kind]] = ContextVar("_now_in", default=frozenset())
_UNSEEN: Final = {HEARTBEATS.name, WORKFLOWS_STATE.name}


def is_in(kind: Kind) -> bool:
    """Whether the task that asks does this kind of work."""
    return kind in _now_in.get()


@dataclass
class Aim:
    """Lets a fault through only in the wanted kind of work, and writes down what it hit."""

    wanted: Kind
    hits: Path
    reach: Callable[[str], None]

    def __call__(self, point: str) -> None:
        """Stand in for ``shared.faults.reach``."""
        plan = faults._plan
        if plan is None or plan.point != point or self.wanted not in _now_in.get():
            return
        if plan.left == 1:
            with self.hits.open("a") as file:
                file.write(f"{point}\t{self.wanted}\n")
                file.flush()
                os.fsync(file.fileno())
        self.reach(point)


def install() -> None:
    """Wrap the core's working pieces, and aim the fault when the environment names a kind."""
    _watch_batches()
    _watch_retries()
    _watch_workflows()
    _watch_relay()
    _watch_sender()
    kind = os.environ.get(KIND_VARIABLE)
    if kind:
        faults.reach = Aim(Kind(kind), Path(os.environ[HITS_VARIABLE]), faults.reach)


def _watch_batches() -> None:
    inner = Batcher._transaction

    async def transaction(self: Batcher, records: Sequence[Record]) -> set[Record]:
        _now_in.set(_kinds_of(self, records))
        return await inner(self, records)

    Batcher._transaction = transaction  # type: ignore[method-assign]  # in a child process only


def _kinds_of(batcher: Batcher, records: Sequence[Record]) -> frozenset[Kind]:
    kinds = set()
    for record in records:
        item = read(record, batcher._registry)
        if isinstance(item, Item) and item.record.topic not in _UNSEEN:
            kinds.add(_kind_of(item))
    return frozenset(kinds)


def _kind_of(item: Item) -> Kind:
    if item.raw is not None:
        return Kind.INTAKE
    return Kind.BATCH if item.entry is not None and item.entry.batched else Kind.SINGLE


def _watch_retries() -> None:
    inner = Batcher.retry_one

    async def retry_one(self: Batcher) -> bool:
        _now_in.set(frozenset({Kind.RETRY}))
        return await inner(self)

    Batcher.retry_one = retry_one  # type: ignore[method-assign]  # in a child process only


def _watch_workflows() -> None:
    inner: Any = Engine.__init__

    def watched(workflow: TechnicalWorkflow) -> TechnicalWorkflow:
        async def run(work: Work) -> Step:
            step = await workflow.run(work)
            _now_in.set(frozenset({Kind.WORKFLOW} if step.rows_in else ()))
            return step

        return replace(workflow, run=run)

    def init(self: Engine, uow: Any, workflows: Sequence[TechnicalWorkflow], settings: Any) -> None:
        inner(self, uow, [watched(one) for one in workflows], settings)

    Engine.__init__ = init  # type: ignore[method-assign]  # in a child process only


def _watch_relay() -> None:
    inner = Relay._publish

    async def publish(self: Relay, producer: Any, epoch: int, rows: Any) -> None:
        real = any(row["topic"] not in _UNSEEN for row in rows)
        _now_in.set(frozenset({Kind.RELAY} if real else ()))
        await inner(self, producer, epoch, rows)

    Relay._publish = publish  # type: ignore[method-assign]  # in a child process only


def _watch_sender() -> None:
    inner = sender.Worker.run

    async def run(self: sender.Worker, stop: asyncio.Event) -> None:
        _now_in.set(frozenset({Kind.SENDER}))
        await inner(self, stop)

    sender.Worker.run = run  # type: ignore[method-assign]  # in a child process only
