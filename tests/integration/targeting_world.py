"""What the tests of targeting share: the sample CRM in a running service, and ways to ask it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from deploy.sample import CRM_DIR
from services.targeting.app import SERVICE
from services.targeting.counting import run_one
from services.targeting.imports import ImportReport, Kind, import_csv
from shared.producer import unpack_headers
from shared.service import Runtime
from tests.conftest import Open
from tests.outboxes import outbox_of
from topics.message import Actor, Message, Via, system_actor
from topics.operators import OperatorState, Role
from topics.targeting import (
    ControlGroup,
    Counts,
    CountTarget,
    Criterion,
    FreezeSnapshot,
    Member,
    Operator,
    SaveTargeting,
    SnapshotChunk,
    SnapshotFrozen,
    TargetCounted,
    TargetCounts,
    TargetingKind,
)

ITSELF = system_actor("targeting")


def sample(name: str) -> list[dict[str, str]]:
    """Return the rows of a file of the sample CRM."""
    with (CRM_DIR / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def put(runtime: Runtime, kind: Kind, path: Path | None = None) -> ImportReport:
    """Import a file, by default the sample's."""
    return await import_csv(runtime.uow, kind, path or CRM_DIR / f"{kind}.csv", None, ITSELF)


async def open_world(open_service: Open, **more: str) -> Runtime:
    """Open the service with the sample CRM in its directory."""
    runtime = await open_service(SERVICE, **more)
    for kind in Kind:
        await put(runtime, kind)
    return runtime


async def operator(runtime: Runtime, *roles: Role) -> Actor:
    """Make an operator with roles."""
    operator_id = uuid4()
    state = OperatorState(operator_id=operator_id, version=1, name="Camille", roles=roles)
    await runtime.execute(state)
    return Actor(id=str(operator_id), via=Via.WEB)


def where(field: str, comparison: Operator, *values: str) -> Criterion:
    """Return one criterion."""
    return Criterion(field=field, operator=comparison, values=values)


async def save(
    runtime: Runtime,
    *criteria: Criterion,
    counts: Counts = Counts.CONTACTS,
    sql: str | None = None,
    actor: Actor = ITSELF,
    targeting_id: UUID | None = None,
) -> list[Message]:
    """Save a targeting; return what was answered."""
    return await runtime.execute(
        SaveTargeting(
            targeting_id=targeting_id or uuid4(),
            actor=actor,
            label="Somebody",
            counts=counts,
            kind=TargetingKind.SQL if sql else TargetingKind.CRITERIA,
            criteria=criteria,
            sql=sql,
        )
    )


async def saved(runtime: Runtime, *criteria: Criterion, **more: object) -> UUID:
    """Save a targeting that is accepted; return its id."""
    targeting_id = uuid4()
    answers = await save(runtime, *criteria, targeting_id=targeting_id, **more)  # type: ignore[arg-type]  # passed on
    assert type(answers[0]).__name__ == "TargetingState", answers
    return targeting_id


async def emitted(runtime: Runtime) -> list[tuple[str, bytes]]:
    """Return type and body of what waits in the outbox, in order, and empty it."""
    rows = await outbox_of(runtime)
    await runtime.pool.execute("DELETE FROM outbox")
    return [(dict(unpack_headers(row.headers))["ce_type"].decode(), row.value) for row in rows]


async def answers(runtime: Runtime, kind: type[Message]) -> list[Message]:
    """Return what waits in the outbox of one type, and empty the outbox."""
    found = await emitted(runtime)
    return [kind.model_validate_json(value) for name, value in found if name == kind.ce_type]


async def row_of(runtime: Runtime, sql: str, *args: object) -> dict[str, Any]:
    """Return the one row of a query."""
    [row] = await runtime.pool.fetch(sql, *args)
    return dict(row)


async def work_off(runtime: Runtime) -> None:
    """Do every count and freeze that was asked for."""
    while await run_one(runtime, "count") or await run_one(runtime, "freeze"):
        pass


async def counted(runtime: Runtime, targeting_id: UUID) -> TargetCounts:
    """Ask for a count and return it."""
    await emitted(runtime)
    await runtime.execute(CountTarget(campaign_id=uuid4(), targeting_id=targeting_id))
    await work_off(runtime)
    [answer] = await answers(runtime, TargetCounted)
    assert isinstance(answer, TargetCounted)
    return answer.counts


async def freeze(
    runtime: Runtime, targeting_id: UUID, control: ControlGroup | None = None
) -> FreezeSnapshot:
    """Ask for a snapshot, have it made, and return the command."""
    command = FreezeSnapshot(
        campaign_id=uuid4(),
        snapshot_id=uuid4(),
        targeting_id=targeting_id,
        control_group=control,
    )
    await emitted(runtime)
    await runtime.execute(command)
    await work_off(runtime)
    return command


class Published:
    """What a freeze published: its chunks in order, and the announcement."""

    def __init__(self, found: list[tuple[str, bytes]]) -> None:
        self.types = [name for name, _ in found]
        self.sizes = [len(value) for _, value in found]
        self.chunks = [
            SnapshotChunk.model_validate_json(value)
            for name, value in found
            if name == SnapshotChunk.ce_type
        ]
        self.frozen = [
            SnapshotFrozen.model_validate_json(value)
            for name, value in found
            if name == SnapshotFrozen.ce_type
        ]

    @property
    def members(self) -> list[Member]:
        return [member for chunk in self.chunks for member in chunk.members]


async def published(runtime: Runtime) -> Published:
    return Published(await emitted(runtime))
