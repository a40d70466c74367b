"""Whose consent for a channel is asked or noted, by whichever door it comes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.targeting.store import ConsentStore
from shared.http import carry_out
from shared.ids import recipient_key
from shared.service import Runtime
from topics.message import Actor
from topics.targeting import RecordConsent


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


async def held(runtime: Runtime, whose: Address) -> ConsentState:
    """Return the consent that holds."""
    key = _key(runtime, whose)
    async with runtime.pool.acquire() as connection:
        known = await ConsentStore(connection).find(key, whose.channel)
    if known is None:
        return ConsentState(recipient_key=key, channel=whose.channel, opted_out=False, at=None)
    return ConsentState(
        recipient_key=key, channel=whose.channel, opted_out=known.opted_out, at=known.at
    )


async def recorded(runtime: Runtime, said: NewConsent, actor: Actor) -> ConsentState:
    """Note what somebody said now; return the consent that holds.

    Raises:
        Refused: the actor may not.
    """
    command = RecordConsent(
        recipient_key=_key(runtime, said),
        channel=said.channel,
        opted_out=said.opted_out,
        actor=actor,
        at=runtime.clock.now(),
    )
    await carry_out(runtime, command)
    return await held(runtime, said)


def _key(runtime: Runtime, whose: Address) -> str:
    return recipient_key(runtime.settings.secret, whose.channel, whose.address)
