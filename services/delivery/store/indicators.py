"""What indicators are counted from, and the latest ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.delivery.domain.indicators import Counted, Indicators
from services.delivery.domain.runs import Reason
from services.delivery.domain.tracking import EventKind
from services.delivery.store.failures import REASON_NAMES
from shared.database import Connection
from topics.delivery import Outcome

_RUNS: Final = """
SELECT run_id, count, filled FROM runs
WHERE delivery_id = $1 AND kind = 'campaign' AND state IN ('started', 'finished')
"""
# Letters are their supplier's to count; whoever has no address at all was meant to get a mail. What
# a server refused in the session counts as what its words mean.
_ROWS: Final = f"""
SELECT l.outcome, coalesce($2::jsonb ->> f.reason::text, split_part(l.reason, ':', 1)) AS reason,
       count(*)::int AS rows
FROM ledger l
LEFT JOIN LATERAL (
    SELECT reason FROM failures
    WHERE run_id = l.run_id AND member_id = l.member_id AND kind = 'refusal'
    ORDER BY (severity = 'hard') DESC, at DESC LIMIT 1) f
    ON l.outcome = 'failed' AND l.reason = '{Reason.REFUSED_BY_SERVER}'
WHERE l.run_id = ANY ($1::uuid[]) AND (l.channel = 'email' OR l.reason = 'no_address')
GROUP BY 1, 2
"""
_AFTERWARDS: Final = """
SELECT (SELECT count(DISTINCT (run_id, member_id))::int FROM failures
        WHERE run_id = ANY ($1::uuid[]) AND kind = 'complaint') AS complaints,
       (SELECT count(DISTINCT (recipient_key, channel))::int FROM quarantine_journal
        WHERE run_id = ANY ($1::uuid[]) AND after = 'quarantine') AS new_quarantines
"""
_MARK: Final = """
INSERT INTO indicator_marks (run_id)
SELECT run_id FROM runs
WHERE run_id = ANY ($1::uuid[]) AND kind = 'campaign' AND delivery_id IS NOT NULL ORDER BY 1
ON CONFLICT DO NOTHING
"""
_LEDGER: Final = "SELECT count(*)::int FROM ledger WHERE run_id = ANY ($1::uuid[])"
_EVENTS: Final = f"""
SELECT count(*) FILTER (WHERE kind = {EventKind.OPEN:d})::int AS opens,
       count(*) FILTER (WHERE kind = {EventKind.OPEN:d} AND machines)::int AS machine_opens,
       count(*) FILTER (WHERE kind = {EventKind.CLICK:d})::int AS clicks,
       count(*) FILTER (WHERE kind = {EventKind.CLICK:d} AND machines)::int AS machine_clicks,
       coalesce(sum(events) FILTER (WHERE kind = {EventKind.CLICK:d}), 0)::int AS clicks_total,
       coalesce(sum(sources) FILTER (WHERE kind = {EventKind.CLICK:d}), 0)::int AS click_persons,
       coalesce(sum(events) FILTER (WHERE kind = {EventKind.OPT_OUT:d}), 0)::int AS opt_outs,
       coalesce(sum(events) FILTER (WHERE kind = {EventKind.MIRROR:d}), 0)::int AS mirror_pages,
       coalesce(sum(events) FILTER (WHERE kind = {EventKind.TRANSACTION:d}), 0)::int
           AS transactions,
       coalesce(sum(amount) FILTER (WHERE kind = {EventKind.TRANSACTION:d}), 0)::bigint
           AS amount_minor
FROM (SELECT kind, run_id, member_id, count(*) AS events, count(DISTINCT source) AS sources,
             bool_and(is_machine) AS machines, sum(amount_minor) AS amount
      FROM tracking_log WHERE run_id = ANY ($1::uuid[]) GROUP BY kind, run_id, member_id) AS seen
"""
_SAVE: Final = """
INSERT INTO delivery_indicators AS i (delivery_id, figures, as_of) VALUES ($1, $2, $3)
ON CONFLICT (delivery_id) DO UPDATE SET figures = excluded.figures, as_of = excluded.as_of
WHERE i.as_of <= excluded.as_of
"""
# A mark goes with the answer to it: a run that is marked again meanwhile is looked at again.
_DUE: Final = """
WITH taken AS (
    DELETE FROM indicator_marks WHERE run_id = (
        SELECT run_id FROM indicator_marks ORDER BY run_id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING run_id)
SELECT r.delivery_id FROM taken JOIN runs r USING (run_id)
"""
_MOVING: Final = """
SELECT r.delivery_id FROM runs r LEFT JOIN delivery_indicators i USING (delivery_id)
WHERE r.kind = 'campaign' AND r.delivery_id IS NOT NULL
  AND (r.state = 'started' AND (i.as_of IS NULL OR i.as_of < $1)
       OR r.state = 'finished' AND r.finished_at > coalesce(i.as_of, $2))
ORDER BY r.run_id LIMIT 1
"""
_LINKS: Final = f"""
SELECT u.number, u.part, u.url, u.label, coalesce(sum(w.events), 0)::int AS clicks,
       coalesce(sum(w.machines), 0)::int AS machine_clicks
FROM runs r
JOIN tracked_urls u ON u.template_hash = r.template_hash AND u.kind = {EventKind.CLICK:d}
LEFT JOIN tracking_windows w
    ON w.run_id = r.run_id AND w.url = u.number AND w.kind = {EventKind.CLICK:d}
WHERE r.delivery_id = $1 AND r.kind = 'campaign' AND r.state IN ('started', 'finished')
GROUP BY u.template_hash, u.number ORDER BY u.number
"""


@dataclass(frozen=True, slots=True)
class Saved:
    """A delivery's indicators and when they were counted."""

    figures: Indicators
    as_of: datetime


@dataclass(frozen=True, slots=True)
class LinkClicks:
    """A link of a content, and how often it was clicked, as far as windows count it."""

    number: int
    part: str
    url: str
    label: str
    clicks: int
    machine_clicks: int


class IndicatorStore:
    """Indicators of deliveries."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def counted(self, delivery_id: UUID) -> Counted | None:
        """Count a delivery's rows; ``None`` once rows of it were purged."""
        runs = await self._connection.fetch(_RUNS, delivery_id)
        ids = [row["run_id"] for row in runs]
        there: int = await self._connection.fetchval(_LEDGER, ids)
        if there < sum(row["count"] for row in runs if row["filled"]):
            return None
        rows = await self._connection.fetch(_ROWS, ids, REASON_NAMES)
        events = await self._connection.fetchrow(_EVENTS, ids)
        afterwards = await self._connection.fetchrow(_AFTERWARDS, ids)
        assert events is not None, "an aggregate has a row"
        assert afterwards is not None, "so have two of them"
        return Counted(
            rows={(Outcome(row["outcome"]), row["reason"]): row["rows"] for row in rows},
            **dict(events),
            **dict(afterwards),
        )

    async def mark(self, run_ids: Collection[UUID]) -> None:
        """Have the indicators of runs counted again."""
        await self._connection.execute(_MARK, list(run_ids))

    async def save(self, delivery_id: UUID, figures: Indicators, at: datetime) -> None:
        """Keep a delivery's indicators as of a time; older ones change nothing."""
        await self._connection.execute(_SAVE, delivery_id, asdict(figures), at)

    async def find(self, delivery_id: UUID) -> Saved | None:
        """Return the indicators that were kept last."""
        row = await self._connection.fetchrow(
            "SELECT figures, as_of FROM delivery_indicators WHERE delivery_id = $1", delivery_id
        )
        if row is None:
            return None
        values: dict[str, Any] = row["figures"]
        return Saved(Indicators(**values), row["as_of"])

    async def take_marked(self) -> UUID | None:
        """Return a delivery one of whose runs is marked, and take that mark away."""
        found: UUID | None = await self._connection.fetchval(_DUE)
        return found

    async def moving(self, now: datetime, *, older_than: timedelta) -> UUID | None:
        """Return a delivery under way, or ended since, whose indicators are older than that."""
        found: UUID | None = await self._connection.fetchval(
            _MOVING, now - older_than, now - timedelta(days=7)
        )
        return found

    async def links(self, delivery_id: UUID) -> Sequence[LinkClicks]:
        """Return a delivery's links with their clicks, in order."""
        rows = await self._connection.fetch(_LINKS, delivery_id)
        return [LinkClicks(**dict(row)) for row in rows]
