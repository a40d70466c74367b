"""One function per message of the supplier service."""

from __future__ import annotations

from services.supplier.domain import (
    JobState,
    Naming,
    address_problem,
    column_problem,
    file_name,
    ordinal,
    pattern_problem,
)
from services.supplier.store.jobs import Job, JobStore
from services.supplier.store.services import ServiceStore
from services.supplier.workflows import SUPPLIER_MGT
from shared.errors import Permanent, Refused
from shared.ids import new_id
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from shared.workflows import wake
from topics.supplier import ExtractRows, SaveService, SupplierRefused, SupplierServiceState

registry = Registry()


def _service_refused(command: SaveService, refusal: Refused) -> SupplierRefused:
    return SupplierRefused(
        subject_id=command.service_id,
        command=SaveService.__name__,
        reason=refusal.reason,
        field=refusal.field,
    )


@registry.on(SaveService, refusal=_service_refused)
async def save_service(command: SaveService, work: Work) -> None:
    """Save a supplier's service whose columns, file pattern and address can be used."""
    await require(work, command.actor, Right.MANAGE_SUPPLIERS)
    problems = {
        "columns": column_problem(command.columns),
        "file_pattern": pattern_problem(command.file_pattern),
        "router_address": address_problem(command.router_address),
    }
    for field, problem in problems.items():
        if problem is not None:
            raise Refused(problem, field=field)
    version = await ServiceStore(work.connection).save(command, work.now)
    work.emit(
        SupplierServiceState(
            service_id=command.service_id,
            version=version,
            supplier=command.supplier,
            label=command.label,
        )
    )


@registry.on(ExtractRows)
async def extract_rows(command: ExtractRows, work: Work) -> None:
    """Keep a chunk of addressees; with the last one the file can be written.

    Chunks come in any order and more than once; a run whose service is unknown is refused once.
    """
    if command.index >= command.chunks:
        problem = f"chunk {command.index} of {command.chunks}: indexes end at {command.chunks - 1}"
        raise Permanent(problem)
    store = JobStore(work.connection)
    job = await store.lock_run(command.run_id, command.delivery_id)
    if job is None:
        await _open(command, work)
        job = await store.lock_run(command.run_id, command.delivery_id)
    if job is None or job.state is not JobState.COLLECTING:
        return
    if (job.service_id, job.chunks) != (command.service_id, command.chunks):
        problem = "this run's earlier chunks name another service or another number of chunks"
        raise Permanent(problem)
    await _keep(job, command, work)


async def _open(command: ExtractRows, work: Work) -> None:
    service = await ServiceStore(work.connection).find(command.service_id)
    refusal = "" if service else "the supplier's service is not known: save it, then start again"
    naming = Naming(
        command.campaign_number,
        command.campaign_label,
        work.now.astimezone(work.settings.zone).date(),
        command.run_id,
    )
    await JobStore(work.connection).add(
        new_id(),
        command,
        columns=service.columns if service else (),
        file_name=file_name(service.file_pattern, naming) if service else "",
        refusal=refusal,
        now=work.now,
    )
    if refusal:
        work.emit(
            SupplierRefused(
                subject_id=command.campaign_id,
                run_id=command.run_id,
                command=ExtractRows.__name__,
                reason=refusal,
            )
        )


async def _keep(job: Job, command: ExtractRows, work: Work) -> None:
    store = JobStore(work.connection)
    places = [ordinal(command.index, position) for position in range(len(command.rows))]
    if not await store.keep_chunk(job, command, places):
        return
    if await store.is_complete(job):
        await store.settle(job.file_id, JobState.ROWS_COMPLETE, work.now)
        await wake(work, SUPPLIER_MGT)
