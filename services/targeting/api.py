"""The HTTP routes of targetings: list, save, count, and look at a few members beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from services.targeting import api_consents, api_directory, api_imports
from services.targeting.access import allowed, check
from services.targeting.counting import count, settings_of
from services.targeting.domain import Definition, mask_address, mask_text
from services.targeting.fields import FIELDS, VIEWS
from services.targeting.handlers import checked, state_of
from services.targeting.reading import reading
from services.targeting.selection import select
from services.targeting.store import TargetingStore
from shared.http import Caller, Here, carry_out
from shared.ids import new_id
from shared.rights import Right
from topics.targeting import (
    Counts,
    Criterion,
    SaveTargeting,
    TargetCounts,
    TargetingKind,
    TargetingState,
)

router = APIRouter()
router.include_router(api_imports.router)
router.include_router(api_consents.router)
router.include_router(api_directory.router)

SAMPLE_MEMBERS = 20


class Choice(BaseModel):
    """How members are chosen: by criteria that must all hold, or by one SELECT."""

    model_config = ConfigDict(extra="forbid")

    counts: Counts = Counts.CONTACTS
    kind: TargetingKind = TargetingKind.CRITERIA
    criteria: tuple[Criterion, ...] = Field(default=(), max_length=50)
    sql: str | None = Field(default=None, max_length=20_000)


class NewTargeting(Choice):
    """A targeting to save; the id may be made by the caller, so that a retry is harmless."""

    targeting_id: UUID | None = None
    label: str = Field(min_length=1, max_length=200)


class TargetingBody(Choice):
    """A targeting as it shall be."""

    label: str = Field(min_length=1, max_length=200)


class TargetingDetail(BaseModel):
    """A targeting with how it chooses; ``sql`` is the normal form that runs."""

    state: TargetingState
    criteria: tuple[Criterion, ...]
    sql: str | None


class TargetingPage(BaseModel):
    """Targetings by id; ask on with ``after`` = ``next``."""

    targetings: list[TargetingState]
    next: UUID | None


class SampleMember(BaseModel):
    """One member; masked for callers who do not manage campaigns."""

    member_id: UUID
    site: str
    town: str
    first_name: str
    last_name: str
    email: str | None
    opted_out: bool


class FieldList(BaseModel):
    """What criteria may compare (field to type), and what direct SQL may read (view to columns)."""

    criteria: dict[str, str]
    views: dict[str, list[str]]


@router.get("/fields")
async def fields(actor: Caller, runtime: Here) -> FieldList:
    """Return the fields of criteria and the views of direct SQL."""
    await check(runtime, actor, Right.READ)
    return FieldList(
        criteria={name: str(known.type) for name, known in sorted(FIELDS.items())},
        views={name: sorted(columns) for name, columns in sorted(VIEWS.items())},
    )


@router.get("/targetings")
async def search(
    actor: Caller,
    runtime: Here,
    label: Annotated[str, Query(max_length=200)] = "",
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> TargetingPage:
    """Return targetings whose label holds a text, oldest first."""
    await check(runtime, actor, Right.READ)
    async with runtime.pool.acquire() as connection:
        text = label.replace("\x00", "")
        found = await TargetingStore(connection).page(after=after, label=text, limit=limit)
    return TargetingPage(
        targetings=[state_of(targeting) for targeting in found],
        next=found[-1].targeting_id if len(found) == limit else None,
    )


@router.get("/targetings/{targeting_id}")
async def read(targeting_id: UUID, actor: Caller, runtime: Here) -> TargetingDetail:
    """Return a targeting and how it chooses."""
    await check(runtime, actor, Right.READ)
    async with runtime.pool.acquire() as connection:
        targeting = await TargetingStore(connection).find(targeting_id)
    if targeting is None:
        raise HTTPException(404, "there is no such targeting")
    definition = targeting.definition
    return TargetingDetail(
        state=state_of(targeting), criteria=definition.criteria, sql=definition.sql
    )


@router.post("/targetings", status_code=201)
async def create(body: NewTargeting, actor: Caller, runtime: Here) -> TargetingDetail:
    """Save a new targeting."""
    targeting_id = body.targeting_id or new_id()
    values = body.model_dump(exclude={"targeting_id"})
    await carry_out(runtime, SaveTargeting(targeting_id=targeting_id, actor=actor, **values))
    return await read(targeting_id, actor, runtime)


@router.put("/targetings/{targeting_id}")
async def replace(
    targeting_id: UUID, body: TargetingBody, actor: Caller, runtime: Here
) -> TargetingDetail:
    """Save a targeting as the body says."""
    values = body.model_dump()
    await carry_out(runtime, SaveTargeting(targeting_id=targeting_id, actor=actor, **values))
    return await read(targeting_id, actor, runtime)


@router.post("/count")
async def preview(choice: Choice, actor: Caller, runtime: Here) -> TargetCounts:
    """Count what a choice that is not saved gives now; refused when it takes too long."""
    definition = await _definition(choice, actor, runtime)
    return await count(runtime, definition, seconds=settings_of(runtime).preview_timeout_seconds)


@router.post("/sample")
async def sample(choice: Choice, actor: Caller, runtime: Here) -> list[SampleMember]:
    """Return the first members of a choice that is not saved."""
    definition = await _definition(choice, actor, runtime)
    settings = settings_of(runtime)
    selection = select(definition, rows_max=settings.direct_sql_rows_max)
    async with reading(
        runtime.pool, settings, selection, seconds=settings.preview_timeout_seconds
    ) as reader:
        rows = await reader.sample(SAMPLE_MEMBERS)
    clear = await allowed(runtime, actor, Right.MANAGE_CAMPAIGNS)
    return _members(rows, clear=clear)


async def _definition(choice: Choice, actor: Caller, runtime: Here) -> Definition:
    await check(runtime, actor, Right.READ)
    if choice.kind is TargetingKind.SQL:
        await check(runtime, actor, Right.DIRECT_SQL)
    return checked(choice.counts, choice.kind, choice.criteria, choice.sql)


def _members(rows: Sequence[asyncpg.Record], *, clear: bool) -> list[SampleMember]:
    return [
        SampleMember(
            member_id=row["member_id"],
            site=row["name"],
            town=row["town"],
            first_name=row["first_name"] or "" if clear else mask_text(row["first_name"] or ""),
            last_name=row["last_name"] or "" if clear else mask_text(row["last_name"] or ""),
            email=row["email"] if clear else mask_address(row["email"]),
            opted_out=row["opted_out"],
        )
        for row in rows
    ]
