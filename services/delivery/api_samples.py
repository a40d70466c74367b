"""HTTP routes of samples: an event's message with a sample ``ctx``, shown or sent to seeds."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from services.delivery.approving import settings_of
from services.delivery.domain.sms_parts import parts_of
from services.delivery.sampling import Sample, rendered, sample, seeds_of, send_to_seeds
from shared.http import Caller, Here, may_read
from shared.ids import new_id
from shared.rights import Right, require
from shared.uow import Work
from topics.delivery import Channel
from topics.outside import Context

router = APIRouter(prefix="/templates/{template_id}", dependencies=[Depends(may_read)])


class SampleBody(BaseModel):
    """What is rendered: the template's content now, or one that it had."""

    model_config = ConfigDict(extra="forbid")

    ctx: Context = Field(default_factory=dict, description="what an event would bring")
    content_hash: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="another content than the current one"
    )


class SampleView(BaseModel):
    """A sample message; an SMS has a text alone, and so many parts."""

    content_hash: str
    channel: Channel
    subject: str
    html: str
    text: str
    sms_parts: int | None = None


class SeedTestBody(SampleBody):
    """A test; asked for again with the same ``test_id``, it is sent once."""

    test_id: UUID | None = None


class SeedTest(BaseModel):
    """How many seeds a test goes to; what became of it: ``runs/{test_id}/recipients``."""

    test_id: UUID
    recipients: int


@router.post("/preview")
async def preview(template_id: UUID, body: SampleBody, runtime: Here) -> SampleView:
    """Render the message of an event with a sample ``ctx``; what is missing is refused by name."""
    async with runtime.uow.begin() as work:
        found, settings = await _sample(work, template_id, body), settings_of(work)
    made = await rendered(found, settings)
    channel = found.content.channel
    return SampleView(
        content_hash=found.template_hash,
        channel=channel,
        subject=made.subject,
        html=made.html,
        text=made.text,
        sms_parts=parts_of(made.text) if channel is Channel.SMS else None,
    )


@router.post("/test", status_code=202)
async def send_test(
    template_id: UUID, body: SeedTestBody, actor: Caller, runtime: Here
) -> SeedTest:
    """Send the message of an event with a sample ``ctx`` to the template's seeds alone."""
    test_id = body.test_id or new_id()
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_EVENTS)
        found, settings = await _sample(work, template_id, body), settings_of(work)
    seeds_of(found)
    await rendered(found, settings)
    async with runtime.uow.begin() as work:
        return SeedTest(test_id=test_id, recipients=await send_to_seeds(work, found, test_id))


async def _sample(work: Work, template_id: UUID, body: SampleBody) -> Sample:
    found = await sample(work, template_id, body.content_hash, body.ctx)
    if found is None:
        raise HTTPException(404, "there is no such template")
    return found
