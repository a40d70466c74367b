"""An edge to call in tests: web with other services mounted in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from services.web.app import SERVICE as WEB
from services.web.edge import make_app
from services.web.operators import add_operator
from services.web.tokens import create_token
from shared.clock import Clock
from shared.http import create_app
from shared.service import Runtime, Service
from tests.conftest import Open
from topics.message import State
from topics.operators import OperatorState, Role


@dataclass(frozen=True, slots=True)
class Edge:
    """Web and what stands behind it, with an administrator and a client without a token."""

    web: Runtime
    app: FastAPI
    others: dict[str, Runtime]
    client: httpx.AsyncClient
    administrator: UUID

    async def operator(self, name: str, *roles: Role) -> UUID:
        """Add an operator and tell every service."""
        async with self.web.uow.begin() as work:
            made = await add_operator(
                work, name=name, email=f"{name.lower()}@example.org", roles=roles
            )
            states = [one for one in work.emitted if isinstance(one, OperatorState)]
        await self.tell(states)
        return made

    async def tell(self, states: Iterable[State]) -> None:
        """Give state messages to the other services, as Kafka would."""
        for state in states:
            for runtime in self.others.values():
                await runtime.execute(state)

    async def token(self, operator_id: UUID, *scopes: str, hours: float = 1) -> str:
        """Return a new token of an operator."""
        async with self.web.uow.begin() as work:
            expires = work.now + timedelta(hours=hours)
            return await create_token(work, operator_id, scopes, expires)

    async def headers(self, operator_id: UUID | None = None, *scopes: str) -> dict[str, str]:
        """Return the header of a new token; the administrator's with all scopes unless told."""
        token = await self.token(operator_id or self.administrator, *(scopes or ("admin",)))
        return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def open_edge(
    open_service: Open,
    *services: Service,
    clock: Clock | None = None,
    mounted: Mapping[str, ASGIApp] | None = None,
    **variables: str,
) -> AsyncIterator[Edge]:
    """Yield an edge with services, and plain ASGI apps, mounted behind it; all others are away."""
    web = await open_service(WEB, clock, **{"HTTP_BASE_PORT": "1", **variables})
    others = {one.name: await open_service(one, clock) for one in services}
    apps = {
        name: httpx.ASGITransport((runtime.service.make_app or create_app)(runtime))
        for name, runtime in others.items()
    }
    apps |= {name: httpx.ASGITransport(one) for name, one in (mounted or {}).items()}
    app = make_app(web, apps.get)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        edge = Edge(web, app, others, client, UUID(int=0))
        administrator = await edge.operator("Root", Role.ADMINISTRATOR)
        try:
            yield Edge(web, app, others, client, administrator)
        finally:
            await app.state.upstreams.aclose()
