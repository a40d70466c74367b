"""How a technical workflow is started, stopped and told its error policy, by its own service.

A step under way holds its workflow's row. A control that comes meanwhile is kept as an order and
makes nobody wait: the engine carries it out once the step is over, or has been ended by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.schedules import Schedule
from shared.uow import Work
from shared.workflows import TechnicalWorkflow, publish, set_status
from topics.cloudevents import Envelope
from topics.message import Actor
from topics.workflows import (
    Control,
    ControlWorkflow,
    ErrorPolicyRefused,
    SetErrorPolicy,
    WorkflowRefused,
    WorkflowStatus,
)

_STOPS: Final = {
    WorkflowStatus.STARTED: WorkflowStatus.STOPPED,
    WorkflowStatus.PAUSED: WorkflowStatus.STOPPED,
    WorkflowStatus.FAILED: WorkflowStatus.STOPPED,
}
ALLOWED: Final[dict[Control, dict[WorkflowStatus, WorkflowStatus]]] = {
    Control.START: {
        WorkflowStatus.STOPPED: WorkflowStatus.STARTED,
        WorkflowStatus.PAUSED: WorkflowStatus.STARTED,
        WorkflowStatus.FAILED: WorkflowStatus.STARTED,
    },
    Control.PAUSE: {WorkflowStatus.STARTED: WorkflowStatus.PAUSED},
    Control.RESUME: {
        WorkflowStatus.PAUSED: WorkflowStatus.STARTED,
        WorkflowStatus.FAILED: WorkflowStatus.STARTED,
    },
    Control.STOP: _STOPS,
    Control.RUN_NOW: {WorkflowStatus.STARTED: WorkflowStatus.STARTED},
    Control.STOP_NOW: _STOPS,
}
_FREE: Final = """
SELECT status, EXISTS (SELECT 1 FROM workflow_orders o WHERE o.name = $1) AS ordered
FROM technical_workflows WHERE name = $1 FOR UPDATE SKIP LOCKED
"""
_ORDER: Final = """
INSERT INTO workflow_orders (name, control, actor, cause) VALUES ($1, $2, $3, $4)
"""
_TAKE_ORDERS: Final = """
WITH taken AS (DELETE FROM workflow_orders WHERE name = $1 RETURNING seq, control, actor, cause)
SELECT control, actor, cause FROM taken ORDER BY seq
"""
_SET_POLICY: Final = """
INSERT INTO workflow_policies (name, failures_ignored) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET failures_ignored = excluded.failures_ignored
"""


def registry_of(workflows: Mapping[str, TechnicalWorkflow], sweep: Schedule) -> Registry:
    """Return the handlers that control a service's workflows; others' are passed over."""
    registry = Registry()

    async def control(command: ControlWorkflow, work: Work) -> None:
        workflow = workflows.get(command.name)
        if workflow is not None:
            await require(work, command.actor, Right.CONTROL_WORKFLOWS)
            await apply_control(command, workflow, sweep, work)

    async def set_policy(command: SetErrorPolicy, work: Work) -> None:
        workflow = workflows.get(command.name)
        if workflow is not None:
            await require(work, command.actor, Right.CONTROL_WORKFLOWS)
            await apply_policy(command.failures_ignored, workflow, sweep, work)

    registry.on(ControlWorkflow, refusal=refused)(control)
    registry.on(SetErrorPolicy, refusal=_policy_refused)(set_policy)
    return registry


async def apply_control(
    command: ControlWorkflow, workflow: TechnicalWorkflow, sweep: Schedule, work: Work
) -> bool:
    """Carry a control out now, or keep it as an order while a step is under way.

    Returns whether it was carried out now; the actor's right is the caller's to check.

    Raises:
        Refused: the workflow's state does not allow it.
    """
    row = await work.connection.fetchrow(_FREE, command.name)
    if row is None or row["ordered"]:
        actor = command.actor.model_dump(mode="json")
        cause = _packed(work.cause) if work.cause else None
        await work.connection.execute(_ORDER, command.name, command.control.value, actor, cause)
        return False
    await _move(command, WorkflowStatus(row["status"]), workflow, sweep, work)
    return True


async def carry_out_orders(workflow: TechnicalWorkflow, sweep: Schedule, work: Work) -> bool:
    """Carry out the orders of a workflow; return whether nobody else has its row in hand."""
    row = await work.connection.fetchrow(_FREE, workflow.name)
    if row is None:
        return False
    status = WorkflowStatus(row["status"])
    for order in await work.connection.fetch(_TAKE_ORDERS, workflow.name):
        command = ControlWorkflow(
            name=workflow.name,
            control=Control(order["control"]),
            actor=Actor.model_validate(order["actor"]),
        )
        work.cause = _unpacked(order["cause"]) if order["cause"] else None
        if command.control is Control.STOP_NOW and status is WorkflowStatus.STOPPED:
            # An ordinary stop waited before it, and is done by now: this one had its effect too.
            await publish(work, workflow, sweep)
            continue
        try:
            status = await _move(command, status, workflow, sweep, work)
        except Refused as refusal:
            work.emit(refused(command, refusal))
    work.cause = None
    return True


async def apply_policy(
    failures_ignored: int, workflow: TechnicalWorkflow, sweep: Schedule, work: Work
) -> None:
    """Set how many failures in a row a workflow may have; it counts from the next failure on."""
    await work.connection.execute(_SET_POLICY, workflow.name, failures_ignored)
    await publish(work, workflow, sweep)


async def _move(
    command: ControlWorkflow,
    status: WorkflowStatus,
    workflow: TechnicalWorkflow,
    sweep: Schedule,
    work: Work,
) -> WorkflowStatus:
    after = ALLOWED[command.control].get(status)
    if after is None:
        raise Refused(
            f"{command.name} is {status}: it cannot {command.control}",
            code="cannot_control",
            workflow=command.name,
            status=status,
        )
    await set_status(work, command.name, after)
    await publish(work, workflow, sweep)
    return after


def _packed(cause: Envelope) -> dict[str, Any]:
    return {
        "source": cause.source,
        "id": cause.id,
        "type": cause.type,
        "time": cause.time.isoformat() if cause.time else None,
        "correlation_id": cause.correlation_id,
        "traceparent": cause.traceparent,
    }


def _unpacked(packed: dict[str, Any]) -> Envelope:
    time = packed["time"]
    return Envelope(
        packed["source"],
        packed["id"],
        packed["type"],
        datetime.fromisoformat(time) if time else None,
        b"",
        correlation_id=packed["correlation_id"],
        traceparent=packed["traceparent"],
    )


def refused(command: ControlWorkflow, refusal: Refused) -> WorkflowRefused:
    """Return the answer to a control that was not carried out."""
    return WorkflowRefused(
        name=command.name,
        control=command.control,
        reason=refusal.reason,
        code=refusal.code,
        values=refusal.values,
        actor=command.actor,
    )


def _policy_refused(command: SetErrorPolicy, refusal: Refused) -> ErrorPolicyRefused:
    return ErrorPolicyRefused(
        name=command.name,
        reason=refusal.reason,
        code=refusal.code,
        values=refusal.values,
        actor=command.actor,
    )
