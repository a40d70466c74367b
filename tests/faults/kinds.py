"""Which kind of consumer a crash point is reached in: known only to the tests' child processes.

The product's crash points say where in the code they are, not what was being done. Here the pieces
that do the work are wrapped, so that a fault can be aimed at a batch handler, a workflow's step or
the sender, and so that what was really hit is written down before the process dies.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from services.delivery import progress, sender, workflows
from services.delivery.claims import Batch, Share
from services.delivery.domain.runs import RunKind
from services.delivery.smtp.dialogue import Dialogue
from services.delivery.smtp.link import Link
from services.delivery.store.ledger import LedgerStore
from services.delivery.store.waves import WaveStore
from services.supplier.clerk import Clerk
from services.supplier.press import Press
from services.supplier.store.jobs import Job
from shared import faults
from shared.batch import Item, read
from shared.consumer import Batcher
from shared.engine import Engine
from shared.kafka import Record
from shared.relay import Relay
from shared.service import Runtime
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow
from topics.delivery import Outcome, StopDelivery
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
    SLICE = "slice"
    AGAIN = "second attempts"
    URGENT = "single messages"
    FILL = "fill"
    WAVE = "a wave"
    PROGRESS = "progress"
    LOST = "lost attempts"
    STOP = "a stop"
    SWEEP = "what a stop leaves"
    HAND_OVER = "letters handed over"
    PRESS = "letters"
    ROUTER = "the router's mail"
    PUSH = "events pushed"
    NUMBERS = "numbers given"
    ROUTING = "events routed"
    BATCH_ROUTING = "batch events routed"
    STATUSES = "statuses written"
    ARCHIVE = "events archived"


_now_in: ContextVar[frozenset[Kind]] = ContextVar("_now_in", default=frozenset())
_UNSEEN: Final = {HEARTBEATS.name, WORKFLOWS_STATE.name}


def is_in(kind: Kind) -> bool:
    """Whether the task that asks does this kind of work."""
    return kind in _now_in.get()


def also_doing(kind: Kind) -> None:
    """Note that the task that asks does this kind of work, too."""
    _now_in.set(_now_in.get() | {kind})


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
    _watch_fills()
    _watch_relay()
    _watch_sender()
    _watch_wires()
    _watch_progress()
    _watch_letters()
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
    kinds = set[Kind]()
    for record in records:
        item = read(record, batcher._registry)
        if isinstance(item, Item) and item.record.topic not in _UNSEEN:
            kinds.add(_kind_of(item))
            if isinstance(item.message, StopDelivery):
                kinds.add(Kind.STOP)
    return frozenset(kinds)


def _kind_of(item: Item) -> Kind:
    if item.intake is not None:
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
            _now_in.set(frozenset())
            step = await workflow.run(work)
            if step.rows_in:
                _now_in.set(_now_in.get() | {Kind.WORKFLOW})
            return step

        return replace(workflow, run=run)

    def init(
        self: Engine,
        uow: Any,
        workflows: Sequence[TechnicalWorkflow],
        settings: Any,
        supervision: Any,
    ) -> None:
        inner(self, uow, [watched(one) for one in workflows], settings, supervision)

    Engine.__init__ = init  # type: ignore[method-assign]  # in a child process only


def _watch_relay() -> None:
    inner = Relay._publish

    async def publish(self: Relay, producer: Any, epoch: int, rows: Any) -> None:
        real = any(row["topic"] not in _UNSEEN for row in rows)
        _now_in.set(frozenset({Kind.RELAY} if real else ()))
        await inner(self, producer, epoch, rows)

    Relay._publish = publish  # type: ignore[method-assign]  # in a child process only


def _watch_fills() -> None:
    inner, open_wave = LedgerStore.fill, WaveStore.open

    async def fill(self: LedgerStore, *asked: Any, **more: Any) -> int:
        rows = await inner(self, *asked, **more)
        _now_in.set(_now_in.get() | {Kind.FILL})
        return rows

    async def opening(self: WaveStore, run_id: UUID, number: int, at: datetime) -> None:
        await open_wave(self, run_id, number, at)
        _now_in.set(_now_in.get() | {Kind.WAVE})

    LedgerStore.fill = fill  # type: ignore[method-assign]  # in a child process only
    WaveStore.open = opening  # type: ignore[method-assign]  # the same


def _watch_sender() -> None:
    run = sender.Worker.run
    send_share, send_batch = sender.Worker._send_share, sender.Worker._send_batch

    async def running(self: sender.Worker, stop: asyncio.Event) -> None:
        _now_in.set(frozenset({Kind.SENDER}))
        await run(self, stop)

    async def sending_share(self: sender.Worker, share: Share, stop: asyncio.Event) -> None:
        with doing(Kind.SENDER, Kind.SLICE):
            await send_share(self, share, stop)

    async def sending_batch(self: sender.Worker, batch: Batch, stop: asyncio.Event) -> None:
        bulk = any(row.kind is RunKind.CAMPAIGN for row in batch.rows)
        with doing(Kind.SENDER, Kind.AGAIN if bulk else Kind.URGENT):
            await send_batch(self, batch, stop)

    sender.Worker.run = running  # type: ignore[method-assign]  # in a child process only
    sender.Worker._send_share = sending_share  # type: ignore[method-assign]  # the same
    sender.Worker._send_batch = sending_batch  # type: ignore[method-assign]  # the same


def _watch_wires() -> None:
    """Let the event loop's callbacks know what the task does that waits for them."""
    converse, received = Link.converse, Link.data_received
    doing = WeakKeyDictionary[Link, frozenset[Kind]]()

    async def conversing(self: Link, dialogue: Dialogue) -> None:
        doing[self] = _now_in.get()
        await converse(self, dialogue)

    def data_received(self: Link, data: bytes) -> None:
        _now_in.set(doing.get(self, frozenset()))
        received(self, data)

    Link.converse = conversing  # type: ignore[method-assign]  # in a child process only
    Link.data_received = data_received  # type: ignore[method-assign]  # the same


def _watch_progress() -> None:
    advance, give_up = progress.advance, progress._give_up_lost
    sweep = LedgerStore.sweep

    async def advancing(runtime: Runtime, run_id: UUID) -> bool:
        with doing(Kind.PROGRESS):
            return await advance(runtime, run_id)

    async def giving_up(runtime: Runtime) -> int:
        with doing(Kind.LOST):
            return await give_up(runtime)

    async def sweeping(self: LedgerStore, *asked: Any, **more: Any) -> int:
        rows = await sweep(self, *asked, **more)
        if rows and more["outcome"] is Outcome.IGNORED:
            _now_in.set(_now_in.get() | {Kind.SWEEP})
        return rows

    progress.advance = advancing
    progress._give_up_lost = giving_up
    LedgerStore.sweep = sweeping  # type: ignore[method-assign]  # in a child process only


def _watch_letters() -> None:
    extract, press, mail = workflows._extract_chunk, Press.press, Clerk._mail

    async def extracting(*asked: Any, **more: Any) -> UUID | None:
        _now_in.set(_now_in.get() | {Kind.HAND_OVER})
        return await extract(*asked, **more)

    async def pressing(self: Press, job: Job) -> bool:
        with doing(Kind.PRESS):
            return await press(self, job)

    async def mailing(self: Clerk, job: Job) -> None:
        with doing(Kind.ROUTER):
            await mail(self, job)

    workflows._extract_chunk = extracting
    Press.press = pressing  # type: ignore[method-assign]  # in a child process only
    Clerk._mail = mailing  # type: ignore[method-assign]  # the same


@contextmanager
def doing(*kinds: Kind) -> Iterator[None]:
    """Note what kind of work the block is."""
    token = _now_in.set(frozenset(kinds))
    try:
        yield
    finally:
        _now_in.reset(token)
