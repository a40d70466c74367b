"""HTTP routes of suppliers: services, files on their way, download, decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import Response

from services.supplier import files, wire
from services.supplier.deciding import decide
from services.supplier.domain import WITH_FILE, JobState
from services.supplier.erase import erase_recipient
from services.supplier.press import INDEX_NAME
from services.supplier.settings import SupplierSettings
from services.supplier.store.letters import LetterStore, name_of
from services.supplier.store.services import ServiceStore
from services.supplier.workflows import SUPPLIER_MGT
from shared.http import Caller, Here, carry_out, may_read
from shared.ids import new_id
from shared.rights import Right, require
from shared.service import Runtime
from topics.message import Actor
from topics.supplier import SaveService, SupplierServiceState

Limit = Annotated[int, Query(ge=1, le=1000)]
FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=2**128 - 1)

_JOB: Final = """
SELECT j.file_id, j.campaign_id, j.campaign_number, j.campaign_label, j.run_id, j.service_id,
       s.supplier, j.state, j.file_name, j.rows, j.sha256, j.error, j.next_at, j.created_at,
       j.changed_at
FROM jobs j LEFT JOIN services s USING (service_id)
"""
_JOBS: Final = f"""{_JOB}
WHERE j.file_id < $1 AND ($2::text IS NULL OR j.state = $2)
  AND ($3::uuid IS NULL OR j.campaign_id = $3)
ORDER BY j.file_id DESC LIMIT $4
"""


async def _may(runtime: Runtime, actor: Actor, right: Right) -> None:
    async with runtime.uow.begin() as work:
        await require(work, actor, right)


router = APIRouter(dependencies=[Depends(may_read)])


@router.get("/services")
async def services(
    runtime: Here, after: UUID = FIRST, limit: Limit = 100
) -> list[wire.ServiceView]:
    """Return suppliers' services, those after an id."""
    async with runtime.pool.acquire() as connection:
        found = await ServiceStore(connection).page(after, limit)
    return [wire.ServiceView.of(service) for service in found]


@router.post("/services", status_code=201)
async def save_service(
    body: wire.SaveServiceBody, actor: Caller, runtime: Here
) -> wire.ServiceSaved:
    """Save a supplier's service; without an id it is a new one."""
    service_id = body.service_id or new_id()
    fields = body.model_dump(exclude={"service_id"})
    emitted = await carry_out(runtime, SaveService(service_id=service_id, actor=actor, **fields))
    version = next(one.version for one in emitted if isinstance(one, SupplierServiceState))
    return wire.ServiceSaved(service_id=service_id, version=version)


@router.get("/jobs")
async def jobs(
    runtime: Here,
    state: JobState | None = None,
    campaign_id: UUID | None = None,
    after: UUID = LAST,
    limit: Limit = 100,
) -> wire.JobPage:
    """Return extraction files, the newest first; ``state=ambiguous`` lists what nobody knows."""
    rows = await runtime.pool.fetch(_JOBS, after, state, campaign_id, limit)
    started = await runtime.pool.fetchval(
        "SELECT EXISTS (SELECT 1 FROM technical_workflows WHERE name = $1 AND status = 'started')",
        SUPPLIER_MGT,
    )
    return wire.JobPage(
        jobs=[wire.JobView(**dict(row)) for row in rows],
        after=rows[-1]["file_id"] if len(rows) == limit else None,
        started=started,
    )


@router.get("/jobs/{file_id}")
async def job(file_id: UUID, runtime: Here) -> wire.JobView:
    """Return one extraction file."""
    return wire.JobView(**await _find(runtime, file_id))


@router.get("/jobs/{file_id}/attempts")
async def attempts(file_id: UUID, runtime: Here) -> list[wire.AttemptView]:
    """Return the attempts to mail a file's router, the first one first."""
    rows = await runtime.pool.fetch(
        "SELECT started_at, ended_at, outcome, answer FROM mail_attempts WHERE file_id = $1"
        " ORDER BY started_at LIMIT 1000",
        file_id,
    )
    return [wire.AttemptView(**dict(row)) for row in rows]


@router.get("/jobs/{file_id}/file")
async def download(file_id: UUID, actor: Caller, runtime: Here) -> Response:
    """Return the file itself; it holds personal data, so it takes the right to manage suppliers."""
    await _may(runtime, actor, Right.MANAGE_SUPPLIERS)
    found = await _find(runtime, file_id)
    settings = runtime.settings
    if found["state"] not in WITH_FILE or not isinstance(settings, SupplierSettings):
        raise HTTPException(404, f"this file is {found['state']}: there is nothing to download")
    try:
        path = files.path_of(settings.supplier_files, file_id, found["file_name"])
        content = await files.on_disk(files.read_if_intact, path, found["sha256"])
    except files.DiskProblem as problem:
        raise HTTPException(503, str(problem)) from None
    if content is None:
        raise HTTPException(404, "the file is not on this host, or was changed there")
    return Response(
        content,
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{found["file_name"]}"',
            "Cache-Control": "no-store",
        },
    )


@router.get("/jobs/{file_id}/letters")
async def letters(file_id: UUID, runtime: Here) -> list[wire.LettersView]:
    """Return the PDF files of a job's letters; empty when addresses alone were wanted."""
    async with runtime.pool.acquire() as connection:
        return [wire.LettersView.of(one) for one in await LetterStore(connection).batches(file_id)]


@router.get("/jobs/{file_id}/letters/index")
async def letters_index(file_id: UUID, actor: Caller, runtime: Here) -> Response:
    """Return which letter stands in which file, on which pages."""
    await _may(runtime, actor, Right.MANAGE_SUPPLIERS)
    found = await _find(runtime, file_id)
    return await _send(runtime, found, INDEX_NAME, "text/csv; charset=utf-8")


@router.get("/jobs/{file_id}/letters/{batch}")
async def letters_file(file_id: UUID, batch: int, actor: Caller, runtime: Here) -> Response:
    """Return one PDF file of letters; it holds personal data."""
    await _may(runtime, actor, Right.MANAGE_SUPPLIERS)
    found = await _find(runtime, file_id)
    return await _send(runtime, found, name_of(batch), "application/pdf")


async def _send(runtime: Runtime, found: Mapping[str, Any], name: str, media_type: str) -> Response:
    settings = runtime.settings
    if found["state"] not in WITH_FILE or not isinstance(settings, SupplierSettings):
        raise HTTPException(404, f"this file is {found['state']}: there is nothing to download")
    try:
        path = files.path_of(settings.supplier_files, found["file_id"], name)
        content = await files.on_disk(files.read_if_there, path)
    except files.DiskProblem as problem:
        raise HTTPException(503, str(problem)) from None
    if content is None:
        raise HTTPException(404, "there is no such file on this host")
    return Response(
        content,
        media_type=media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


@router.post("/jobs/{file_id}/decision", status_code=204)
async def decision(file_id: UUID, body: wire.DecisionBody, actor: Caller, runtime: Here) -> None:
    """Count the router as notified, or send the mail again."""
    async with runtime.uow.begin() as work:
        await decide(work, file_id, body.decision, actor)


@router.post("/recipients/{recipient_id}/erase")
async def erase(recipient_id: UUID, actor: Caller, runtime: Here) -> dict[str, int]:
    """Remove an addressee from the rows of all files; return from how many."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_SUPPLIERS)
        return {"rows": await erase_recipient(work, recipient_id)}


async def _find(runtime: Runtime, file_id: UUID) -> Mapping[str, Any]:
    row = await runtime.pool.fetchrow(f"{_JOB} WHERE j.file_id = $1", file_id)
    if row is None:
        raise HTTPException(404, "no extraction file has this id")
    return dict(row)
