"""What the supervisor does with each message: it notes, and controls nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from services.workflows.asks import AskStore
from services.workflows.beats import BeatStore
from services.workflows.domain import fold
from services.workflows.store import CatalogueStore
from services.workflows.supervisors import SupervisorStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.campaign import CampaignState
from topics.workflows import (
    ControlWorkflow,
    SetSupervisors,
    SupervisorsRefused,
    SupervisorsSet,
    WorkflowHeartbeat,
    WorkflowRefused,
    WorkflowRunEnded,
    WorkflowState,
)

registry: Final = Registry()


def _not_set(command: SetSupervisors, refusal: Refused) -> SupervisorsRefused:
    return SupervisorsRefused(
        name=command.name,
        reason=refusal.reason,
        code=refusal.code,
        values=refusal.values,
        actor=command.actor,
    )


@registry.on(ControlWorkflow)
async def note_ask(command: ControlWorkflow, work: Work) -> None:
    """Note a control that was asked through any door; its own service carries it out."""
    cause = work.cause
    if cause is not None:
        ask_id = cause.correlation_id or cause.id
        await AskStore(work.connection).ask(ask_id, command, cause.time or work.now)


@registry.on(SetSupervisors, refusal=_not_set)
async def set_supervisors(command: SetSupervisors, work: Work) -> None:
    """Keep who is told of a workflow's troubles."""
    await require(work, command.actor, Right.CONTROL_WORKFLOWS)
    store = SupervisorStore(work.connection)
    if not await CatalogueStore(work.connection).knows(command.name):
        raise Refused("there is no such technical workflow", field="name", code="unknown")
    unknown = await store.unknown(command.operators)
    if unknown:
        raise Refused(f"{unknown} is no active operator", field="operators", code="unknown")
    await store.set(command.name, command.operators, command.groups)
    work.emit(
        SupervisorsSet(
            name=command.name,
            operators=command.operators,
            groups=command.groups,
            actor=command.actor,
        )
    )


@registry.on(WorkflowState)
async def save_state(state: WorkflowState, work: Work) -> None:
    """Keep a workflow's state; one that a command caused is that command's answer."""
    await CatalogueStore(work.connection).save(state, work.now)
    cause = work.cause
    if cause is not None and cause.causation_id and cause.correlation_id:
        await AskStore(work.connection).answer(cause.correlation_id, state.name, work.now)


@registry.on(WorkflowRefused)
async def note_refusal(refused: WorkflowRefused, work: Work) -> None:
    """Note why a control was not carried out."""
    cause = work.cause
    if cause is not None and cause.correlation_id:
        await AskStore(work.connection).answer(
            cause.correlation_id, refused.name, work.now, refusal=refused.reason
        )


@registry.on_batch(WorkflowRunEnded)
async def add_runs(runs: Sequence[WorkflowRunEnded], work: Work) -> None:
    """Keep runs, and drop those that are older than the history goes back."""
    store = CatalogueStore(work.connection)
    await store.add_runs(runs)
    await store.forget_runs(work.now - timedelta(days=work.settings.workflow_history_days))


@registry.on_batch(WorkflowHeartbeat)
async def count_beats(heartbeats: Sequence[WorkflowHeartbeat], work: Work) -> None:
    """Keep the last beat of each service; one that is not newer changes nothing."""
    store = BeatStore(work.connection)
    known = await store.counted()
    for heartbeat in heartbeats:
        known[heartbeat.service] = fold(known.get(heartbeat.service), heartbeat)
    touched = sorted({heartbeat.service for heartbeat in heartbeats})
    await store.count([known[service] for service in touched], work.now)


@registry.on_batch(CampaignState)
async def save_waiting(states: Sequence[CampaignState], work: Work) -> None:
    """Keep which campaigns wait for a workflow."""
    await CatalogueStore(work.connection).save_waiting(states)
