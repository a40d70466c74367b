"""The center: an instance with web, events_status and delivery as processes, for all seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx

from services.cli.letters import opened
from services.delivery.app import SERVICE as DELIVERY
from services.delivery.settings import DeliverySettings
from services.events_status.app import SERVICE as EVENTS
from services.web.app import SERVICE as WEB
from services.web.operators import add_operator
from services.web.tokens import create_token
from shared.ids import new_id
from shared.service import Runtime, open_runtime
from tests.driving import OPERATORS, Rig, Spawn, Worker, rig
from tests.faults.delivery.receiver import Receiver, receiver
from tests.faults.events.told import Told
from tests.faults.events.watching import LEASE_VARIABLE, LINES_VARIABLE
from tests.faults.world import FROM_ADDRESS, manager
from tests.instances import fresh_instance
from tests.servers import Servers
from tests.waiting import eventually
from topics import names
from topics.delivery import SaveTemplate
from topics.events import RouteEventType
from topics.names import Topic
from topics.operators import Role

SERVICES: Final = ("web", "events_status", "delivery")
COVERED: Final = "order.confirmed"
LOGIN: Final = "shop@example.org"
LEASE_SECONDS: Final = 1.0
QUICK: Final = {
    "SENDER_LEASE_SECONDS": str(LEASE_SECONDS),
    "SENDER_RETRY_BASE_SECONDS": "0.1",
    "SENDER_CONNECTIONS": "2",
    "SENDER_BATCH": "10",
    "SMTP_TIMEOUT_SECONDS": "5",
    "PROGRESS_SECONDS": "0.1",
    "RELAY_LEASE_SECONDS": "1",
    "MUSTER_TEST_WORKFLOW_LEASE": "1",
    LEASE_VARIABLE: str(LEASE_SECONDS),
    LINES_VARIABLE: "3",
}
_OURS: Final = ("events.", "delivery.", "templates.", "operators.", "workflows.")
"""What topics that the three write begin with."""
_CHANGELOGS: Final = (names.DELIVERY_ACTIVITY_CHANGELOG, names.EVENTS_ACTIVITY_CHANGELOG)
_UNSEEN: Final = frozenset(
    topic.name for topic in (names.HEARTBEATS, names.WORKFLOWS_STATE, *_CHANGELOGS)
)


def topics_needed() -> list[Topic]:
    """Return what the center reads or writes, with few partitions."""
    registries = [one for made in (WEB, EVENTS, DELIVERY) for one in made.registries.values()]
    read = [topic for registry in registries for topic in registry.topics]
    written = [one for one in names.TOPICS if one.name.startswith(_OURS)]
    return [
        dataclasses.replace(one, partitions=min(one.partitions, 2))
        for one in dict.fromkeys((*written, *read, *_CHANGELOGS))
    ]


@dataclass
class Center:
    """A rig with the three services, the mail server at the far end, and a client of the doors.

    Attributes:
        door: delivery's own handlers, called here and now, as its CLI does.
        told: what was published of events.
        operator_id: who pushes, with ``token``.
        blamed: what broke in former seeds and stays broken: each is blamed for its own.
    """

    servers: Servers
    rig: Rig
    receiver: Receiver
    door: Runtime
    told: Told
    operator_id: UUID
    token: str
    template_id: UUID = field(default_factory=new_id)
    blamed: set[str] = field(default_factory=set)

    @property
    def hits(self) -> Path:
        """Where processes write which fault hit what."""
        return self.rig.folder / "hits"

    @property
    def url(self) -> str:
        """Where web answers."""
        return f"http://127.0.0.1:{self.rig.base_port}"

    def client(self) -> httpx.AsyncClient:
        """Return a client that may push events."""
        return httpx.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=30
        )

    def start(self, service: str, **environment: str) -> Worker:
        """Start a process of a service."""
        more: dict[str, Any] = {
            "SMTP_PORT": str(self.receiver.port),
            "MUSTER_TEST_HITS": str(self.hits),
        }
        return self.rig.start(service, **(QUICK | more | environment))

    async def is_ready(self, worker: Worker) -> bool:
        """Whether a process says that it is ready."""
        async with httpx.AsyncClient(timeout=2) as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{worker.port}/health/ready")
            except httpx.HTTPError:
                return False
        return answer.is_success

    async def mend(self, **environment: str) -> None:
        """Bring back what a seed that went wrong left behind."""
        for service in SERVICES:
            worker = self.rig.workers.get((service, 1))
            if worker is None or not worker.alive:
                self.start(service, **environment)
        await self.rig.ready(*SERVICES)


@asynccontextmanager
async def center(servers: Servers, folder: Path, spawn: Spawn) -> AsyncIterator[Center]:
    """Yield a center with its files in a folder; it ends with the block."""
    topics = topics_needed()
    dead = [topic.dead_letters for topic in topics]
    async with (
        fresh_instance(servers) as instance,
        receiver(folder) as mails,
        rig(instance, folder, topics=topics + dead, services=SERVICES, spawn=spawn) as driven,
    ):
        operator_id, token = await _operator(driven)
        settings = instance.settings(DeliverySettings, DATABASE_POOL_SIZE="2")
        door = await open_runtime(DELIVERY, settings)
        told = Told(driven.settings, topics=[one for one in topics if one.name not in _UNSEEN])
        await told.open()
        made = Center(servers, driven, mails, door, told, operator_id, token)
        try:
            await made.mend()
            await _furnish(made)
            yield made
        finally:
            await told.close()
            await door.pool.close()


async def _operator(driven: Rig) -> tuple[UUID, str]:
    async with opened("web", driven.settings) as web, web.uow.begin() as work:
        made = await add_operator(work, name="Shop", email=LOGIN, roles=(Role.MANAGER,))
        token = await create_token(work, made, ("events",), work.now + timedelta(hours=8))
    return made, token


async def _furnish(made: Center) -> None:
    async def operators_known() -> bool:
        counts = [
            await made.rig.value(f"SELECT count(*) FROM {one}.operators")
            for one in ("events_status", "delivery")
        ]
        return all(count >= len(OPERATORS) for count in counts)

    await eventually(operators_known, what="the operators")
    await made.door.execute(
        SaveTemplate(
            template_id=made.template_id,
            actor=manager,
            label="Order",
            subject="Order {{ ctx.order }}",
            body="<p>Order {{ ctx.order }}</p>",
            text="Order {{ ctx.order }}",
            from_address=FROM_ADDRESS,
        )
    )
    await made.rig.send(
        RouteEventType(event_type=COVERED, template_id=made.template_id, actor=manager)
    )
    await eventually(
        lambda: made.rig.value("SELECT count(*) FROM events_status.routes"), what="the route"
    )
