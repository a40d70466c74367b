"""Work of a technical workflow that is done in the transaction which brings it.

An event that could be routed by the next run of its workflow is routed where it comes in: a row's
version, a message and a transaction less. Only while the workflow is started and nothing waits
before it: a stopped one holds back all that comes, and its next run goes on where it stopped.
"""

from __future__ import annotations

from typing import Final

from shared.uow import Work
from shared.workflows import Step

# Shared with other transactions of this kind; a step under way has the row, and is left to it. So
# a stop that was carried out has no such work under way, as it has no step. A run that was begun
# has all that comes: between its steps it waits for the row no longer than a lock may take, and
# many who share it in turn would fail it.
_AT_HAND: Final = """
SELECT 1 FROM technical_workflows w
WHERE name = $1 AND status = 'started' AND (lease_owner IS NULL OR lease_until < now())
  AND NOT EXISTS (SELECT 1 FROM workflow_orders o WHERE o.name = $1)
  AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.kind = ANY ($2::text[]) AND t.due_at <= $3)
FOR SHARE OF w SKIP LOCKED
"""
_TALLY: Final = "INSERT INTO done_at_once (workflow, rows_in, rows_out) VALUES ($1, $2, $3)"
_TAKE: Final = """
WITH gone AS (DELETE FROM done_at_once WHERE workflow = $1 RETURNING rows_in, rows_out)
SELECT coalesce(sum(rows_in), 0)::int AS rows_in, coalesce(sum(rows_out), 0)::int AS rows_out
FROM gone
"""


async def is_at_hand(work: Work, name: str, *timers: str) -> bool:
    """Whether a started workflow's work may be done here, until the transaction ends.

    Asked last: a yes keeps the workflow's next run waiting. So it is no while one of the kinds of
    ``timers`` is due: many who share the row in turn would keep what is scheduled waiting too.
    """
    return bool(await work.connection.fetchval(_AT_HAND, name, timers, work.now))


async def tally(work: Work, name: str, *, rows_in: int, rows_out: int) -> None:
    """Note what was done for a workflow, for its next run to count."""
    await work.connection.execute(_TALLY, name, rows_in, rows_out)


async def take_tally(work: Work, name: str) -> Step:
    """Return what was done for a workflow since its last run, as a step of it."""
    row = await work.connection.fetchrow(_TAKE, name)
    return Step(row["rows_in"], row["rows_out"]) if row else Step()
