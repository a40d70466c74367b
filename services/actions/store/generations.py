"""Generations as rows: the jobs, and the set-based statements that carry out one step of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from services.actions.domain import (
    FITS,
    MAX_MODELS,
    Generated,
    Model,
    chunks_per_step,
    id_prefix,
    ordinal,
)
from services.actions.store.models import frozen
from shared.database import Connection
from topics.actions import Filing, GenerateActions, ModelKind

_JOB: Final = (
    "run_id, campaign_id, snapshot_id, chunks, next_chunk, status, starts_on,"
    " actions, deals, dossier_items"
)
# Slices that are all there make a waiting job ready; asking here, where the job is claimed,
# makes no difference to whether the command or the last slice came first.
_READY: Final = """
UPDATE generation_jobs j SET status = 'running'
WHERE j.status = 'waiting'
  AND j.chunks <= (SELECT count(*) FROM member_chunks c
                   WHERE c.snapshot_id = j.snapshot_id AND c.campaign_id = j.campaign_id
                     AND c.index < j.chunks)
"""
# The row's lock is the claim: it ends with the transaction, and the server ends an idle one. The
# job that waited longest is next, so that a large campaign does not hold up a small one.
_CLAIM: Final = f"""
SELECT {_JOB} FROM generation_jobs WHERE status = 'running' AND next_chunk < chunks
ORDER BY stepped_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_ALL_GENERATED: Final = f"""
SELECT {_JOB} FROM generation_jobs WHERE status = 'running' AND next_chunk >= chunks
ORDER BY stepped_at LIMIT 1
"""
_LINKED: Final = """
FROM members m
JOIN generation_models g ON g.run_id = $2 AND m.kind = ANY (g.fits)
WHERE m.snapshot_id = $4 AND m.ordinal >= $5 AND m.ordinal < $6
  AND ($7 OR NOT EXISTS (SELECT 1 FROM unlinked u
                         WHERE u.campaign_id = $1 AND u.member_id = m.member_id))
"""
# Ids grow with the members' order, so that the primary key and the list of next actions are
# written at their ends only.
_NEW_ID: Final = f"($3 || lpad(to_hex(m.ordinal * {MAX_MODELS} + g.place), 12, '0'))::uuid"
_ACTIONS: Final = f"""
INSERT INTO actions (campaign_id, action_id, model_id, member_id, run_id, site_id, contact_id,
                     deal_id, due_on, created_at, site_name, postal_code, town, phone,
                     contact_name, direct_line, mobile, email)
SELECT $1, {_NEW_ID}, g.model_id, m.member_id, $2, m.site_id, m.contact_id, m.deal_id,
       $8::date + g.delay_days, $9, m.site_name, m.postal_code, m.town, m.phone,
       m.contact_name, m.direct_line, m.mobile, m.email
{_LINKED} AND g.kind <> 'deal_on_site'
ON CONFLICT (member_id, model_id, campaign_id) DO NOTHING
"""
_DEALS: Final = f"""
INSERT INTO deals (campaign_id, deal_id, model_id, run_id, site_id, contact_id, business_line,
                   market, offer_owner, product, site_name, contact_name, email, created_at)
SELECT DISTINCT ON (g.model_id, m.site_id)
       $1, {_NEW_ID}, g.model_id, $2, m.site_id, m.contact_id, g.business_line, g.market,
       g.recipient, g.product, m.site_name, m.contact_name, m.email, $8
{_LINKED} AND g.kind = 'deal_on_site'
ORDER BY g.model_id, m.site_id, m.ordinal
ON CONFLICT (site_id, model_id, campaign_id) DO NOTHING
"""
_ITEMS: Final = f"""
INSERT INTO dossier_items (campaign_id, item_id, model_id, run_id, subject_id, site_name,
                           contact_name, email, processed, processed_at, created_at)
SELECT DISTINCT ON (g.model_id, subject.id)
       $1, {_NEW_ID}, g.model_id, $2, subject.id,
       CASE WHEN g.filing = 'per_contact' THEN m.site_name ELSE '' END,
       CASE WHEN g.filing = 'per_contact' THEN m.contact_name ELSE '' END,
       CASE WHEN g.filing = 'per_contact' THEN m.email ELSE '' END,
       g.processed, CASE WHEN g.processed THEN $8::timestamptz END, $8
{
    _LINKED.replace(
        "WHERE",
        '''CROSS JOIN LATERAL (
    SELECT CASE WHEN g.filing = 'per_contact' THEN coalesce(m.contact_id, m.site_id)
                ELSE g.model_id END AS id) subject
WHERE''',
        1,
    )
} AND g.filing <> 'none'
ORDER BY g.model_id, subject.id, m.ordinal
ON CONFLICT (subject_id, model_id, campaign_id) DO NOTHING
"""
_STEPPED: Final = """
UPDATE generation_jobs
SET next_chunk = $2, actions = actions + $3, deals = deals + $4,
    dossier_items = dossier_items + $5, stepped_at = $6
WHERE run_id = $1
"""
_LINKED_MEMBERS: Final = """
FROM members m
WHERE m.snapshot_id = $2
  AND NOT EXISTS (SELECT 1 FROM unlinked u WHERE u.campaign_id = $1 AND u.member_id = m.member_id)
"""
_REACHED: Final = f"""
SELECT count(DISTINCT m.site_id) AS organisations, count(DISTINCT m.contact_id) AS persons
{_LINKED_MEMBERS}
"""
# A campaign that was edited half-way is generated over twice: whom a job before this one reached
# is not reached, or charged, again.
_EARLIER: Final = """
SELECT e.run_id FROM generation_jobs e JOIN generation_jobs j USING (campaign_id)
WHERE j.run_id = $1 AND (e.asked_at, e.run_id) < (j.asked_at, j.run_id)
"""
_REACHED_ANEW: Final = f"""
WITH before AS (
    SELECT site_id, contact_id FROM actions WHERE campaign_id = $1 AND run_id = ANY ($3::uuid[])
    UNION
    SELECT site_id, contact_id FROM deals WHERE campaign_id = $1 AND run_id = ANY ($3::uuid[])),
reached AS (SELECT m.site_id, m.contact_id {_LINKED_MEMBERS})
SELECT (SELECT count(*) FROM (SELECT site_id FROM reached EXCEPT SELECT site_id FROM before) o)
           AS organisations,
       (SELECT count(*) FROM (SELECT contact_id FROM reached WHERE contact_id IS NOT NULL
                              EXCEPT SELECT contact_id FROM before) p) AS persons
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A generation under way; ``models`` are kinds and filings of its frozen models."""

    run_id: UUID
    campaign_id: UUID
    snapshot_id: UUID
    chunks: int
    next_chunk: int
    status: str
    starts_on: date
    actions: int
    deals: int
    dossier_items: int
    models: tuple[tuple[ModelKind, Filing], ...] = ()

    @property
    def end_chunk(self) -> int:
        """The slice before which the next step ends."""
        return min(self.chunks, self.next_chunk + chunks_per_step(self.models))


class GenerationStore:
    """Generations; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self, command: GenerateActions, models: Sequence[Model], *, starts_on: date, now: datetime
    ) -> bool:
        """Make the job of a run with its models as they are now; return whether it is new."""
        new = await self._connection.fetchval(
            "INSERT INTO generation_jobs (run_id, campaign_id, snapshot_id, snapshot_hash, chunks,"
            " starts_on, asked_at, stepped_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)"
            " ON CONFLICT DO NOTHING RETURNING true",
            *(command.run_id, command.campaign_id, command.snapshot_id, command.snapshot_hash),
            *(command.chunks, starts_on, now),
        )
        if not new:
            return False
        for place, model in enumerate(models):
            fields = {"run_id": command.run_id} | frozen(model, place, FITS[model.kind])
            marks = ", ".join(f"${mark}" for mark in range(1, len(fields) + 1))
            await self._connection.execute(
                f"INSERT INTO generation_models ({', '.join(fields)}) VALUES ({marks})",
                *fields.values(),
            )
        return True

    async def claim(self) -> Job | None:
        """Return the next job that has slices left, its row locked."""
        await self._connection.execute(_READY)
        return await self._job(_CLAIM)

    async def next_to_complete(self) -> Job | None:
        """Return a job whose slices are all generated."""
        return await self._job(_ALL_GENERATED)

    async def _job(self, query: str) -> Job | None:
        row = await self._connection.fetchrow(query)
        if row is None:
            return None
        models = await self._connection.fetch(
            "SELECT kind, filing FROM generation_models WHERE run_id = $1", row["run_id"]
        )
        made = tuple((ModelKind(one["kind"]), Filing(one["filing"])) for one in models)
        return Job(**dict(row), models=made)

    async def unfinished(self, campaign_id: UUID) -> bool:
        """Whether a generation of a campaign is waiting or under way."""
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM generation_jobs"
            " WHERE campaign_id = $1 AND status <> 'done')",
            campaign_id,
        )
        return found

    async def generate(self, job: Job, now: datetime) -> Generated:
        """Write the rows of the job's next slices; what exists already is left as it is."""
        scope = (
            *(job.campaign_id, job.run_id, id_prefix(now, job.run_id), job.snapshot_id),
            *(ordinal(job.next_chunk, 0), ordinal(job.end_chunk, 0)),
            await self._all_linked(job.campaign_id),
        )
        kinds = {kind for kind, _ in job.models}
        actions = deals = items = 0
        if kinds - {ModelKind.DEAL_ON_SITE}:
            actions = await self._written(_ACTIONS, *scope, job.starts_on, now)
        if ModelKind.DEAL_ON_SITE in kinds:
            deals = await self._written(_DEALS, *scope, now)
        if any(filing is not Filing.NONE for _, filing in job.models):
            items = await self._written(_ITEMS, *scope, now)
        made = Generated(actions, deals, items)
        await self._connection.execute(
            _STEPPED, job.run_id, job.end_chunk, actions, deals, items, now
        )
        return made

    async def _all_linked(self, campaign_id: UUID) -> bool:
        found: bool = await self._connection.fetchval(
            "SELECT NOT EXISTS (SELECT 1 FROM unlinked WHERE campaign_id = $1)", campaign_id
        )
        return found

    async def _written(self, statement: str, *arguments: object) -> int:
        return int((await self._connection.execute(statement, *arguments)).rpartition(" ")[2])

    async def reached(self, job: Job) -> tuple[int, int]:
        """Return the organisations and persons among a snapshot's linked members.

        Those that an earlier job of the campaign generated for are left out.
        """
        earlier = [row["run_id"] for row in await self._connection.fetch(_EARLIER, job.run_id)]
        scope: tuple[object, ...] = (job.campaign_id, job.snapshot_id)
        row = await (
            self._connection.fetchrow(_REACHED_ANEW, *scope, earlier)
            if earlier
            else self._connection.fetchrow(_REACHED, *scope)
        )
        return (row["organisations"], row["persons"]) if row else (0, 0)

    async def complete(self, run_id: UUID, reached: tuple[int, int], now: datetime) -> bool:
        """Note that all slices of a job are generated; False when somebody did already."""
        done: bool | None = await self._connection.fetchval(
            "UPDATE generation_jobs SET status = 'done', organisations = $2, persons = $3,"
            " completed_at = $4 WHERE run_id = $1 AND status = 'running' RETURNING true",
            *(run_id, *reached, now),
        )
        return done is True
