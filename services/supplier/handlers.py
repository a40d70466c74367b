"""One function per message of the supplier service."""

from __future__ import annotations

from services.supplier.domain.handing import handover_problem
from services.supplier.domain.jobs import RETURNED, JobState, ordinal
from services.supplier.domain.layout import (
    column_problem,
    ending_problem,
    layout_problem,
    results_problem,
)
from services.supplier.domain.naming import Naming, address_problem, file_name, pattern_problem
from services.supplier.instances import SUPPLIER_MGT, end_instance, open_instance
from services.supplier.store.jobs import Job, JobStore
from services.supplier.store.services import ServiceStore
from services.supplier.store.suppliers import SupplierStore
from services.supplier.writing import announce, refused
from shared.errors import Permanent, Refused
from shared.ids import new_id
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from shared.workflows import wake
from topics.delivery import ApprovalDecided, ApprovalOutcome
from topics.supplier import (
    ExtractRows,
    SaveService,
    SaveSupplier,
    SupplierRefused,
    SupplierServiceState,
    SupplierState,
)

registry = Registry()


def _service_refused(command: SaveService, refusal: Refused) -> SupplierRefused:
    return SupplierRefused(
        subject_id=command.service_id,
        command=SaveService.__name__,
        reason=refusal.reason,
        field=refusal.field,
    )


def _supplier_refused(command: SaveSupplier, refusal: Refused) -> SupplierRefused:
    return SupplierRefused(
        subject_id=command.supplier_id,
        command=SaveSupplier.__name__,
        reason=refusal.reason,
        field=refusal.field,
    )


@registry.on(SaveSupplier, refusal=_supplier_refused)
async def save_supplier(command: SaveSupplier, work: Work) -> None:
    """Save a supplier; who is to be notified has an address that can be used."""
    await require(work, command.actor, Right.MANAGE_SUPPLIERS)
    for number, contact in enumerate(command.contacts, start=1):
        problem = address_problem(contact.email) if contact.email or contact.notified else None
        if problem is not None:
            raise Refused(f"contact {number}: {problem}", field="contacts")
    version = await SupplierStore(work.connection).save(command, work.now)
    work.emit(SupplierState(supplier_id=command.supplier_id, version=version, name=command.name))


@registry.on(SaveService, refusal=_service_refused)
async def save_service(command: SaveService, work: Work) -> None:
    """Save a supplier's service whose columns, file pattern and address can be used."""
    await require(work, command.actor, Right.MANAGE_SUPPLIERS)
    layout, columns = command.layout, command.columns
    problems = {
        "columns": column_problem(columns) or results_problem(command.ending, columns),
        "file_pattern": pattern_problem(command.file_pattern)
        or ending_problem(layout, command.file_pattern),
        "layout": layout_problem(layout, columns),
        "router_address": address_problem(command.router_address),
    }
    place = handover_problem(command.handover, command.folder, command.sftp, command.file_pattern)
    if place is not None:
        problems.setdefault(place[0], None)
        problems[place[0]] = problems[place[0]] or place[1]
    if command.supplier_id and not await SupplierStore(work.connection).exists(command.supplier_id):
        problems["supplier_id"] = "this supplier is not known: save it first"
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
    file_id = new_id()
    await JobStore(work.connection).add(
        file_id,
        command,
        service=service,
        file_name=file_name(service.file_pattern, naming) if service else "",
        refusal=refusal,
        now=work.now,
    )
    if not refusal:
        await open_instance(file_id, command.campaign_number, work)
    if refusal:
        work.emit(
            SupplierRefused(
                subject_id=command.campaign_id,
                run_id=command.run_id,
                command=ExtractRows.__name__,
                reason=refusal,
            )
        )


@registry.on(ApprovalDecided)
async def file_decided(event: ApprovalDecided, work: Work) -> None:
    """Let a file leave, or its router print, when what was shown is approved as it is.

    A withdrawn approval ends the file: its delivery was stopped. After any other end a person has
    the file written again, or another proof is awaited. An answer about other bytes than those that
    wait changes nothing.
    """
    store = JobStore(work.connection)
    job = await store.lock(event.file_id) if event.file_id else None
    if job is None or event.content_hash is None or _shown(job) != event.content_hash:
        return
    said = f"{event.outcome.replace('_', ' ')}{f': {event.reason}' if event.reason else ''}"
    if event.outcome is ApprovalOutcome.WITHDRAWN:
        await store.settle(job.file_id, JobState.REFUSED, work.now, error=said)
        await end_instance(job.file_id, work)
        work.emit(refused(job, said))
        return
    if event.outcome is not ApprovalOutcome.APPROVED:
        await store.settle(job.file_id, RETURNED[job.state], work.now, error=said)
        return
    if job.state is JobState.FILE_TO_APPROVE:
        await store.approve(job.file_id, event.content_hash)
        await announce(job, work, rows=job.rows, sha256=event.content_hash)
    else:
        await store.approve_proof(job.file_id)
    await store.settle(job.file_id, JobState.FILE_WRITTEN, work.now)
    await wake(work, SUPPLIER_MGT)


def _shown(job: Job) -> str | None:
    """Return the SHA-256 of what waits for an approval, if something does."""
    if job.state is JobState.FILE_TO_APPROVE:
        return job.sha256
    return job.proof_sha256 if job.state is JobState.PROOF_TO_APPROVE else None


async def _keep(job: Job, command: ExtractRows, work: Work) -> None:
    store = JobStore(work.connection)
    places = [ordinal(command.index, position) for position in range(len(command.rows))]
    if not await store.keep_chunk(job, command, places):
        return
    if await store.is_complete(job):
        await store.settle(job.file_id, JobState.ROWS_COMPLETE, work.now)
        await wake(work, SUPPLIER_MGT)
