"""The HTTP routes of imports: a CSV body goes to a file as it comes, and from there in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel

from services.targeting.access import check
from services.targeting.counting import settings_of
from services.targeting.imports import Kind, import_csv
from shared.http import Caller, Here
from shared.rights import Right
from shared.service import Runtime

router = APIRouter()

_COLUMNS: Final = (
    "import_id, kind, file_name, started_by, started_at, ended_at, rows, created, updated,"
    " unchanged, rejected, consent_changes"
)


class ImportState(BaseModel):
    """How far an import came; ``ended_at`` is empty while it runs, or when it was cut short."""

    import_id: UUID
    kind: Kind
    file_name: str
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    rows: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    consent_changes: int


class RejectLine(BaseModel):
    """A line that was not imported; ``field`` is empty when the whole line is wrong."""

    line: int
    field: str
    reason: str


class ImportDetail(BaseModel):
    """An import and its first 1,000 rejected lines."""

    state: ImportState
    rejects: list[RejectLine]


class ImportPage(BaseModel):
    """Imports, newest first; ask on with ``before`` = ``next``."""

    imports: list[ImportState]
    next: UUID | None


@router.post(
    "/imports/{kind}",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(kind: Kind, request: Request, actor: Caller, runtime: Here) -> ImportDetail:
    """Import the body, a CSV file, and return what became of its rows."""
    await check(runtime, actor, Right.MANAGE_TARGETINGS)
    async with _received(request, kind, settings_of(runtime).import_body_max_bytes) as path:
        report = await import_csv(runtime.uow, kind, path, None, actor)
    return await _detail(runtime, report.import_id)


@asynccontextmanager
async def _received(request: Request, kind: Kind, limit: int) -> AsyncIterator[Path]:
    with TemporaryDirectory(prefix="muster-import-") as folder:
        path = Path(folder) / f"{kind}.csv"
        size = 0
        with path.open("wb") as file:
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise HTTPException(413, f"the file is over {limit} bytes: split it")
                await asyncio.to_thread(file.write, part)
        yield path


@router.get("/imports")
async def search(
    actor: Caller,
    runtime: Here,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ImportPage:
    """Return imports, newest first."""
    await check(runtime, actor, Right.READ)
    rows = await runtime.pool.fetch(
        f"SELECT {_COLUMNS} FROM imports WHERE ($1::uuid IS NULL OR import_id < $1)"
        " ORDER BY import_id DESC LIMIT $2",
        before,
        limit,
    )
    found = [ImportState(**dict(row)) for row in rows]
    return ImportPage(imports=found, next=found[-1].import_id if len(found) == limit else None)


@router.get("/imports/{import_id}")
async def read(import_id: UUID, actor: Caller, runtime: Here) -> ImportDetail:
    """Return an import with its first rejected lines."""
    await check(runtime, actor, Right.READ)
    return await _detail(runtime, import_id)


async def _detail(runtime: Runtime, import_id: UUID) -> ImportDetail:
    row = await runtime.pool.fetchrow(
        f"SELECT {_COLUMNS} FROM imports WHERE import_id = $1", import_id
    )
    if row is None:
        raise HTTPException(404, "there is no such import")
    lines = await runtime.pool.fetch(
        "SELECT line, field, reason FROM import_rejects WHERE import_id = $1 ORDER BY line",
        import_id,
    )
    return ImportDetail(
        state=ImportState(**dict(row)), rejects=[RejectLine(**dict(line)) for line in lines]
    )
