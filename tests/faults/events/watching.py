"""What Message Center's processes do, for faults to be aimed at: in the tests' children only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from services.web.events import door, reading, soap_door
from shared.engine import Engine
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow
from tests.faults.kinds import Kind, also_doing, doing

LEASE_VARIABLE: Final = "MUSTER_TEST_INTAKE_LEASE"
"""For how many seconds a key of a call that died is under way; the product's are many."""
LINES_VARIABLE: Final = "MUSTER_TEST_INTAKE_LINES"
"""How many lines of NDJSON are a chunk; the product's are many."""
WORKFLOWS: Final = {
    "rtEventsProcessing": Kind.ROUTING,
    "batchEventsProcessing": Kind.BATCH_ROUTING,
    "updateEventsStatus": Kind.STATUSES,
    "mcSynch_default": Kind.ARCHIVE,
}


def install() -> None:
    """Wrap the doors of events and Message Center's workflows; shorten what the tests wait for."""
    if os.environ.get(LEASE_VARIABLE):
        lease = timedelta(seconds=float(os.environ[LEASE_VARIABLE]))
        door.LEASE = lease  # type: ignore[misc]  # in a child process only
    if os.environ.get(LINES_VARIABLE):
        reading.CHUNK_LINES = int(os.environ[LINES_VARIABLE])  # type: ignore[misc]  # the same
    _watch_doors()
    _watch_workflows()


def _watch_doors() -> None:
    take, give = door.EventDoor.take, soap_door.SoapDoor._take

    async def taking(
        self: door.EventDoor, chunk: reading.Chunk, asked: door.Asked
    ) -> list[door.Answer]:
        with doing(Kind.PUSH):
            return await take(self, chunk, asked)

    async def giving(
        self: soap_door.SoapDoor, call: Any, events: Any, asked: door.Asked
    ) -> list[tuple[door.Answer, int]]:
        with doing(Kind.NUMBERS):
            return await give(self, call, events, asked)

    door.EventDoor.take = taking  # type: ignore[method-assign]  # in a child process only
    soap_door.SoapDoor._take = giving  # type: ignore[method-assign]  # the same


def _watch_workflows() -> None:
    inner: Any = Engine.__init__

    def watched(workflow: TechnicalWorkflow) -> TechnicalWorkflow:
        kind = WORKFLOWS.get(workflow.name)
        if kind is None:
            return workflow

        async def run(work: Work) -> Step:
            with doing(kind):
                step = await workflow.run(work)
            if step.rows_in:
                also_doing(kind)
            return step

        return replace(workflow, run=run)

    def init(
        self: Engine,
        uow: Any,
        workflows: Sequence[TechnicalWorkflow],
        settings: Any,
        supervision: Any,
    ) -> None:
        inner(self, uow, [watched(one) for one in workflows], settings, supervision)

    Engine.__init__ = init  # type: ignore[method-assign]  # in a child process only
