"""HTTP routes of webhooks' endpoints: those who manage operators say where data leaves to."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from services.delivery.store.webhooks import Endpoint, EndpointStore
from services.delivery.webhooks import keeping
from shared.http import Caller, Here, may_read
from shared.rights import Right, require

webhooks_router = APIRouter(prefix="/webhooks", dependencies=[Depends(may_read)])
NO_NUL = r"^[^\x00]*$"


class NewEndpoint(BaseModel):
    """An endpoint to register."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=60, description="what event templates call it")
    url: str = Field(min_length=1, max_length=2000, pattern=NO_NUL, description="https alone")


class EndpointChange(BaseModel):
    """What becomes of an endpoint; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(default=None, min_length=1, max_length=2000, pattern=NO_NUL)
    active: bool | None = None


class EndpointView(BaseModel):
    """An endpoint without its secrets."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    name: str
    url: str
    active: bool
    reason: str = Field(description="why it gets nothing, while it is not active")
    created_at: datetime
    changed_at: datetime
    previous_until: datetime | None = Field(
        description="how long the secret before the last rotation signs as well"
    )


class EndpointSecret(EndpointView):
    """An endpoint with its secret, which is shown this once."""

    secret: str

    @classmethod
    def of(cls, endpoint: Endpoint, secret: str) -> EndpointSecret:
        """Return the view."""
        return cls(**EndpointView.model_validate(endpoint).model_dump(), secret=secret)


@webhooks_router.get("")
async def endpoints(runtime: Here) -> list[EndpointView]:
    """Return every endpoint in order of name; secrets are never shown."""
    async with runtime.pool.acquire() as connection:
        return [EndpointView.model_validate(one) for one in await EndpointStore(connection).all()]


@webhooks_router.post("", status_code=201)
async def add_endpoint(body: NewEndpoint, actor: Caller, runtime: Here) -> EndpointSecret:
    """Register an endpoint and return its secret, this once."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_OPERATORS)
        return EndpointSecret.of(*await keeping.add(work, name=body.name, url=body.url))


@webhooks_router.patch("/{name}")
async def change_endpoint(
    name: str, body: EndpointChange, actor: Caller, runtime: Here
) -> EndpointView:
    """Move an endpoint to another URL, switch it off, or on again."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_OPERATORS)
        changed = await keeping.change(work, name=name, url=body.url, active=body.active)
    return EndpointView.model_validate(changed)


@webhooks_router.post("/{name}/rotation")
async def rotate_secret(name: str, actor: Caller, runtime: Here) -> EndpointSecret:
    """Give an endpoint a new secret; the one before signs as well for a while."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_OPERATORS)
        return EndpointSecret.of(*await keeping.rotate(work, name=name))
