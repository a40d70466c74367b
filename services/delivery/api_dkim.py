"""HTTP routes of DKIM keys: those who manage operators hold them."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from services.delivery.dkim import keeping
from services.delivery.dkim.keys import record_of, zone_line
from services.delivery.dkim.signing import Algorithm
from services.delivery.store.dkim import DkimKey, DkimStore
from shared.http import Caller, Here, may_read
from shared.rights import Right, require

dkim_router = APIRouter(prefix="/dkim", dependencies=[Depends(may_read)])


class NewKey(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    domain: str = Field(min_length=3, max_length=253)
    selector: str | None = Field(default=None, max_length=63)
    algorithm: Algorithm = Algorithm.RSA
    in_hours: float = Field(
        default=1.0, ge=0, le=keeping.MOST_HOURS, description="when it begins to sign"
    )


class KeyView(BaseModel):
    """A key, and the TXT record its receivers look for."""

    model_config = ConfigDict(frozen=True)

    domain: str
    selector: str
    algorithm: Algorithm
    valid_from: datetime
    retired_at: datetime | None
    record_name: str
    record: str
    zone_line: str

    @classmethod
    def of(cls, key: DkimKey) -> KeyView:
        """Return a key's view."""
        record = record_of(key.algorithm, key.public_key)
        return cls(
            domain=key.domain,
            selector=key.selector,
            algorithm=key.algorithm,
            valid_from=key.valid_from,
            retired_at=key.retired_at,
            record_name=f"{key.selector}._domainkey.{key.domain}",
            record=record,
            zone_line=zone_line(key.domain, key.selector, record),
        )


@dkim_router.get("")
async def keys(runtime: Here) -> list[KeyView]:
    """Return every key by domain, the latest first; private halves are never shown."""
    async with runtime.pool.acquire() as connection:
        return [KeyView.of(key) for key in await DkimStore(connection).all()]


@dkim_router.post("", status_code=201)
async def add_key(body: NewKey, actor: Caller, runtime: Here) -> KeyView:
    """Make a key; publish its record before it begins to sign."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_OPERATORS)
        key = await keeping.add(
            work,
            domain=body.domain,
            selector=body.selector,
            algorithm=body.algorithm,
            in_hours=body.in_hours,
        )
    return KeyView.of(key)


@dkim_router.delete("/{domain}/{selector}")
async def retire_key(domain: str, selector: str, actor: Caller, runtime: Here) -> KeyView:
    """Let a key sign no more; keep its record in the DNS until its mails have arrived."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_OPERATORS)
        key = await keeping.retire(work, domain=domain, selector=selector)
    return KeyView.of(key)
