"""The HTTP routes of consent. Addresses stand in bodies, never in a URL, which servers log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.targeting.access import check
from services.targeting.store import ConsentStore
from shared.http import Caller, Here, carry_out
from shared.ids import recipient_key
from shared.rights import Right
from shared.service import Runtime
from topics.targeting import RecordConsent

router = APIRouter()


class Address(BaseModel):
    """Whose consent, for which channel."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[str, Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
    channel: Annotated[str, Field(pattern=r"^[a-z_]{1,20}$")] = "email"


class NewConsent(Address):
    """What somebody said."""

    opted_out: bool


class ConsentState(BaseModel):
    """The consent that holds; ``at`` is empty when nobody said anything."""

    recipient_key: str
    channel: str
    opted_out: bool
    at: datetime | None


@router.post("/consents/find")
async def find(body: Address, actor: Caller, runtime: Here) -> ConsentState:
    """Return the consent of an address."""
    await check(runtime, actor, Right.READ)
    return await _held(runtime, _key(runtime, body), body.channel)


@router.put("/consents")
async def record(body: NewConsent, actor: Caller, runtime: Here) -> ConsentState:
    """Note that somebody opted out, or in again, now."""
    key = _key(runtime, body)
    await carry_out(
        runtime,
        RecordConsent(
            recipient_key=key,
            channel=body.channel,
            opted_out=body.opted_out,
            actor=actor,
            at=runtime.clock.now(),
        ),
    )
    return await _held(runtime, key, body.channel)


def _key(runtime: Runtime, body: Address) -> str:
    return recipient_key(runtime.settings.secret, body.channel, body.address)


async def _held(runtime: Runtime, key: str, channel: str) -> ConsentState:
    async with runtime.pool.acquire() as connection:
        known = await ConsentStore(connection).find(key, channel)
    if known is None:
        return ConsentState(recipient_key=key, channel=channel, opted_out=False, at=None)
    return ConsentState(recipient_key=key, channel=channel, opted_out=known.opted_out, at=known.at)
