"""Post-processings as workflows: made with their file, listed, stopped and resumed by name.

supplierMgt does their work; one that is not started is passed over, whatever its router reports.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.supplier.store.instances import Instance, InstanceStore
from shared.controls import ALLOWED, refused
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from shared.workflows import wake
from topics.workflows import ControlWorkflow, WorkflowState, WorkflowStatus

SUPPLIER_MGT: Final = "supplierMgt"
PREFIX: Final = "postProcessing-C"
registry: Final = Registry()


def name_of(file_id: UUID, campaign_number: int) -> str:
    """Return what the post-processing of a campaign's file is called among workflows."""
    return f"{PREFIX}{campaign_number}-{file_id.hex[-12:]}"


def is_instance(name: str) -> bool:
    """Whether a workflow's name is that of a post-processing."""
    return name.startswith(PREFIX)


async def open_instance(file_id: UUID, campaign_number: int, work: Work) -> None:
    """Make and start the post-processing of a file whose delivery may begin."""
    name = name_of(file_id, campaign_number)
    _publish(await InstanceStore(work.connection).add(file_id, name, work.now), work)


async def note_run(file_id: UUID, work: Work) -> None:
    """Count that something was done for a file."""
    _publish(await InstanceStore(work.connection).ran(file_id, work.now), work)


async def end_instance(file_id: UUID, work: Work) -> None:
    """End the post-processing of a file that is done with; it is no longer listed."""
    _publish(await InstanceStore(work.connection).end(file_id, work.now), work)


@registry.on(ControlWorkflow, refusal=refused)
async def control_instance(command: ControlWorkflow, work: Work) -> None:
    """Start, pause, resume, stop or run a post-processing; other workflows are not ours."""
    store = InstanceStore(work.connection)
    one = await store.named(command.name)
    if one is None:
        return
    await require(work, command.actor, Right.CONTROL_WORKFLOWS)
    after = ALLOWED[command.control].get(one.status) if one.ended_at is None else None
    if after is None:
        status = one.status if one.ended_at is None else "over"
        raise Refused(
            f"{command.name} is {status}: it cannot {command.control}",
            code="cannot_control",
            workflow=command.name,
            status=status,
        )
    _publish(await store.move(one, after), work)
    if after is WorkflowStatus.STARTED:
        await wake(work, SUPPLIER_MGT)


def _publish(one: Instance | None, work: Work) -> None:
    if one is None:
        return
    what = f"{one.file_name} (C-{one.campaign_number})"
    work.emit(
        WorkflowState(
            name=one.name,
            version=one.version,
            service=work.service,
            label=f"Post-processing of {what}",
            label_fr=f"Post-traitement de {what}",
            package="Campaign",
            schedule=f"with {SUPPLIER_MGT}",
            status=one.status,
            last_run_at=one.last_run_at,
            runs=one.runs,
            instance_of=SUPPLIER_MGT,
            ended_at=one.ended_at,
        )
    )
