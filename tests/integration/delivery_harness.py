"""What the delivery tests share: builders of messages, and a service driven without Kafka.

Without a relay the outbox keeps everything the service said, in order: tests read it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
from aiohttp import web

from deploy.embedded.mail.faults import FaultPlayer, FaultRule, FaultScript
from deploy.embedded.mail.smtp import CatchAll, serve_smtp
from deploy.embedded.mail.store import MailStore
from deploy.embedded.mail.web import application
from services.delivery.app import SERVICE
from services.delivery.invariants import broken
from services.delivery.progress import run_progress
from services.delivery.sender import run_sender
from services.delivery.workflows import deliveries_in_campaigns
from shared.clock import Clock
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET
from tests.outboxes import emitted_by
from tests.waiting import PATIENCE, eventually
from topics.delivery import (
    ApprovalRequested,
    DecideApproval,
    Decision,
    DeliveryFinished,
    DeliveryPrepared,
    GenerateProof,
    PrepareDelivery,
    SaveTemplate,
    StartDelivery,
)
from topics.message import Actor, Message, Via
from topics.operators import OperatorState, Role
from topics.targeting import Counts, Member, SiteRecord, SnapshotChunk

M = TypeVar("M", bound=Message)
MANAGER, REVIEWER, OTHER = uuid4(), uuid4(), uuid4()


def actor(operator: UUID, via: Via = Via.SLACK) -> Actor:
    return Actor(id=str(operator), via=via)


def operator(operator_id: UUID, *roles: Role, name: str = "Somebody") -> OperatorState:
    return OperatorState(version=1, operator_id=operator_id, name=name, roles=roles)


def member(address: str | None, *, first_name: str = "Ada", **more: Any) -> Member:
    member_id = uuid4()
    return Member(
        member_id=member_id,
        kind=Counts.CONTACTS,
        contact_id=member_id,
        site=SiteRecord(site_id=uuid4(), name="Moulin <Neuf>", town="Lyon"),
        first_name=first_name,
        last_name="Example",
        email=address,
        recipient_key=recipient_key(SECRET.encode(), "email", address) if address else None,
        **more,
    )


@dataclass(slots=True)
class Case:
    """One campaign of a test, with everything the campaign service would know of it."""

    members: Sequence[Member]
    domain: str = field(default_factory=lambda: f"{uuid4().hex[:12]}.example")
    campaign_id: UUID = field(default_factory=uuid4)
    delivery_id: UUID = field(default_factory=uuid4)
    template_id: UUID = field(default_factory=uuid4)
    snapshot_id: UUID = field(default_factory=uuid4)
    run_id: UUID = field(default_factory=uuid4)
    snapshot_hash: str = "5" * 64
    content_hash: str = ""
    supplier_service_id: UUID | None = None
    chunk_size: int = 2

    @property
    def chunks(self) -> list[SnapshotChunk]:
        size = self.chunk_size
        return [
            SnapshotChunk(
                campaign_id=self.campaign_id,
                snapshot_id=self.snapshot_id,
                index=start // size,
                members=tuple(self.members[start : start + size]),
            )
            for start in range(0, len(self.members), size)
        ]

    def template(self, **more: Any) -> SaveTemplate:
        values: dict[str, Any] = {
            "template_id": self.template_id,
            "actor": actor(MANAGER),
            "label": "Spring",
            "subject": "Hello {{ contact.first_name }}",
            "body": "<html><body><p>For {{ site.name }}, {{ campaign.number }}</p></body></html>",
            "from_name": "Example",
            "from_address": "news@example.org",
            "proof_recipients": (f"proof@{self.domain}",),
        }
        return SaveTemplate(**values | more)

    def prepare(self) -> PrepareDelivery:
        return PrepareDelivery(
            campaign_id=self.campaign_id,
            delivery_id=self.delivery_id,
            template_id=self.template_id,
            supplier_service_id=self.supplier_service_id,
        )

    def proof(self, *reviewers: UUID) -> GenerateProof:
        return GenerateProof(
            campaign_id=self.campaign_id,
            campaign_number=1042,
            campaign_label="Spring",
            delivery_id=self.delivery_id,
            snapshot_id=self.snapshot_id,
            snapshot_hash=self.snapshot_hash,
            count=len(self.members),
            chunks=len(self.chunks),
            reviewer_ids=reviewers,
            requested_by=actor(MANAGER),
        )

    def start(self, **more: Any) -> StartDelivery:
        values: dict[str, Any] = {
            "campaign_id": self.campaign_id,
            "run_id": self.run_id,
            "delivery_id": self.delivery_id,
            "campaign_number": 1042,
            "campaign_label": "Spring",
            "snapshot_id": self.snapshot_id,
            "snapshot_hash": self.snapshot_hash,
            "content_hash": self.content_hash,
            "count": len(self.members),
            "chunks": len(self.chunks),
        }
        return StartDelivery(**values | more)

    def decide(
        self, asked: ApprovalRequested, decision: Decision, *, by: UUID = REVIEWER, reason: str = ""
    ) -> DecideApproval:
        return DecideApproval(
            approval_id=asked.approval_id,
            campaign_id=asked.campaign_id,
            revision=asked.revision,
            decision=decision,
            reason=reason,
            actor=actor(by),
        )


async def said(runtime: Runtime, kind: type[M]) -> list[M]:
    """Return what the service published of a kind, oldest first."""
    return await emitted_by(runtime, kind)


async def first(runtime: Runtime, kind: type[M], seconds: float = PATIENCE) -> M:
    """Return the first message of a kind, waiting for it."""

    async def probe() -> list[M]:
        return await said(runtime, kind)

    found: list[M] = await eventually(probe, seconds=seconds, what=kind.__name__)
    return found[0]


@asynccontextmanager
async def checked(
    open_service: Open, catcher: Catcher, clock: Clock | None = None, **more: str
) -> AsyncIterator[Runtime]:
    """Open a delivery service that knows the operators; its invariants hold at the end."""
    made = await open_service(
        SERVICE, clock=clock, SMTP_PORT=str(catcher.port), PROGRESS_SECONDS="0.1", **more
    )
    await add_operators(made)
    yield made
    async with made.pool.acquire() as connection:
        assert await broken(connection) == []


async def add_operators(runtime: Runtime) -> None:
    await runtime.execute(operator(MANAGER, Role.MANAGER, Role.REVIEWER, name="Maud"))
    await runtime.execute(operator(REVIEWER, Role.REVIEWER, name="Rémi"))
    await runtime.execute(operator(OTHER, Role.MANAGER, name="Otto"))


async def prepare(runtime: Runtime, case: Case, **template: Any) -> None:
    await runtime.execute(case.template(**template))
    [prepared] = await runtime.execute(case.prepare())
    assert isinstance(prepared, DeliveryPrepared)
    case.content_hash = prepared.content_hash


async def work_off(runtime: Runtime) -> None:
    """Let deliveryMgt do what it has to do now."""
    more = True
    while more:
        async with runtime.uow.begin() as work:
            more = (await deliveries_in_campaigns(work)).more


@asynccontextmanager
async def sending(runtime: Runtime) -> AsyncIterator[None]:
    """Run the sender, the progress task and deliveryMgt of a service."""
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(run_sender(runtime, stop)),
        asyncio.create_task(run_progress(runtime, stop)),
        asyncio.create_task(runtime.engine.run(stop)),
    ]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)


async def approved(runtime: Runtime, case: Case, *, service: bool = True, **template: Any) -> None:
    """Bring a case to a granted approval; the sender must be running."""
    if service:
        await add_operators(runtime)
    await prepare(runtime, case, **template)
    for chunk in case.chunks:
        await runtime.execute(chunk)
    await runtime.execute(case.proof(REVIEWER))

    async def asked() -> list[ApprovalRequested]:
        every = await said(runtime, ApprovalRequested)
        return [one for one in every if one.snapshot_id == case.snapshot_id]

    [request] = await eventually(asked, what="the request for approval")
    await runtime.execute(case.decide(request, Decision.APPROVE))


async def finished(runtime: Runtime, case: Case, seconds: float = PATIENCE) -> DeliveryFinished:
    async def probe() -> list[DeliveryFinished]:
        return [one for one in await said(runtime, DeliveryFinished) if one.run_id == case.run_id]

    found: list[DeliveryFinished] = await eventually(probe, seconds=seconds, what="the end")
    assert len(found) == 1
    return found[0]


class Catcher:
    """A mail catcher of one test's own, whose faults no other test sees."""

    def __init__(self, folder: Path) -> None:
        self.store = MailStore(folder / "mails.sqlite3")
        self.handler = CatchAll(self.store)
        self.port = 0
        self.url = ""

    def misbehave(self, *rules: FaultRule) -> None:
        self.handler.faults = FaultPlayer(FaultScript(rules=rules))

    async def listed(self) -> list[tuple[str, str]]:
        """Return (address, subject) of each mail, asked from its API, oldest first."""
        async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE) as client:
            answer = await client.get("/api/messages", params={"limit": 1000})
        return [(one["recipients"][0], one["subject"]) for one in answer.json()["messages"]]

    async def to(self, address: str) -> list[EmailMessage]:
        """Return the mails one address got, oldest first."""
        mails = await self.store.after(0, 1_000)
        return [
            message_from_bytes(mail.raw, policy=default)
            for mail in mails
            if address in mail.recipients
        ]


def part(mail: EmailMessage, kind: str) -> str:
    """Return the text of a mail's part: ``html`` or ``plain``."""
    body = mail.get_body((kind,))
    assert body is not None
    content: str = body.get_content()
    return content


@asynccontextmanager
async def catching(folder: Path) -> AsyncIterator[Catcher]:
    catcher = Catcher(folder)
    server = await serve_smtp(catcher.handler, "127.0.0.1", 0)
    catcher.port = server.sockets[0].getsockname()[1]
    pages = web.AppRunner(application(catcher.store, catcher.handler), access_log=None)
    await pages.setup()
    site = web.TCPSite(pages, "127.0.0.1", 0)
    await site.start()
    catcher.url = f"http://127.0.0.1:{pages.addresses[0][1]}"
    try:
        yield catcher
    finally:
        server.close()
        await pages.cleanup()
        catcher.store.close()
