"""HTTP routes of the delivery service: templates, deliveries, recipients, proofs."""

from __future__ import annotations

import hashlib
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi.responses import HTMLResponse

from services.delivery import api_approvals, api_runs, wire
from services.delivery.api_dkim import dkim_router
from services.delivery.api_indicators import indicators_router
from services.delivery.api_webhooks import webhooks_router
from services.delivery.domain.attachments import MOST_BYTES
from services.delivery.store.attachments import AttachmentStore
from services.delivery.store.deliveries import DeliveryStore
from services.delivery.store.lists import Lists
from services.delivery.store.proofs import ProofStore
from services.delivery.store.templates import TemplateStore
from shared.errors import NotAllowed, Refused
from shared.http import Caller, Here, carry_out, may_read
from shared.ids import new_id
from shared.rights import Right, require
from topics.delivery import (
    Outcome,
    SaveTemplate,
    TemplateState,
)

Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[UUID | None, Query(description="the last id of the page before")]
# A proof is an author's HTML: it is shown without scripts, forms or an origin, and loads images.
PREVIEW_POLICY = "sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline'"


async def _manager(actor: Caller, runtime: Here) -> bool:
    """Whether the caller may see addresses."""
    try:
        async with runtime.uow.begin() as work:
            await require(work, actor, Right.MANAGE_CAMPAIGNS)
    except NotAllowed:
        return False
    return True


Manages = Annotated[bool, Depends(_manager)]
router = APIRouter(dependencies=[Depends(may_read)])
router.include_router(dkim_router)
router.include_router(webhooks_router)
router.include_router(api_runs.router)
router.include_router(api_approvals.router)
router.include_router(indicators_router)


@router.get("/templates")
async def templates(
    runtime: Here, after: After = None, limit: Limit = 100
) -> list[wire.TemplateLine]:
    """Return templates in order of id, those after one of them."""
    async with runtime.pool.acquire() as connection:
        found = await TemplateStore(connection).page(after=after, limit=limit)
    return [wire.TemplateLine.of(template) for template in found]


@router.get("/templates/{template_id}")
async def template(template_id: UUID, runtime: Here) -> wire.TemplateView:
    """Return one template with its content."""
    async with runtime.pool.acquire() as connection:
        found = await TemplateStore(connection).find(template_id)
        if found is None:
            raise HTTPException(404, "there is no such template")
        attachments = await AttachmentStore(connection).of(found.template_hash)
    return wire.TemplateView.with_files(found, attachments)


@router.post("/templates", status_code=201)
async def save_template(body: wire.NewTemplate, actor: Caller, runtime: Here) -> wire.TemplateSaved:
    """Save a template; what cannot be rendered is refused with the field to mend."""
    template_id = body.template_id or new_id()
    fields = {name: getattr(body, name) for name in type(body).model_fields}
    del fields["template_id"]
    emitted = await carry_out(runtime, SaveTemplate(template_id=template_id, actor=actor, **fields))
    saved = next(one for one in emitted if isinstance(one, TemplateState))
    return wire.TemplateSaved(template_id=template_id, content_hash=saved.content_hash)


@router.post("/attachments", status_code=201)
async def upload(body: wire.NewFile, actor: Caller, runtime: Here) -> wire.FileSaved:
    """Keep a file for templates to name; the same one again is kept once."""
    digest = hashlib.sha256(body.content).hexdigest()
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_TEMPLATES)
        if not 0 < len(body.content) <= MOST_BYTES:
            raise Refused(f"takes 1 to {MOST_BYTES} bytes", field="content")
        await AttachmentStore(work.connection).save(digest, body.content, work.now)
    return wire.FileSaved(sha256=digest, size_bytes=len(body.content))


@router.get("/deliveries")
async def deliveries(
    runtime: Here, campaign_id: UUID | None = None, after: After = None, limit: Limit = 100
) -> list[wire.DeliveryView]:
    """Return deliveries in order of id, of one campaign when named, without their runs."""
    async with runtime.pool.acquire() as connection:
        found = await DeliveryStore(connection).page(
            campaign_id=campaign_id, after=after, limit=limit
        )
    return [wire.DeliveryView.of(delivery, []) for delivery in found]


@router.get("/deliveries/{delivery_id}")
async def delivery(delivery_id: UUID, runtime: Here) -> wire.DeliveryView:
    """Return a delivery and its runs: totals by channel, outcome and reason, counted from rows."""
    async with runtime.pool.acquire() as connection:
        found = await DeliveryStore(connection).find(delivery_id)
        if found is None:
            raise HTTPException(404, "there is no such delivery")
        runs = await Lists(connection, addresses=False).runs(delivery_id)
    return wire.DeliveryView.of(found, runs)


@router.get("/deliveries/{delivery_id}/proof")
async def last_proof(delivery_id: UUID, runtime: Here) -> Response:
    """Return the last proof of a delivery as it looks."""
    async with runtime.pool.acquire() as connection:
        proof_id = await ProofStore(connection).latest(delivery_id)
    if proof_id is None:
        raise HTTPException(404, "this delivery has no proof yet")
    return await proof_preview(proof_id, runtime)


@router.get("/proofs/{proof_id}/preview")
async def proof_preview(proof_id: UUID, runtime: Here) -> Response:
    """Return a proof as it looks."""
    async with runtime.pool.acquire() as connection:
        html = await ProofStore(connection).html(proof_id)
    if html is None:
        raise HTTPException(404, "there is no such proof, or it was not rendered yet")
    return HTMLResponse(html, headers={"Content-Security-Policy": PREVIEW_POLICY})


@router.get("/runs/{run_id}/recipients")
async def recipients(
    run_id: UUID,
    runtime: Here,
    manages: Manages,
    outcome: Outcome | None = None,
    after: After = None,
    limit: Limit = 100,
) -> list[wire.RecipientView]:
    """Return a run's recipients by outcome; addresses only for those who manage campaigns."""
    async with runtime.pool.acquire() as connection:
        return await Lists(connection, addresses=manages).recipients(
            run_id, outcome=outcome, after=after, limit=limit
        )


@router.get("/ambiguous")
async def ambiguous(
    runtime: Here,
    manages: Manages,
    run_id: UUID | None = None,
    after_run: UUID | None = None,
    after_member: UUID | None = None,
    limit: Limit = 100,
) -> list[wire.AmbiguousView]:
    """Return messages that may or may not have arrived, after (run, member) of the page before."""
    after = (after_run, after_member) if after_run and after_member else None
    async with runtime.pool.acquire() as connection:
        return await Lists(connection, addresses=manages).ambiguous(
            run_id=run_id, after=after, limit=limit
        )
