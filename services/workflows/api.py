"""Technical workflows over HTTP: the catalogue, runs, services by heartbeat, and control."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from services.workflows.asks import AskStore
from services.workflows.pages import (
    RunPage,
    ServiceRow,
    WorkflowDetail,
    WorkflowPage,
    run_page,
    service_rows,
    workflow_detail,
    workflow_page,
)
from services.workflows.store import CatalogueStore
from services.workflows.supervisors import Supervisors
from services.workflows.views import watch_of
from shared.database import Connection
from shared.http import Caller, Here, carry_out, may_read
from shared.ids import new_id
from shared.rights import Right, require
from shared.service import Runtime
from shared.uow import Work
from topics.cloudevents import Envelope
from topics.workflows import (
    MOST_IGNORED,
    Control,
    ControlWorkflow,
    SetErrorPolicy,
    SetSupervisors,
    WorkflowStatus,
)

NO_NUL = r"^[^\x00]*$"
Name = Annotated[str, Path(min_length=1, max_length=100, pattern=NO_NUL)]
Text = Annotated[str | None, Query(max_length=100, pattern=NO_NUL)]
Limit = Annotated[int, Query(ge=1, le=200)]


router = APIRouter(dependencies=[Depends(may_read)])


class PolicyBody(BaseModel):
    """How many failures in a row are ignored; 0 stops at the first."""

    model_config = ConfigDict(extra="forbid")

    failures_ignored: int = Field(ge=0, le=MOST_IGNORED)


class ControlBody(BaseModel):
    """What is asked of a workflow."""

    model_config = ConfigDict(extra="forbid")

    control: Control


@router.get("/workflows")
async def list_workflows(
    runtime: Here,
    status: WorkflowStatus | None = None,
    package: Text = None,
    service: Text = None,
    after: Text = None,
    limit: Limit = 100,
) -> WorkflowPage:
    """List technical workflows: how each stands, whether it is late, and what waits for it."""
    async with runtime.pool.acquire() as connection:
        return await workflow_page(
            connection,
            await _late(runtime, connection),
            status=status,
            package=package,
            service=service,
            after=after,
            limit=limit,
        )


@router.get("/workflows/{name}")
async def read_workflow(name: Name, runtime: Here) -> WorkflowDetail:
    """Return a workflow with its latest runs and what was asked of it."""
    async with runtime.pool.acquire() as connection:
        return await _detail(runtime, connection, name)


@router.get("/workflows/{name}/runs")
async def list_runs(
    name: Name, runtime: Here, before: UUID | None = None, limit: Limit = 50
) -> RunPage:
    """List a workflow's runs, latest first."""
    async with runtime.pool.acquire() as connection:
        return await run_page(connection, name, before=before, limit=limit)


@router.get("/services")
async def list_services(runtime: Here) -> list[ServiceRow]:
    """List the services that run workflows, by their last heartbeat."""
    async with runtime.pool.acquire() as connection:
        return await service_rows(connection, watch_of(runtime).beats(), runtime.clock.now())


@router.post("/workflows/{name}/control", status_code=202)
async def control(name: Name, body: ControlBody, actor: Caller, runtime: Here) -> WorkflowDetail:
    """Ask a workflow's own service to start, pause, resume, stop or run it.

    The answer shows the control as *asked* until that service's event is back.
    """
    command = ControlWorkflow(name=name, control=body.control, actor=actor)
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.CONTROL_WORKFLOWS)
        await _known(work, name)
        # The ask's id is what the command and the event that answers it are correlated by.
        ask_id = str(new_id())
        work.cause = Envelope(f"/muster/{work.service}", ask_id, command.ce_type, work.now, b"")
        await AskStore(work.connection).ask(ask_id, command, work.now)
        work.emit(command)
    async with runtime.pool.acquire() as connection:
        return await _detail(runtime, connection, name)


@router.put("/workflows/{name}/policy", status_code=202)
async def set_policy(name: Name, body: PolicyBody, actor: Caller, runtime: Here) -> WorkflowDetail:
    """Ask a workflow's own service for another error policy; it shows once that is told."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.CONTROL_WORKFLOWS)
        await _known(work, name)
        work.emit(SetErrorPolicy(name=name, failures_ignored=body.failures_ignored, actor=actor))
    async with runtime.pool.acquire() as connection:
        return await _detail(runtime, connection, name)


@router.put("/workflows/{name}/supervisors")
async def set_supervisors(
    name: Name, body: Supervisors, actor: Caller, runtime: Here
) -> WorkflowDetail:
    """Say who is told of a workflow's troubles; nobody: whoever may control workflows."""
    operators, groups = tuple(body.operators), tuple(body.groups)
    await carry_out(
        runtime, SetSupervisors(name=name, operators=operators, groups=groups, actor=actor)
    )
    async with runtime.pool.acquire() as connection:
        return await _detail(runtime, connection, name)


async def _known(work: Work, name: str) -> None:
    if not await CatalogueStore(work.connection).knows(name):
        raise HTTPException(404, "there is no such technical workflow")


async def _detail(runtime: Runtime, connection: Connection, name: str) -> WorkflowDetail:
    found = await workflow_detail(connection, name, await _late(runtime, connection))
    if found is None:
        raise HTTPException(404, "there is no such technical workflow")
    return found


async def _late(runtime: Runtime, connection: Connection) -> dict[str, datetime | None]:
    services = await service_rows(connection, watch_of(runtime).beats(), runtime.clock.now())
    return {row.service: row.late_since for row in services}
