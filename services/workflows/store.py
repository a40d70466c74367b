"""The rows of the catalogue: workflows, their runs, and the campaigns that wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.database import Connection
from topics.campaign import CampaignState
from topics.workflows import WorkflowRunEnded, WorkflowState

_SAVE: Final = """
INSERT INTO catalogue (name, version, service, label, label_fr, package, schedule, status, next_at,
                       last_run_at, runs, error, seen_at, failures, failures_ignored, idle_runs,
                       idle_since)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (name) DO UPDATE
SET version = excluded.version, service = excluded.service, label = excluded.label,
    label_fr = excluded.label_fr, package = excluded.package, schedule = excluded.schedule,
    status = excluded.status, next_at = excluded.next_at, last_run_at = excluded.last_run_at,
    runs = excluded.runs, error = excluded.error, seen_at = excluded.seen_at,
    failures = excluded.failures, failures_ignored = excluded.failures_ignored,
    idle_runs = excluded.idle_runs, idle_since = excluded.idle_since
WHERE catalogue.version < excluded.version
   OR (catalogue.version = excluded.version AND catalogue.seen_at < excluded.seen_at)
"""
_ADD_RUN: Final = """
INSERT INTO runs (run_id, name, scheduled_for, started_at, ended_at, rows_in, rows_out, error,
                  idle_before)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
"""
_FORGET_RUNS: Final = """
DELETE FROM runs WHERE run_id IN (
    SELECT run_id FROM runs WHERE ended_at < $1 LIMIT 1000)
"""
_WAITING: Final = """
INSERT INTO waiting_campaigns (campaign_id, version, workflow) VALUES ($1, $2, $3)
ON CONFLICT (campaign_id) DO UPDATE SET version = excluded.version, workflow = excluded.workflow
WHERE waiting_campaigns.version < excluded.version
"""


class CatalogueStore:
    """The catalogue within one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save(self, state: WorkflowState, now: datetime) -> None:
        """Keep a workflow's state; an older version changes nothing.

        The same version may come again with another label, schedule or package: a service
        publishes its workflows when it starts, without changing them. An instance that has ended
        is no longer listed.
        """
        if state.ended_at is not None:
            await self._connection.execute("DELETE FROM catalogue WHERE name = $1", state.name)
            return
        await self._connection.execute(
            _SAVE,
            state.name,
            state.version,
            state.service,
            state.label,
            state.label_fr,
            state.package,
            state.schedule,
            state.status.value,
            state.next_at,
            state.last_run_at,
            state.runs,
            state.error,
            now,
            state.failures,
            state.failures_ignored,
            state.idle_runs,
            state.idle_since,
        )

    async def knows(self, name: str) -> bool:
        """Whether a workflow of this name ever published its state."""
        return bool(
            await self._connection.fetchval("SELECT 1 FROM catalogue WHERE name = $1", name)
        )

    async def add_runs(self, runs: Sequence[WorkflowRunEnded]) -> None:
        """Keep runs by their id."""
        await self._connection.executemany(
            _ADD_RUN,
            [
                (
                    run.run_id,
                    run.name,
                    run.scheduled_for,
                    run.started_at,
                    run.ended_at,
                    run.rows_in,
                    run.rows_out,
                    run.error,
                    run.idle_before,
                )
                for run in runs
            ],
        )

    async def forget_runs(self, before: datetime) -> None:
        """Drop up to 1,000 runs that ended before a time."""
        await self._connection.execute(_FORGET_RUNS, before)

    async def save_waiting(self, states: Sequence[CampaignState]) -> None:
        """Keep which workflow each campaign waits for; older versions change nothing."""
        await self._connection.executemany(
            _WAITING,
            [(state.campaign_id, state.version, state.waiting_workflow) for state in states],
        )
