"""HTTP routes of actions: models, what a campaign's actions are, moves, deals, dossier items."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import StreamingResponse

from services.actions import wire
from services.actions.columns import ACTIONS, DEALS, TITLES, Column, Language
from services.actions.domain import ActionStatus
from services.actions.exports import as_csv, as_html
from services.actions.lists import Lists, id_of, pages
from services.actions.store.actions import ActionStore
from services.actions.store.members import MemberStore
from services.actions.store.models import ModelStore
from services.actions.store.totals import TotalsStore
from shared.http import Caller, Here, carry_out, may_read
from shared.ids import new_id
from shared.rights import Right, require
from shared.service import Runtime
from topics.actions import (
    ActionCounts,
    ActionModelState,
    ActionsMoved,
    MoveActions,
    SaveActionModel,
    SetLinked,
)

Limit = Annotated[int, Query(ge=1, le=1000)]
ToDo = Annotated[bool | None, Query(description="false: the to-do list; true: what is done")]
After = Annotated[str | None, Query(max_length=60, description="the cursor of the page before")]


router = APIRouter(dependencies=[Depends(may_read)])


@router.get("/models")
async def models(runtime: Here, after: After = None, limit: Limit = 100) -> list[wire.ModelView]:
    """Return action models, those after an id."""
    async with runtime.pool.acquire() as connection:
        found = await ModelStore(connection).page(id_of(after), limit)
    return [wire.ModelView.of(model) for model in found]


@router.post("/models", status_code=201)
async def save_model(body: wire.SaveModel, actor: Caller, runtime: Here) -> wire.ModelSaved:
    """Save an action model; without an id it is a new one."""
    model_id = body.model_id or new_id()
    fields = body.model_dump(exclude={"model_id"})
    emitted = await carry_out(runtime, SaveActionModel(model_id=model_id, actor=actor, **fields))
    version = next(one.version for one in emitted if isinstance(one, ActionModelState))
    return wire.ModelSaved(model_id=model_id, version=version)


@router.get("/campaigns/{campaign_id}/counts")
async def counts(campaign_id: UUID, runtime: Here) -> ActionCounts:
    """Return a campaign's actions by state, its deals and dossier items."""
    async with runtime.pool.acquire() as connection:
        totals = await TotalsStore(connection).read(campaign_id)
    return totals.counts()


@router.get("/campaigns/{campaign_id}/members")
async def members(
    campaign_id: UUID,
    snapshot_id: UUID,
    runtime: Here,
    after: Annotated[int, Query(ge=-1)] = -1,
    limit: Limit = 100,
) -> list[wire.MemberView]:
    """Return members of a campaign's snapshot, each with whether it is linked."""
    async with runtime.pool.acquire() as connection:
        rows = await MemberStore(connection).page(
            campaign_id, snapshot_id, after=after, limit=limit
        )
    return [wire.MemberView(**dict(row)) for row in rows]


@router.post("/campaigns/{campaign_id}/links", status_code=204)
async def set_linked(campaign_id: UUID, body: wire.Link, actor: Caller, runtime: Here) -> None:
    """Take a member out of the campaign's actions, or back in, before they are generated."""
    await carry_out(
        runtime,
        SetLinked(
            campaign_id=campaign_id, member_id=body.member_id, linked=body.linked, actor=actor
        ),
    )


@router.get("/campaigns/{campaign_id}/actions/next")
async def next_actions(
    campaign_id: UUID, runtime: Here, after: After = None, limit: Limit = 100
) -> wire.ActionPage:
    """Return the actions still to be done (waiting or suspended), the earliest due first."""
    rows, cursor = await Lists(runtime, campaign_id).next(after, limit)
    return wire.ActionPage(actions=[wire.ActionView(**row) for row in rows], after=cursor)


@router.get("/campaigns/{campaign_id}/actions/results")
async def results(
    campaign_id: UUID,
    runtime: Here,
    status: ActionStatus | None = None,
    after: After = None,
    limit: Limit = 100,
) -> wire.ActionPage:
    """Return all actions of a campaign, or those in one state."""
    rows, cursor = await Lists(runtime, campaign_id).results(after, limit, status)
    return wire.ActionPage(actions=[wire.ActionView(**row) for row in rows], after=cursor)


@router.post("/campaigns/{campaign_id}/moves")
async def move(campaign_id: UUID, body: wire.Move, actor: Caller, runtime: Here) -> wire.Moved:
    """Move actions; a large move is queued, and its progress shows in the counts."""
    emitted = await carry_out(
        runtime,
        MoveActions(
            campaign_id=campaign_id,
            move=body.move,
            action_ids=body.action_ids,
            report=body.report,
            actor=actor,
        ),
    )
    answer = next((one for one in emitted if isinstance(one, ActionsMoved)), None)
    if answer is None:
        return wire.Moved(queued=True)
    return wire.Moved(queued=False, moved=answer.moved, counts=answer.counts)


@router.get("/campaigns/{campaign_id}/deals")
async def deals(
    campaign_id: UUID, runtime: Here, after: After = None, limit: Limit = 100
) -> wire.DealPage:
    """Return the deals obtained by a campaign."""
    rows, cursor = await Lists(runtime, campaign_id).deals(after, limit)
    return wire.DealPage(deals=[wire.DealView(**row) for row in rows], after=cursor)


@router.get("/campaigns/{campaign_id}/export/{name}.{form}")
async def export(
    campaign_id: UUID,
    name: wire.ListName,
    form: wire.Form,
    runtime: Here,
    language: Language = "en",
) -> StreamingResponse:
    """Return a whole list as CSV or HTML, streamed."""
    lists = Lists(runtime, campaign_id)
    read = {"next": lists.next, "results": lists.results, "deals": lists.deals}[name]
    columns: tuple[Column, ...] = DEALS if name == "deals" else ACTIONS
    zone = runtime.settings.zone
    if form == "html":
        title = TITLES[name][language]
        body = as_html(pages(read), columns, title=title, language=language, zone=zone)
        return StreamingResponse(body, media_type="text/html; charset=utf-8")
    return StreamingResponse(
        as_csv(pages(read), columns, language=language, zone=zone),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


@router.get("/campaigns/{campaign_id}/dossier-items")
async def dossier_items(
    campaign_id: UUID,
    runtime: Here,
    processed: ToDo = None,
    after: After = None,
    limit: Limit = 100,
) -> wire.ItemPage:
    """Return dossier items; ``processed=false`` is the to-do list."""
    rows, cursor = await Lists(runtime, campaign_id).items(after, limit, processed=processed)
    return wire.ItemPage(items=[wire.ItemView(**row) for row in rows], after=cursor)


@router.post("/campaigns/{campaign_id}/dossier-items/{item_id}/processed", status_code=204)
async def set_processed(
    campaign_id: UUID, item_id: UUID, body: wire.Processed, actor: Caller, runtime: Here
) -> None:
    """Note whether a dossier item needs more work."""
    if not await _set_processed(runtime, actor, campaign_id, item_id, processed=body.processed):
        raise HTTPException(404, "no dossier item of this campaign has this id")


async def _set_processed(
    runtime: Runtime, actor: Caller, campaign_id: UUID, item_id: UUID, *, processed: bool
) -> bool:
    # Who ticks an item concerns no other service: no command travels for it.
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_ACTIONS)
        return await ActionStore(work.connection).set_processed(
            campaign_id, item_id, processed=processed, now=work.now
        )
