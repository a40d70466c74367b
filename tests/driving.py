"""Driving real services: processes to start and kill, commands to send, rows to read."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownError

from services.cli.catalogue import NAMES, find, port_of
from services.cli.environment import free_block
from services.targeting.sql_role import ensure_sql_role
from shared import kafka
from shared.errors import INFRASTRUCTURE
from shared.ids import new_id
from shared.settings import Settings
from tests.conftest import REPOSITORY
from tests.instances import Instance, create_topics, make_schemas
from tests.records import record_of
from tests.waiting import PATIENCE, eventually
from topics.delivery import DecideApproval, Decision
from topics.message import Actor, Message
from topics.names import Topic, all_topics
from topics.operators import OperatorState, Role

MANAGER, REVIEWER, SUPERVISOR = new_id(), new_id(), new_id()
OPERATORS = {
    MANAGER: (Role.MANAGER,),
    REVIEWER: (Role.REVIEWER,),
    SUPERVISOR: (Role.SUPERVISOR,),
}


class Process(Protocol):
    """What is needed of a process; ``subprocess.Popen`` has it."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Return its exit code, ``None`` while it lives."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends."""

    def send_signal(self, sig: int) -> None:
        """Send a signal."""


Spawn = Callable[[Sequence[str], Mapping[str, str], Path], Process]
"""Starts ``muster`` with arguments and variables, its output appended to a file."""


def open_process(arguments: Sequence[str], variables: Mapping[str, str], log: Path) -> Process:
    """Start the product's command line as a new process."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "services.cli", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **variables},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )


@dataclass
class Worker:
    """One service process."""

    name: str
    process: Process
    port: int

    @property
    def alive(self) -> bool:
        """Whether it still runs (a stopped, frozen one does)."""
        return self.process.poll() is None

    def kill(self) -> None:
        """kill -9, now."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and does nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM, and 15 s to leave."""
        if self.alive:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass
class Rig:
    """An instance of Muster under test: its servers, its worker processes, a way to talk to it."""

    instance: Instance
    settings: Settings
    folder: Path
    producer: AIOKafkaProducer
    owner: asyncpg.Pool[asyncpg.Record]
    base_port: int
    spawn: Spawn = field(default_factory=lambda: open_process)
    workers: dict[tuple[str, int], Worker] = field(default_factory=dict)
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def start(self, name: str, *, replica: int = 1, **environment: str) -> Worker:
        """Start a service process, with extra variables (``MUSTER_FAULT``)."""
        variables = self.instance.environment(
            HTTP_BASE_PORT=str(self.base_port),
            MUSTER_INSTANCE="rig",
            HEARTBEAT_SECONDS="2",
            SUPPLIER_FILES=str(self.folder / "supplier-files"),
            LOG_LEVEL="info",
        )
        process = self.spawn(
            ("service", name, "--replica", str(replica)),
            variables | environment,
            self.folder / f"{name}-{replica}.log",
        )
        worker = Worker(name, process, port_of(name, self.base_port))
        self.workers[name, replica] = worker
        return worker

    async def ready(self, *names: str, seconds: float = 40) -> None:
        """Wait until services answer that they are ready."""
        async with httpx.AsyncClient(timeout=2, verify=False) as client:
            for name in names:
                await eventually(
                    partial(self._is_ready, client, name),
                    seconds=seconds,
                    what=f"{name} being ready (see {self.folder}/{name}-1.log)",
                )

    async def _is_ready(self, client: httpx.AsyncClient, name: str) -> bool:
        try:
            port = port_of(name, self.base_port)
            return (await client.get(f"http://127.0.0.1:{port}/health/ready")).is_success
        except httpx.HTTPError:
            return False

    async def send(self, *messages: Message, source: str = "/test/driver") -> None:
        """Publish messages as an outside client with rights on command topics would."""
        for message in messages:
            key, headers, value = record_of(message, source=source)
            await self.send_raw(message.topic, key, headers, value)

    async def send_raw(
        self, topic: Topic, key: bytes, headers: Sequence[tuple[str, bytes]], value: bytes
    ) -> None:
        """Publish one record; a broker whose disk is full refuses before it halts: ask again."""
        deadline = time.monotonic() + PATIENCE
        name = self.settings.kafka_namespace + topic.name
        while True:
            producer = self.producer
            try:
                await producer.send_and_wait(name, value, key=key, headers=list(headers))
            except KafkaError as problem:
                if time.monotonic() > deadline:
                    raise
                if not isinstance(problem, UnknownError):
                    await self._renew(producer)
                await asyncio.sleep(0.2)
            else:
                return

    async def _renew(self, failed: AIOKafkaProducer) -> None:
        """Take another producer: one that missed a broker's restart has lost its sequence."""
        async with self._renewing:
            if self.producer is not failed:
                return
            made = kafka.plain_producer(self.settings, client_id="driver")
            await made.start()
            self.producer = made
        with suppress(KafkaError):
            await failed.stop()

    async def value(self, query: str, *arguments: object) -> Any:
        """Return one value, read as the owner; tables are written ``schema.table``."""
        rows = await self.rows(query, *arguments)
        return next(iter(rows[0].values())) if rows else None

    async def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Return rows, read as the owner; a server that restarts is asked again for 20 s."""
        deadline = time.monotonic() + 20
        while True:
            try:
                return [dict(row) for row in await self.owner.fetch(query, *arguments)]
            except INFRASTRUCTURE:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.2)

    async def campaign_status(self, campaign_id: UUID) -> str | None:
        """Return a campaign's state."""
        status: str | None = await self.value(
            "SELECT status FROM campaign.campaigns WHERE campaign_id = $1", campaign_id
        )
        return status

    async def reach(self, campaign_id: UUID, *statuses: str, seconds: float = PATIENCE) -> str:
        """Wait until a campaign is in one of the states; return which."""

        async def there() -> str | None:
            found = await self.campaign_status(campaign_id)
            return found if found in statuses else None

        status: str = await eventually(
            there, seconds=seconds, what=f"campaign {campaign_id} being {' or '.join(statuses)}"
        )
        return status

    async def approval(
        self, campaign_id: UUID, actor: Actor, *, seconds: float = PATIENCE
    ) -> DecideApproval:
        """Wait until a campaign asks for its approval; return the command that gives it."""

        async def asked() -> dict[str, Any] | None:
            rows = await self.rows(
                "SELECT approval_id, revision FROM delivery.approvals"
                " WHERE campaign_id = $1 AND outcome = 'pending'",
                campaign_id,
            )
            return rows[0] if rows else None

        found = await eventually(asked, seconds=seconds, what="the approval")
        return DecideApproval(
            **found, campaign_id=campaign_id, decision=Decision.APPROVE, actor=actor
        )

    async def drained(self, *services: str, seconds: float = PATIENCE) -> None:
        """Wait until services have neither outbox rows nor messages put aside."""

        left: dict[str, int] = {}

        async def empty() -> bool:
            for name in services:
                left[name] = await self.value(
                    f"SELECT (SELECT count(*) FROM {name}.outbox)"
                    f" + (SELECT count(*) FROM {name}.retries WHERE NOT dead)"
                )
            return not any(left.values())

        try:
            await eventually(empty, seconds=seconds)
        except AssertionError:
            raise AssertionError(f"not drained within {seconds} s: {left}") from None

    async def stop(self, *workers: Worker) -> None:
        """Tell processes to stop, all at once, and wait until they have."""
        for worker in workers:
            if worker.alive:
                worker.wake()
                worker.process.send_signal(signal.SIGTERM)
        for worker in workers:
            await asyncio.to_thread(worker.stop)

    async def __aenter__(self) -> Rig:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop(*self.workers.values())
        await self.producer.stop()
        await self.owner.close()


@asynccontextmanager
async def rig(
    instance: Instance,
    folder: Path,
    *,
    topics: Sequence[Topic] | None = None,
    services: Sequence[str] = NAMES,
    spawn: Spawn = open_process,
) -> AsyncIterator[Rig]:
    """Yield an instance with its services' schemas and topics, and its operators announced.

    ``services`` are those it has, by default all; ``spawn`` is how their processes are started.
    """
    settings = instance.settings()
    await make_schemas(settings, {name: find(name).migrations for name in services})
    if "targeting" in services:
        await ensure_sql_role(settings)
    await create_topics(settings, topics or all_topics())
    producer = kafka.plain_producer(settings, client_id="driver")
    await producer.start()
    owner = await asyncpg.create_pool(instance.database_url, min_size=1, max_size=4)
    # Rigs of several test runs at once look for ports in places of their own.
    first_port = 9000 + os.getpid() % 200 * 50
    made = Rig(instance, settings, folder, producer, owner, free_block(first_port, 40), spawn)
    async with made:
        await made.send(
            *(
                OperatorState(operator_id=operator_id, version=1, name=roles[0], roles=roles)
                for operator_id, roles in OPERATORS.items()
            )
        )
        yield made
