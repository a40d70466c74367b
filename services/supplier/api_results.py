"""HTTP routes of what routers report: result files, their rejected lines."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.supplier import wire
from services.supplier.reporting import take_in
from services.supplier.store.results import ResultStore
from shared.http import Caller, Here

router = APIRouter()


@router.post("/jobs/{file_id}/results", status_code=201)
async def report(
    file_id: UUID, body: wire.ResultsBody, actor: Caller, runtime: Here
) -> wire.ResultsTaken:
    """Take a router's result file in; supplierMgt applies its lines."""
    return wire.ResultsTaken(import_id=await take_in(runtime, file_id, body.content, actor))


@router.get("/jobs/{file_id}/results")
async def results(file_id: UUID, runtime: Here) -> list[wire.ImportView]:
    """Return the result files of an extraction file, and what became of their lines."""
    async with runtime.pool.acquire() as connection:
        found = await ResultStore(connection).imports(file_id)
    return [wire.ImportView.of(one) for one in found]


@router.get("/jobs/{file_id}/results/{import_id}/rejected")
async def rejected(
    file_id: UUID,
    import_id: UUID,
    runtime: Here,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> wire.RejectedPage:
    """Return the lines of a result file that count nothing, each with its reason."""
    async with runtime.pool.acquire() as connection:
        lines = await ResultStore(connection).rejects(file_id, import_id, after, limit)
    return wire.RejectedPage(
        lines=[wire.RejectedView(line=one.line, problem=one.problem) for one in lines],
        after=lines[-1].line if len(lines) == limit else None,
    )
