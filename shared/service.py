"""A running service: its pool, consumer, relay, workflows and HTTP app, and how they stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from fastapi import APIRouter, FastAPI

from shared import inbox, metrics
from shared.clock import Clock, clock_of
from shared.consumer import Consumer
from shared.database import Pool, open_pool
from shared.engine import Engine
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.readiness import Lookout
from shared.registry import Registry, answer
from shared.relay import Relay
from shared.rights import operators
from shared.settings import Settings
from shared.supervision import Supervision
from shared.uow import UnitOfWork, Work
from shared.views import View
from shared.waiting import wait_or_stop
from shared.workflows import TechnicalWorkflow, forget_runs
from topics.message import Message
from topics.names import Topic
from topics.operators import OperatorState

log = logger(__name__)

PRUNE_SECONDS: Final = 600.0
_OLDEST: Final = (
    "SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::float"
    " FROM pg_stat_activity WHERE state <> 'idle' AND backend_type = 'client backend'"
)


class Task(Protocol):
    """What runs while a service does; its function's name is what logs and readiness call it."""

    __name__: str

    def __call__(self, runtime: Runtime, stop: asyncio.Event, /) -> Awaitable[None]:
        """Run until ``stop`` is set."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """What a service plugs in; ``app.py`` of each service makes one.

    Attributes:
        name: the service's name: its schema, role, consumer group and CloudEvents source.
        registry: its handlers.
        migrations: folder of its SQL files.
        settings: its settings class.
        workflows: the technical workflows it executes.
        router: its HTTP routes, mounted under ``/api/v1/<name>``.
        consumers: registries that are read apart, by a consumer of their own each, so that a flood
            there holds up nothing else; by the name of its group and its inbox.
        tasks: what else runs while it runs (a sender); each gets the runtime and a stop event, and
            is started again when it fails.
        views: read models that can be dropped and refilled from their topics.
        make_app: makes its ASGI app, where the plain one of :mod:`shared.http` is not enough.
    """

    name: str
    registry: Registry
    migrations: Path
    settings: type[Settings] = Settings
    workflows: Sequence[TechnicalWorkflow] = ()
    router: APIRouter | None = None
    consumers: Mapping[str, Registry] = field(default_factory=dict)
    tasks: Sequence[Task] = field(default=())
    views: Sequence[View] = field(default=())
    make_app: Callable[[Runtime], FastAPI] | None = None

    @property
    def registries(self) -> dict[str, Registry]:
        """What each of its consumers reads, by the consumer's name; its own first."""
        return {self.name: self.registry, **self.consumers}


class Runtime:
    """One running service."""

    def __init__(
        self, service: Service, settings: Settings, pool: Pool, clock: Clock | None = None
    ) -> None:
        self.service = service
        self.settings = settings
        self.pool = pool
        self.clock = clock or clock_of(settings.muster_clock_file)
        self.uow = UnitOfWork(pool, service=service.name, settings=settings, clock=self.clock)
        self.supervision = Supervision(service.name)
        self.engine = Engine(self.uow, service.workflows, settings, self.supervision)
        self.registry = Registry()
        self.registry.include(service.registry)
        if self.registry.entry(OperatorState) is None:
            # Who has more to do when an operator changes copies them itself.
            self.registry.include(operators)
        if service.workflows:
            self.registry.include(self.engine.registry())
        self.consumers = tuple(
            Consumer(self.uow, registry, name=name)
            for name, registry in {**service.registries, service.name: self.registry}.items()
        )
        self.lookout = Lookout(service.name, pool, self.consumers)
        self.ready = False

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics its consumers read."""
        return tuple(topic for one in self.consumers for topic in one.registry.topics)

    async def execute(self, message: Message) -> list[Message]:
        """Handle a command here and now, in one unit of work; return what was emitted.

        For the CLI: the same handlers as for Kafka, with an immediate answer.

        Raises:
            Refused: the handler has no registered answer for its refusal.
        """
        return list((await self.perform(message)).emitted)

    async def perform(self, message: Message) -> Work:
        """Do as :meth:`execute`, and return the finished unit of work, with its refusals."""
        kind = type(message)
        entry = next(filter(None, (one.registry.entry(kind) for one in self.consumers)), None)
        if entry is None:
            problem = f"{self.service.name} does not handle {kind.__name__}"
            raise TypeError(problem)
        async with self.uow.begin() as work:
            if entry.batched:
                await entry.handle([message], work)
            else:
                await answer(entry, message, work)
        return work

    @property
    def problems(self) -> list[str]:
        """Why the service is not ready, in words; empty when it is."""
        found = [] if self.ready else ["starting or stopping"]
        found += [f"{server} does not answer" for server in self.lookout.silent]
        found += self.supervision.problems
        halted = [name for consumer in self.consumers for name in consumer.halted]
        return found + [f"partition {name} is halted" for name in halted]


async def open_runtime(
    service: Service, settings: Settings, *, clock: Clock | None = None
) -> Runtime:
    """Return a runtime with an open pool; the caller closes the pool."""
    return Runtime(service, settings, await open_pool(settings, service.name), clock)


async def run(runtime: Runtime, stop: asyncio.Event) -> None:
    """Run a service until ``stop`` is set, then finish what is under way.

    The relay is stopped last, so that what the final batch emitted leaves too.
    """
    service, settings = runtime.service, runtime.settings
    await runtime.engine.register()
    runtime.lookout.expect()
    keep = runtime.supervision.keep
    apart = {
        # The relay survives whatever it meets by itself.
        asyncio.create_task(Relay(runtime.pool, settings, service.name).run()),
        asyncio.create_task(keep("lookout", runtime.lookout.run, asyncio.Event())),
    }
    try:
        async with asyncio.TaskGroup() as group:
            for consumer in runtime.consumers:
                group.create_task(keep(f"consumer {consumer.name}", consumer.run, stop))
                group.create_task(keep(f"retries {consumer.name}", consumer.run_retries, stop))
            group.create_task(runtime.engine.run(stop))
            group.create_task(keep("housekeeping", partial(_housekeeping, runtime), stop))
            for task in service.tasks:
                group.create_task(keep(task.__name__, partial(task, runtime), stop))
            runtime.ready = True
            await stop.wait()
            runtime.ready = False
        await _drain_outbox(runtime)
    finally:
        for one in apart:
            one.cancel()
        await asyncio.wait(apart, timeout=6)
        await asyncio.wait_for(runtime.pool.close(), timeout=5)
        log.info("service.stopped", service=service.name)


async def _drain_outbox(runtime: Runtime) -> None:
    """Give the relay up to 2 s to publish what is left; the rest waits for the next start."""
    try:
        async with asyncio.timeout(2):
            # Rows have no event to wait for.
            while await runtime.pool.fetchval("SELECT EXISTS (SELECT 1 FROM outbox)"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except INTERRUPTIONS:
        log.info("service.outbox_left", service=runtime.service.name)


async def _housekeeping(runtime: Runtime, stop: asyncio.Event) -> None:
    keep = max((topic.inbox_retention for topic in runtime.topics), default=timedelta(days=31))
    history = timedelta(days=runtime.settings.workflow_history_days)
    elapsed = PRUNE_SECONDS
    while not stop.is_set():
        try:
            age = await runtime.pool.fetchval(_OLDEST)
            metrics.OLDEST_TRANSACTION.labels(runtime.service.name).set(age)
            if elapsed >= PRUNE_SECONDS:
                elapsed = 0.0
                async with runtime.uow.begin() as work:
                    await inbox.prune(work.connection, keep=keep)
                    await forget_runs(work, work.now - history)
        except INTERRUPTIONS as problem:
            log.warning("housekeeping.interrupted", error=reason_of(problem))
        await wait_or_stop(stop, 15)
        elapsed += 15
