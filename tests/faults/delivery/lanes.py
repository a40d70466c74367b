"""A lane: an instance with delivery, its mail server, and a way to set up and watch runs.

The supplier service is there for runs with letters: it sets them.

Lanes share nothing but the servers, so several of them play at once: most of a run is waiting for
leases to end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from services.cli import checking
from services.cli.letters import opened
from services.delivery.app import SERVICE as DELIVERY
from services.delivery.settings import DeliverySettings
from services.supplier.app import SERVICE as SUPPLIER
from shared.ids import new_id
from shared.service import Runtime, open_runtime
from tests.driving import OPERATORS, Rig, Spawn, Worker, rig
from tests.faults.delivery.news import News
from tests.faults.delivery.people import Person, chunks
from tests.faults.delivery.receiver import Receiver, receiver
from tests.faults.world import FROM_ADDRESS, manager
from tests.instances import fresh_instance
from tests.servers import Servers
from tests.waiting import eventually
from topics import names
from topics.delivery import DeliveryPrepared, PrepareDelivery, SaveTemplate, StartDelivery
from topics.names import Topic
from topics.operators import OperatorState
from topics.supplier import SaveService

SERVICES: Final = ("delivery", "supplier")
LEASE_SECONDS: Final = 1.0
CATCH_UP_SECONDS: Final = 20.0
QUICK: Final = {
    "SENDER_LEASE_SECONDS": str(LEASE_SECONDS),
    "SENDER_RETRY_BASE_SECONDS": "0.1",
    "SENDER_CONNECTIONS": "3",
    "SENDER_BATCH": "10",
    "SMTP_TIMEOUT_SECONDS": "5",
    "PROGRESS_SECONDS": "0.1",
    "RELAY_LEASE_SECONDS": "1",
    "FILL_CHUNKS": "1",
    "EXTRACTION_ROWS": "40",
    "SUPPLIER_LEASE_SECONDS": "2",
    "SUPPLIER_RETRY_BASE_SECONDS": "0.1",
    "MUSTER_TEST_WORKFLOW_LEASE": "1",
}
SNAPSHOT_HASH: Final = "5" * 64
_READ_OR_WRITTEN: Final = (
    names.DELIVERY_COMMANDS,
    names.DELIVERY_BATCH_MESSAGES,
    names.DELIVERY_MESSAGES,
    names.DELIVERY_EVENTS,
    names.DELIVERY_ACTIVITY,
    names.DELIVERY_LOGS,
    names.TEMPLATES_STATE,
    names.APPROVALS_STATE,
    names.OPERATORS_STATE,
    names.WORKFLOWS_COMMANDS,
    names.WORKFLOWS_EVENTS,
    names.WORKFLOWS_STATE,
    names.HEARTBEATS,
    names.SUPPLIER_COMMANDS,
    names.SUPPLIER_EVENTS,
    names.SUPPLIER_STATE,
)
_LETTER: Final = "Dear #data.contact.first_name, site #data.site.name."


def topics_needed() -> list[Topic]:
    """Return what a lane reads or writes, with few partitions: the broker serves many lanes."""
    registries = [*DELIVERY.registries.values(), *SUPPLIER.registries.values()]
    read = [topic for registry in registries for topic in registry.topics]
    wanted = dict.fromkeys((*_READ_OR_WRITTEN, *read))
    few = [dataclasses.replace(topic, partitions=2) for topic in wanted]
    return few + [topic.dead_letters for topic in few]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign that may start: its content and target are approved."""

    people: Sequence[Person]
    content_hash: str
    domain: str
    campaign_id: UUID = field(default_factory=new_id)
    delivery_id: UUID = field(default_factory=new_id)
    snapshot_id: UUID = field(default_factory=new_id)
    run_id: UUID = field(default_factory=new_id)

    def start(self, **more: Any) -> StartDelivery:
        """Return the command that starts it."""
        return StartDelivery(
            campaign_id=self.campaign_id,
            run_id=self.run_id,
            delivery_id=self.delivery_id,
            campaign_number=1042,
            campaign_label="Autumn",
            snapshot_id=self.snapshot_id,
            snapshot_hash=SNAPSHOT_HASH,
            content_hash=self.content_hash,
            count=len(self.people),
            chunks=len(chunks(list(self.people))),
            **more,
        )


@dataclass
class Lane:
    """An instance with delivery, and the supplier service where letters are wanted.

    Attributes:
        door: delivery's own handlers, called here and now, as its CLI does.
        blamed: what broke in former runs and stays broken: each is blamed for its own.
    """

    servers: Servers
    rig: Rig
    receiver: Receiver
    door: Runtime
    news: News
    template_id: UUID = field(default_factory=new_id)
    order_template_id: UUID = field(default_factory=new_id)
    letter_template_id: UUID = field(default_factory=new_id)
    service_id: UUID = field(default_factory=new_id)
    blamed: set[str] = field(default_factory=set)

    @property
    def hits(self) -> Path:
        """Where processes write which fault hit what."""
        return self.rig.folder / "hits"

    @property
    def domain(self) -> str:
        """The people's domain."""
        return "people.example"

    def start(self, service: str = "delivery", *, replica: int = 1, **environment: str) -> Worker:
        """Start a process of a service."""
        more = {"SMTP_PORT": str(self.receiver.port), "MUSTER_TEST_HITS": str(self.hits)}
        return self.rig.start(service, replica=replica, **(QUICK | more | environment))

    def kill_all(self) -> None:
        """End every process there is, at once."""
        for worker in self.rig.workers.values():
            worker.kill()
        self.rig.workers.clear()

    async def forget(self, runs: Sequence[UUID]) -> None:
        """Remove what went wrong, so that it is in nobody's way."""
        self.kill_all()
        for table in ("queue", "slices", "attempts", "ledger", "runs"):
            await self.rig.owner.execute(
                f"DELETE FROM delivery.{table} WHERE run_id = ANY ($1::uuid[])", list(runs)
            )
        await self.rig.owner.execute(
            "DELETE FROM supplier.jobs WHERE run_id = ANY ($1::uuid[])", list(runs)
        )

    async def approved(self, people: Sequence[Person], *, letters: bool = False) -> Campaign:
        """Return a campaign for people, as if its proof had been approved."""
        made = Campaign(people, "", self.domain)
        [prepared] = await self.door.execute(
            PrepareDelivery(
                campaign_id=made.campaign_id,
                delivery_id=made.delivery_id,
                template_id=self.letter_template_id if letters else self.template_id,
                supplier_service_id=self.service_id if letters else None,
            )
        )
        assert isinstance(prepared, DeliveryPrepared)
        made = dataclasses.replace(made, content_hash=prepared.content_hash)
        async with self.door.uow.begin() as work:
            await work.connection.execute(
                "INSERT INTO snapshots (snapshot_id, campaign_id, first_at) VALUES ($1, $2, $3)",
                made.snapshot_id,
                made.campaign_id,
                work.now,
            )
            await work.connection.executemany(
                "INSERT INTO snapshot_chunks (snapshot_id, index, size, members)"
                " VALUES ($1, $2, $3, $4)",
                [
                    (made.snapshot_id, index, len(members), members)
                    for index, members in enumerate(chunks(list(people)))
                ],
            )
            await work.connection.execute(
                "INSERT INTO approvals (approval_id, campaign_id, campaign_number,"
                " campaign_label, delivery_id, revision, kind, outcome, count, content_hash,"
                " snapshot_id, snapshot_hash, requested_by, requested_at, deadline_at,"
                " reviewer_ids)"
                " VALUES ($1, $2, 1042, 'Autumn', $3, 1, 'proof', 'approved', $4, $5, $6, $7,"
                " 'tests', now(), now() + interval '3 days', '{}')",
                new_id(),
                made.campaign_id,
                made.delivery_id,
                len(people),
                made.content_hash,
                made.snapshot_id,
                SNAPSHOT_HASH,
            )
        return made


@asynccontextmanager
async def lane(servers: Servers, folder: Path, spawn: Spawn) -> AsyncIterator[Lane]:
    """Yield a lane with its files in a folder; what else it has ends with the block."""
    async with (
        fresh_instance(servers) as instance,
        receiver(folder) as mails,
        rig(instance, folder, topics=topics_needed(), services=SERVICES, spawn=spawn) as driven,
    ):
        settings = instance.settings(DeliverySettings, DATABASE_POOL_SIZE="2")
        door = await open_runtime(DELIVERY, settings)
        news = News(driven.settings, topics=(names.DELIVERY_EVENTS,))
        await news.open()
        made = Lane(servers, driven, mails, door, news)
        try:
            made.start()
            await _furnish(made)
            yield made
        finally:
            made.kill_all()
            await news.close()
            await door.pool.close()


async def _furnish(made: Lane) -> None:
    async def operators_known() -> bool:
        count: int = await made.rig.value("SELECT count(*) FROM delivery.operators")
        return count >= len(OPERATORS)

    await eventually(operators_known, seconds=60, what="the operators")
    for template_id, subject, text, letter in (
        (made.template_id, "Offer", "Good day {{ contact.first_name }}", ""),
        (made.order_template_id, "Order", "Order {{ ctx.order }}", ""),
        (made.letter_template_id, "Offer", "Good day {{ contact.first_name }}", _LETTER),
    ):
        await made.door.execute(
            SaveTemplate(
                template_id=template_id,
                actor=manager,
                label=subject,
                subject=subject,
                body=f"<p>{text}</p>",
                text=text,
                from_address=FROM_ADDRESS,
                letter=letter,
            )
        )
    async with opened("supplier", made.rig.settings) as supplier:
        for operator_id, roles in OPERATORS.items():
            await supplier.execute(
                OperatorState(operator_id=operator_id, version=1, name=roles[0], roles=roles)
            )
        await supplier.execute(
            SaveService(
                service_id=made.service_id,
                actor=manager,
                supplier="Printer",
                label="Letters",
                router_address=f"router@{made.domain}",
                file_pattern="{number}-{run}.csv",
            )
        )


async def overall(made: Lane) -> list[str]:
    """Return what ``muster check`` finds once a lane has played: all that was published counts."""
    for service in SERVICES:
        if not any(one.alive for one in made.rig.workers.values() if one.name == service):
            made.start(service)
    found: list[str] = []

    async def nothing() -> bool:
        verdicts = await checking.verdicts(made.rig.settings, SERVICES)
        found[:] = [line for verdict in verdicts for line in verdict.broken]
        return not found

    with suppress(AssertionError):
        await eventually(nothing, seconds=CATCH_UP_SECONDS)
    return found
