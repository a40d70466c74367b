"""HTTP routes of bounces and quarantine. Addresses stand in bodies, never in a URL."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from services.delivery.domain.qualification import LABELS
from services.delivery.domain.quarantine import Standing
from services.delivery.store.bounce_messages import BounceMessage, BounceMessageStore
from services.delivery.store.quarantine import Entry, QuarantineStore
from services.delivery.wire import View
from shared.http import Caller, Here, carry_out, may_read
from shared.ids import recipient_key
from topics.bounces import (
    AddressStatus,
    ErrorReason,
    QualificationStatus,
    QualifyBounce,
    ReleaseAddress,
    Severity,
)
from topics.delivery import Channel

router = APIRouter(dependencies=[Depends(may_read)])
Limit = Annotated[int, Query(ge=1, le=1000)]


class BounceMessageView(View):
    """A server's words, how often they came and what they mean."""

    text_id: int
    text: str
    status: QualificationStatus
    reason: ErrorReason
    label: str
    severity: Severity
    by_person: bool
    count: int
    first_at: datetime
    last_at: datetime

    @classmethod
    def of(cls, message: BounceMessage) -> BounceMessageView:
        """Return a text's view."""
        values = {name: getattr(message, name) for name in cls.model_fields if name != "label"}
        return cls(label=LABELS[message.reason]["en"], **values)


class NewQualification(BaseModel):
    """What a person makes of a text."""

    model_config = ConfigDict(extra="forbid")

    status: QualificationStatus = QualificationStatus.KEEP
    reason: ErrorReason
    severity: Severity


class AddressView(View):
    """An address in quarantine, under its keyed hash."""

    recipient_key: str
    channel: Channel
    status: AddressStatus
    reason: ErrorReason
    label: str
    soft_errors: int
    since: datetime

    @classmethod
    def of(cls, entry: Entry) -> AddressView:
        """Return an address's view."""
        values = {name: getattr(entry, name) for name in cls.model_fields if name != "label"}
        return cls(label=LABELS[entry.reason]["en"], **values)


class Address(BaseModel):
    """Which address: itself, or the key that lists show."""

    model_config = ConfigDict(extra="forbid")

    address: str | None = Field(default=None, min_length=3, max_length=254)
    recipient_key: str | None = Field(default=None, min_length=1, max_length=100)
    channel: Channel = Channel.EMAIL

    def key(self, secret: bytes) -> str:
        """Return the address's key.

        Raises:
            HTTPException: neither or both are given.
        """
        if (self.address is None) == (self.recipient_key is None):
            raise HTTPException(422, "give address or recipient_key, one of them")
        return self.recipient_key or recipient_key(secret, self.channel, self.address or "")


class Release(Address):
    """Why an address is released; it goes into the journal."""

    reason: str = Field(min_length=1, max_length=1000)


class StandingView(View):
    """Where one address stands."""

    recipient_key: str
    channel: Channel
    status: AddressStatus
    reason: ErrorReason
    soft_errors: int


@router.get("/bounces/messages")
async def messages(
    runtime: Here,
    status: QualificationStatus | None = None,
    after: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Limit = 100,
) -> list[BounceMessageView]:
    """Return the texts of bounces in order of id, after one of them."""
    async with runtime.pool.acquire() as connection:
        found = await BounceMessageStore(connection).page(status=status, after=after, limit=limit)
    return [BounceMessageView.of(one) for one in found]


@router.put("/bounces/messages/{text_id}")
async def qualify(
    text_id: int, body: NewQualification, actor: Caller, runtime: Here
) -> BounceMessageView:
    """Say what a text means from now on."""
    await carry_out(
        runtime,
        QualifyBounce(
            text_id=text_id,
            status=body.status,
            reason=body.reason,
            severity=body.severity,
            actor=actor,
        ),
    )
    async with runtime.pool.acquire() as connection:
        found = await BounceMessageStore(connection).find(text_id)
    if found is None:
        raise HTTPException(404, "there is no such text")
    return BounceMessageView.of(found)


@router.get("/quarantine")
async def quarantine(
    runtime: Here,
    status: AddressStatus | None = None,
    after: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 100,
) -> list[AddressView]:
    """Return addresses that get nothing, or those of one status, in order of key."""
    async with runtime.pool.acquire() as connection:
        found = await QuarantineStore(connection).page(status=status, after=after, limit=limit)
    return [AddressView.of(one) for one in found]


@router.post("/quarantine/find")
async def find(body: Address, runtime: Here) -> StandingView:
    """Return where an address stands."""
    return await _standing(runtime, body)


@router.post("/quarantine/release")
async def release(body: Release, actor: Caller, runtime: Here) -> StandingView:
    """Release an address; its errors until now count no more."""
    await carry_out(
        runtime,
        ReleaseAddress(
            recipient_key=body.key(runtime.settings.secret),
            channel=body.channel,
            reason=body.reason,
            actor=actor,
        ),
    )
    return await _standing(runtime, body)


async def _standing(runtime: Here, body: Address) -> StandingView:
    key = body.key(runtime.settings.secret)
    async with runtime.uow.begin() as work:
        found = await QuarantineStore(work.connection).find(key, body.channel) or Standing()
    return StandingView(
        recipient_key=key,
        channel=body.channel,
        status=found.status,
        reason=found.reason,
        soft_errors=found.soft_errors,
    )
