"""A supplier service with one service saved, driven step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx

from deploy.embedded.catcher import EmbeddedMail
from services.supplier.clerk import Clerk
from services.supplier.invariants import broken
from services.supplier.settings import SupplierSettings
from services.supplier.workflows import manage
from shared import identity
from shared.http import create_app
from shared.service import Runtime
from tests.outboxes import emitted_by
from tests.unit.actions.samples import MANAGER, operators
from topics.message import Actor, Message
from topics.supplier import ExtractionRow, ExtractRows, SaveService

M = TypeVar("M", bound=Message)


def a_row(number: int, **more: Any) -> ExtractionRow:
    fields = {
        "recipient_id": UUID(int=5_000_000 + number),
        "recipient": f"Zoé Person {number}",
        "site": "Site",
        "street": "1 rue du Port",
        "postal_code": "59000",
        "town": "Lille",
        "country": "FR",
    }
    return ExtractionRow(**fields | more)


@dataclass(slots=True)
class Story:
    """One supplier and one campaign's run."""

    runtime: Runtime
    router: str = field(default_factory=lambda: f"router-{uuid4().hex[:8]}@morel.example")
    service_id: UUID = field(default_factory=uuid4)
    campaign_id: UUID = field(default_factory=uuid4)
    run_id: UUID = field(default_factory=uuid4)
    delivery_id: UUID = field(default_factory=uuid4)

    @property
    def settings(self) -> SupplierSettings:
        assert isinstance(self.runtime.settings, SupplierSettings)
        return self.runtime.settings

    def service(self, **more: Any) -> SaveService:
        fields = {
            "service_id": self.service_id,
            "actor": MANAGER,
            "supplier": "Imprimerie Morel",
            "label": "Letters",
            "router_address": self.router,
        }
        return SaveService(**fields | more)

    def chunks(self, rows: Sequence[ExtractionRow], size: int = 4) -> list[ExtractRows]:
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        return [
            ExtractRows(
                campaign_id=self.campaign_id,
                campaign_number=1042,
                campaign_label="Autumn",
                run_id=self.run_id,
                delivery_id=self.delivery_id,
                service_id=self.service_id,
                index=index,
                chunks=len(parts),
                rows=tuple(part),
            )
            for index, part in enumerate(parts)
        ]

    async def prepare(self, **more: Any) -> None:
        for message in [*operators(), self.service(**more)]:
            await self.runtime.execute(message)

    async def extract(self, number: int = 10) -> None:
        for chunk in self.chunks([a_row(n) for n in range(number)]):
            await self.runtime.execute(chunk)

    async def order(self) -> None:
        """Let supplierMgt do what is due."""
        async with self.runtime.uow.begin() as work:
            await manage(work)

    async def step(self) -> bool:
        """Let the clerk do one step."""
        return await Clerk(self.runtime.uow, self.settings).step()

    async def finish(self) -> None:
        """Do all that is due now."""
        await self.order()
        while await self.step():
            await self.order()
        await self.order()

    async def job(self) -> dict[str, Any]:
        row = await self.runtime.pool.fetchrow("SELECT * FROM jobs WHERE run_id = $1", self.run_id)
        assert row is not None
        return dict(row)

    async def state(self) -> str:
        return str((await self.job())["state"])

    async def file(self) -> Path:
        job = await self.job()
        return self.settings.supplier_files / str(job["file_id"]) / str(job["file_name"])

    async def due_now(self) -> None:
        """Let the time until the next try, and every lease, pass."""
        await self.runtime.pool.execute(
            "UPDATE jobs SET next_at = '2020-01-01', lease_until = '2020-01-01'"
        )

    async def check(self) -> None:
        async with self.runtime.pool.acquire() as connection:
            assert await broken(connection) == []

    def caller(self, actor: Actor = MANAGER) -> httpx.AsyncClient:
        token = identity.issue(
            self.settings.secret, actor, audience="supplier", now=self.runtime.clock.now()
        )
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=create_app(self.runtime)),
            base_url="http://supplier/api/v1/supplier",
            headers={identity.HEADER: token},
        )

    async def emitted(self, kind: type[M]) -> list[M]:
        """Return the messages of a type that wait in the outbox, in order."""
        return await emitted_by(self.runtime, kind)


@contextmanager
def a_catcher(folder: Path) -> Iterator[EmbeddedMail]:
    """Yield a mail catcher of the tests' own, whose faults concern nobody else."""
    server = EmbeddedMail(folder)
    asyncio.run(server.start())
    try:
        yield server
    finally:
        asyncio.run(server.kill())


def client(catcher: EmbeddedMail) -> httpx.AsyncClient:
    """Return a client of a catcher."""
    return httpx.AsyncClient(base_url=catcher.url, timeout=30)


async def received(catcher: EmbeddedMail, recipient: str) -> list[dict[str, Any]]:
    """Return the mails a catcher has for an address, each with its details."""
    async with client(catcher) as http:
        page = (await http.get("/api/messages", params={"limit": 1000})).json()["messages"]
        return [
            (await http.get(f"/api/messages/{one['id']}")).json()
            for one in page
            if recipient in one["recipients"]
        ]


async def script(catcher: EmbeddedMail, *rules: dict[str, Any]) -> None:
    """Make a catcher misbehave, or behave again."""
    async with client(catcher) as http:
        answer = await http.put("/api/faults", json={"rules": rules})
        assert answer.status_code == 200, answer.text
