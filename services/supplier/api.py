"""HTTP routes of suppliers: services, files on their way, download, decisions."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query

from services.supplier import wire
from services.supplier.courier import PURPOSE
from services.supplier.deciding import decide
from services.supplier.domain.jobs import JobState
from services.supplier.erase import erase_recipient
from services.supplier.instances import SUPPLIER_MGT
from services.supplier.store.services import ServiceStore
from services.supplier.store.suppliers import SupplierStore
from shared.http import Caller, Here, carry_out
from shared.ids import new_id
from shared.rights import Right, require
from shared.sealing import seal
from topics.supplier import SaveService, SaveSupplier, SupplierServiceState, SupplierState

Limit = Annotated[int, Query(ge=1, le=1000)]
FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=2**128 - 1)

_JOB: Final = """
SELECT j.file_id, j.campaign_id, j.campaign_number, j.campaign_label, j.run_id, j.service_id,
       s.supplier, j.state, j.file_name, j.rows, j.sha256, j.bytes, j.replaced, j.cut, j.ending,
       j.sent, j.failed, j.error, j.next_at, j.created_at, j.changed_at,
       p.name AS post_processing,
       CASE WHEN p.ended_at IS NULL THEN p.status ELSE 'ended' END AS post_processing_status
FROM jobs j LEFT JOIN services s USING (service_id) LEFT JOIN post_processings p USING (file_id)
"""
_JOBS: Final = f"""{_JOB}
WHERE j.file_id < $1 AND ($2::text IS NULL OR j.state = $2)
  AND ($3::uuid IS NULL OR j.campaign_id = $3)
ORDER BY j.file_id DESC LIMIT $4
"""


router = APIRouter()


@router.get("/suppliers")
async def suppliers(
    runtime: Here, after: UUID = FIRST, limit: Limit = 100
) -> list[wire.SupplierView]:
    """Return suppliers with their contacts, those after an id."""
    async with runtime.pool.acquire() as connection:
        found = await SupplierStore(connection).page(after, limit)
    return [wire.SupplierView.of(supplier) for supplier in found]


@router.post("/suppliers", status_code=201)
async def save_supplier(
    body: wire.SaveSupplierBody, actor: Caller, runtime: Here
) -> wire.SupplierSaved:
    """Save a supplier; without an id it is a new one."""
    supplier_id = body.supplier_id or new_id()
    command = SaveSupplier(
        supplier_id=supplier_id,
        actor=actor,
        name=body.name,
        address=body.address,
        contacts=body.contacts,
    )
    emitted = await carry_out(runtime, command)
    version = next(one.version for one in emitted if isinstance(one, SupplierState))
    return wire.SupplierSaved(supplier_id=supplier_id, version=version)


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


@router.put("/services/{service_id}/secret", status_code=204)
async def save_secret(
    service_id: UUID, body: wire.SecretBody, actor: Caller, runtime: Here
) -> None:
    """Keep what signs in to a service's server, encrypted; nothing gives it back."""
    plain = body.secret.get_secret_value().encode()
    sealed = seal(runtime.settings.secret, PURPOSE, plain, bound_to=str(service_id))
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_SUPPLIERS)
        if not await ServiceStore(work.connection).keep_secret(service_id, sealed):
            raise HTTPException(404, "no service with a server has this id: save it first")


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
    row = await runtime.pool.fetchrow(f"{_JOB} WHERE j.file_id = $1", file_id)
    if row is None:
        raise HTTPException(404, "no extraction file has this id")
    return wire.JobView(**dict(row))


@router.get("/jobs/{file_id}/attempts")
async def attempts(file_id: UUID, runtime: Here) -> list[wire.AttemptView]:
    """Return the attempts to mail a file's router, the first one first."""
    rows = await runtime.pool.fetch(
        "SELECT started_at, ended_at, outcome, answer FROM mail_attempts WHERE file_id = $1"
        " ORDER BY started_at LIMIT 1000",
        file_id,
    )
    return [wire.AttemptView(**dict(row)) for row in rows]


@router.post("/jobs/{file_id}/decision", status_code=204)
async def decision(file_id: UUID, body: wire.DecisionBody, actor: Caller, runtime: Here) -> None:
    """Say what becomes of a file that does not go on by itself."""
    async with runtime.uow.begin() as work:
        await decide(work, file_id, body.decision, actor)


@router.post("/recipients/{recipient_id}/erase")
async def erase(recipient_id: UUID, actor: Caller, runtime: Here) -> dict[str, int]:
    """Remove an addressee from the rows of all files; return from how many."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_SUPPLIERS)
        return {"rows": await erase_recipient(work, recipient_id)}
