"""Runs: one content going to the rows of one ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.delivery.domain.runs import Reason, RunKind
from shared.database import Connection
from topics.delivery import ApprovalKind, DeliveryCounts
from topics.waves import Waves

_COLUMNS: Final = """
run_id, kind, state, campaign_id, campaign_number, campaign_label, delivery_id, template_hash,
content_hash, snapshot_id, snapshot_hash, count, chunks, next_chunk, filled, paused, stop_reason,
supplier_service_id, letters_total, letters_chunks, letters_next, letters_after, letters_outcome,
letters_reason, subject_prefix, retry_until, revision, rate_per_minute, again_scope,
again_asked_at, again_after, rest, waves, wave_until, approvals, weight, seeds_of
"""
_ADD: Final = """
INSERT INTO runs (run_id, kind, state, campaign_id, campaign_number, campaign_label, delivery_id,
    template_hash, content_hash, snapshot_id, snapshot_hash, count, chunks, filled,
    supplier_service_id, subject_prefix, retry_until, asked_at, rate_per_minute, waves,
    wave_until, approvals, weight, paused, seeds_of)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, $22, $23, $24, $25)
ON CONFLICT (run_id) DO NOTHING RETURNING 1
"""
_ADD_MESSAGES: Final = """
INSERT INTO runs (run_id, kind, state, template_hash, count, filled, retry_until, asked_at,
    started_at)
SELECT m.id, 'transactional', 'started', m.template_hash, 1, true, $3, $4, $4
FROM unnest($1::uuid[], $2::text[]) AS m (id, template_hash)
ON CONFLICT (run_id) DO NOTHING RETURNING run_id
"""
_GOING: Final = """
SELECT EXISTS (
    SELECT 1 FROM runs r WHERE r.run_id = ANY ($1::uuid[])
      AND (r.state = 'waiting' OR r.stop_reason IS NULL OR NOT r.filled
           OR EXISTS (SELECT 1 FROM ledger l
                      WHERE l.run_id = r.run_id AND l.outcome = 'pending')))
"""
_FORGOTTEN: Final = """
SELECT EXISTS (
    SELECT 1 FROM runs r WHERE r.campaign_id = $1 AND r.run_id <> $2 AND r.kind = 'campaign'
      AND r.state = 'finished' AND r.filled
      AND r.count <> (SELECT count(*) FROM ledger l WHERE l.run_id = r.run_id))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its row holds it.

    Attributes:
        next_chunk: the first chunk of the snapshot that is not in the ledger yet.
        letters_after: the last ledger row handed to the supplier.
        again_scope: which rows are being sent again, those of positions up to ``again_after`` are
            in the queue.
        letters_outcome: what the supplier's answer makes of the letters that are pending.
        approvals: the kinds without which it does not start, besides its proof's.
        seeds_of: the campaign's run beside which these seeds get their messages.
        rest: ``left`` once the run was ended for a later one to send the rest; then ``taken``.
        weight: how much its messages weigh under pressure rules.
        wave_until: e-mails at this position of the ledger and behind it wait for their wave.
    """

    run_id: UUID
    kind: RunKind
    state: str
    campaign_id: UUID | None
    campaign_number: int | None
    campaign_label: str
    delivery_id: UUID | None
    template_hash: str | None
    content_hash: str | None
    snapshot_id: UUID | None
    snapshot_hash: str | None
    count: int
    chunks: int
    retry_until: datetime
    filled: bool = False
    supplier_service_id: UUID | None = None
    subject_prefix: str = ""
    next_chunk: int = 0
    paused: bool = False
    stop_reason: str | None = None
    letters_total: int = 0
    letters_chunks: int = 0
    letters_next: int = 0
    letters_after: UUID | None = None
    letters_outcome: str | None = None
    letters_reason: str = ""
    revision: int = 0
    rate_per_minute: int | None = None
    again_scope: str | None = None
    again_asked_at: datetime | None = None
    again_after: int | None = None
    rest: str | None = None
    waves: Waves | None = None
    wave_until: int | None = None
    approvals: tuple[ApprovalKind, ...] = ()
    weight: int = 5
    seeds_of: UUID | None = None

    @property
    def left_out(self) -> str:
        """Why rows that a stop caught get nothing from this run."""
        return f"{Reason.LEFT_OVER if self.rest == 'left' else Reason.STOPPED}: {self.stop_reason}"

    @property
    def prepared(self) -> bool:
        """Whether its recipients are known and its letters with the supplier, or it was stopped."""
        handed_over = self.letters_next == self.letters_chunks or self.letters_outcome is not None
        return self.stop_reason is not None or (self.filled and handed_over)

    @property
    def letters_handed_over(self) -> bool:
        """Whether every letter is with the supplier: they cannot be called back from there."""
        return self.letters_chunks > 0 and self.letters_next == self.letters_chunks


def _run(row: asyncpg.Record) -> Run:
    values: dict[str, Any] = dict(row)
    values["kind"] = RunKind(values["kind"])
    values["waves"] = Waves.model_validate(values["waves"]) if values["waves"] else None
    values["approvals"] = tuple(map(ApprovalKind, values["approvals"]))
    return Run(**values)


class RunStore:
    """Runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, run: Run, at: datetime) -> bool:
        """Write a new run; return whether it was new."""
        added = await self._connection.fetchval(
            _ADD,
            run.run_id,
            run.kind.value,
            run.state,
            run.campaign_id,
            run.campaign_number,
            run.campaign_label,
            run.delivery_id,
            run.template_hash,
            run.content_hash,
            run.snapshot_id,
            run.snapshot_hash,
            run.count,
            run.chunks,
            run.filled,
            run.supplier_service_id,
            run.subject_prefix,
            run.retry_until,
            at,
            run.rate_per_minute,
            run.waves.model_dump(mode="json") if run.waves is not None else None,
            run.wave_until,
            [kind.value for kind in run.approvals],
            run.weight,
            run.paused,
            run.seeds_of,
        )
        return bool(added)

    async def add_messages(
        self,
        ids: Sequence[UUID],
        template_hashes: Sequence[str | None],
        *,
        retry_until: datetime,
        at: datetime,
    ) -> set[UUID]:
        """Write runs of single messages; return the ids that were new."""
        rows = await self._connection.fetch(
            _ADD_MESSAGES, list(ids), list(template_hashes), retry_until, at
        )
        return {row["run_id"] for row in rows}

    async def lock(self, run_id: UUID) -> Run | None:
        """Return a run, its row locked until the transaction ends."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM runs WHERE run_id = $1 FOR UPDATE", run_id
        )
        return _run(row) if row else None

    async def lock_free(self, run_id: UUID) -> Run | None:
        """Return a run, locked; ``None`` when it is unknown or somebody else has the lock."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM runs WHERE run_id = $1 FOR UPDATE SKIP LOCKED", run_id
        )
        return _run(row) if row else None

    async def lock_under_way(self, campaign_id: UUID) -> list[Run]:
        """Return a campaign's runs that wait or go on, locked, in order of id."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM runs WHERE campaign_id = $1 AND kind = 'campaign'"
            " AND state IN ('waiting', 'started') ORDER BY run_id FOR UPDATE",
            campaign_id,
        )
        return [_run(row) for row in rows]

    async def take_rest(self, run: Run) -> bool:
        """Take over what earlier runs of the campaign left; whether they are at rest, as they must.

        A message in a server's hands may still be sent there, so its run is waited for. From here
        on nothing is left over any more: a message that goes again too late is stopped.
        """
        earlier = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM runs WHERE campaign_id = $1 AND kind = 'campaign'"
            " AND run_id <> $2 AND state <> 'refused' ORDER BY run_id FOR UPDATE",
            run.campaign_id,
            run.run_id,
        )
        going = [row["run_id"] for row in earlier if row["state"] != "finished"]
        if going and await self._connection.fetchval(_GOING, going):
            return False
        taken = [row["run_id"] for row in earlier if row["rest"] != "taken"]
        await self._connection.execute(
            "UPDATE runs SET rest = 'taken' WHERE run_id = ANY ($1::uuid[])", taken
        )
        await self.mark(*taken)
        return True

    async def forgotten(self, run: Run) -> bool:
        """Whether rows of an earlier run of the campaign were removed: who got it is not known."""
        return bool(
            await self._connection.fetchval(_FORGOTTEN, run.campaign_id, run.run_id),
        )

    async def taken_by(self, run: Run) -> list[UUID]:
        """Return the earlier runs of a campaign whose rest this one sends."""
        rows = await self._connection.fetch(
            "SELECT run_id FROM runs WHERE campaign_id = $1 AND kind = 'campaign'"
            " AND rest = 'taken' AND run_id <> $2",
            run.campaign_id,
            run.run_id,
        )
        return [row["run_id"] for row in rows]

    async def lock_started_on(self, approval_id: UUID) -> list[Run]:
        """Return the runs that started on an approval and go on, locked, in order of id."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM runs WHERE approval_id = $1 AND kind = 'campaign'"
            " AND state = 'started' AND stop_reason IS NULL ORDER BY run_id FOR UPDATE",
            approval_id,
        )
        return [_run(row) for row in rows]

    async def lock_one(self, condition: str, *skip: UUID) -> Run | None:
        """Return the first campaign run under way that meets a condition of this module's callers.

        ``condition`` is SQL written in the code over columns of ``runs``, never input.
        """
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM runs WHERE kind = 'campaign'"
            f" AND state IN ('waiting', 'started') AND ({condition})"
            " AND run_id <> ALL ($1::uuid[]) ORDER BY run_id LIMIT 1 FOR UPDATE",
            list(skip),
        )
        return _run(row) if row else None

    async def change(self, run_id: UUID, **values: object) -> None:
        """Set columns of a run (names come from the code, never from input)."""
        columns = ", ".join(f"{name} = ${i}" for i, name in enumerate(values, 2))
        await self._connection.execute(
            f"UPDATE runs SET {columns} WHERE run_id = $1", run_id, *values.values()
        )

    async def halt_seeds(
        self,
        campaign_id: UUID,
        *,
        of_run: UUID | None = None,
        paused: bool | None = None,
        stop_reason: str | None = None,
    ) -> None:
        """Have the seeds of a campaign's runs, or of one, pause, go on or stop, as it does."""
        rows = await self._connection.fetch(
            "UPDATE runs SET paused = coalesce($3, paused),"
            " stop_reason = coalesce(stop_reason, $4)"
            " WHERE campaign_id = $1 AND kind = 'seeds' AND state = 'started'"
            " AND ($2::uuid IS NULL OR seeds_of = $2) RETURNING run_id",
            campaign_id,
            of_run,
            paused,
            stop_reason,
        )
        await self.mark(*(row["run_id"] for row in rows))

    async def keep_counts(self, run_id: UUID, counts: DeliveryCounts) -> int:
        """Keep the totals that are about to be published; return their revision."""
        revision: int = await self._connection.fetchval(
            "UPDATE runs SET revision = revision + 1, counts = $2 WHERE run_id = $1"
            " RETURNING revision",
            run_id,
            counts.model_dump(),
        )
        return revision

    async def mark(self, *run_ids: UUID) -> None:
        """Say that rows of runs changed: their totals are counted and published soon."""
        await self._connection.execute(
            "INSERT INTO progress_marks (run_id) SELECT unnest($1::uuid[])", list(set(run_ids))
        )

    async def marked(self) -> list[UUID]:
        """Return the runs with marks."""
        rows = await self._connection.fetch("SELECT DISTINCT run_id FROM progress_marks LIMIT 500")
        return [row["run_id"] for row in rows]

    async def take_marks(self, run_id: UUID) -> None:
        """Remove a run's marks: what they announced is visible to this transaction's counts."""
        await self._connection.execute("DELETE FROM progress_marks WHERE run_id = $1", run_id)
