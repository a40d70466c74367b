"""Which technical workflows of a service are due: asked for all of them at once.

Most looks find nothing: one for each workflow, in a transaction of its own, was most of what an
idle instance asked of its database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.uow import UnitOfWork
from shared.waiting import wait_or_stop
from shared.workflows import TechnicalWorkflow

log = logger("shared.due")

IDLE_SECONDS: Final = 0.25
# What the engine's claim asks of one; whoever is found here claims it, or finds it taken.
_DUE: Final = """
SELECT w.name FROM technical_workflows w
WHERE w.name = ANY ($1::text[])
  AND (EXISTS (SELECT 1 FROM workflow_orders o WHERE o.name = w.name)
       OR w.status = 'started' AND (w.lease_until < now() OR w.lease_owner IS NULL)
          AND (w.next_at <= $2
               OR EXISTS (SELECT 1 FROM workflow_wakes v WHERE v.name = w.name)
               OR EXISTS (SELECT 1 FROM unnest($3::text[], $4::text[]) AS of (name, kind)
                          JOIN timers t USING (kind)
                          WHERE of.name = w.name AND t.due_at <= $2)))
"""


class Due:
    """Wakes workflows that have a time, a wake, a timer or an order; ``look`` must be running."""

    def __init__(self, uow: UnitOfWork, workflows: Sequence[TechnicalWorkflow]) -> None:
        self._uow = uow
        self._found = {workflow.name: asyncio.Event() for workflow in workflows}
        timers = [(workflow.name, kind) for workflow in workflows for kind in workflow.timers]
        self._timers = [name for name, _ in timers], [kind for _, kind in timers]

    async def look(self, stop: asyncio.Event) -> None:
        """Look for what is due until ``stop`` is set."""
        while not stop.is_set():
            try:
                rows = await self._uow.pool.fetch(
                    _DUE, list(self._found), self._uow.clock.now(), *self._timers
                )
            except INTERRUPTIONS as problem:
                log.warning("workflows.not_seen", error=reason_of(problem))
                rows = []
            for row in rows:
                self._found[row["name"]].set()
            await wait_or_stop(stop, IDLE_SECONDS)

    async def wait(self, name: str, stop: asyncio.Event) -> None:
        """Wait until a workflow was found to be due since the last wait, or ``stop`` is set."""
        waiting = {asyncio.create_task(one.wait()) for one in (self._found[name], stop)}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
        self._found[name].clear()
