"""Pressure rules, and what counts: runs that left, plans and whom they are meant for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.delivery.domain.pressure import LONGEST, Other, Rule, Window, windows
from services.delivery.store.runs import Run
from shared.database import Connection
from shared.pressure import Grouping
from topics.campaign import CampaignState
from topics.delivery import Channel

_COLUMNS: Final = "rule_id, label, channel, most, days, per, planned"
_SAVE: Final = f"""
INSERT INTO pressure_rules ({_COLUMNS}, saved_by, saved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (rule_id) DO UPDATE
SET label = excluded.label, channel = excluded.channel, most = excluded.most,
    days = excluded.days, per = excluded.per, planned = excluded.planned,
    saved_by = excluded.saved_by, saved_at = excluded.saved_at
"""
# A campaign whose run began is told of by its ledger.
_OTHERS: Final = """
SELECT run_id AS source, started_at AS at, false AS planned, weight FROM runs
WHERE kind = 'campaign' AND campaign_id <> $1 AND state IN ('started', 'finished')
  AND started_at > $2
UNION ALL
SELECT snapshot_id, start_at, true, weight FROM planned p
WHERE campaign_id <> $1 AND snapshot_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM runs r WHERE r.snapshot_id = p.snapshot_id AND r.kind = 'campaign'
      AND r.state IN ('started', 'finished'))
"""
_SEE: Final = """
WITH stale AS (
    INSERT INTO stale_forecasts (snapshot_id)
    SELECT snapshot_id FROM planned
    WHERE campaign_id = $1 AND version < $2 AND snapshot_id IS DISTINCT FROM $3
      AND snapshot_id IS NOT NULL
    ON CONFLICT DO NOTHING)
INSERT INTO planned AS p (campaign_id, version, snapshot_id, start_at, weight)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (campaign_id) DO UPDATE
SET version = excluded.version, snapshot_id = excluded.snapshot_id, start_at = excluded.start_at,
    weight = excluded.weight
WHERE p.version < excluded.version
"""
_FORECAST: Final = """
WITH chosen AS (
    SELECT c.snapshot_id, c.index, p.campaign_id
    FROM planned p JOIN snapshot_chunks c USING (snapshot_id)
    WHERE NOT c.forecast AND EXISTS (SELECT 1 FROM pressure_rules WHERE planned)
    ORDER BY 1, 2 LIMIT $1 FOR UPDATE OF c SKIP LOCKED
), marked AS (
    UPDATE snapshot_chunks c SET forecast = true FROM chosen k
    WHERE c.snapshot_id = k.snapshot_id AND c.index = k.index
    RETURNING c.snapshot_id, c.members, k.campaign_id
), added AS (
    INSERT INTO forecast (snapshot_id, recipient_key, channel)
    SELECT c.snapshot_id, coalesce(m ->> 'recipient_key', 'member:' || (m ->> 'member_id')),
           CASE WHEN m ->> 'email' IS NULL THEN 'direct_mail' ELSE 'email' END
    FROM marked c CROSS JOIN LATERAL jsonb_array_elements(c.members) AS m
    WHERE (m ->> 'opted_out')::boolean IS NOT TRUE AND (m ->> 'email' IS NOT NULL OR EXISTS (
        SELECT 1 FROM deliveries d
        WHERE d.campaign_id = c.campaign_id AND d.supplier_service_id IS NOT NULL))
    ON CONFLICT DO NOTHING)
SELECT count(*)::int FROM marked
"""
_FORGET: Final = """
DELETE FROM forecast WHERE (snapshot_id, recipient_key) IN (
    SELECT snapshot_id, recipient_key FROM forecast WHERE snapshot_id = $1 LIMIT $2)
"""
PRESSED: Final = """
cardinality($9::int[]) > 0 AND EXISTS (
    SELECT 1 FROM unnest($9::int[], $10::int[], $11::text[], $12::uuid[], $13::boolean[])
        AS w (number, most, channel, source, planned)
    WHERE (w.channel IS NULL OR w.channel = {channel}) AND CASE WHEN w.planned
        THEN EXISTS (SELECT 1 FROM forecast f
                     WHERE f.snapshot_id = w.source AND f.recipient_key = ANY ({keys})
                       AND (w.channel IS NULL OR f.channel = w.channel))
        ELSE EXISTS (SELECT 1 FROM ledger o
                     WHERE o.run_id = w.source AND o.recipient_key = ANY ({keys})
                       AND (w.channel IS NULL OR o.channel = w.channel)
                       AND o.outcome IN ('sent', 'pending', 'ambiguous')) END
    GROUP BY w.number, w.most HAVING count(*) >= w.most)
"""
"""Whether a member is over a rule; parameters 9 to 13 are the columns of its windows."""
Columns = tuple[list[int], list[int], list[str | None], list[UUID], list[bool]]


def columns(found: Sequence[Window]) -> Columns:
    """Return windows as the columns that ``PRESSED`` reads: a row for each campaign of each."""
    rows = [(number, window, one) for number, window in enumerate(found) for one in window.others]
    return (
        [number for number, _, _ in rows],
        [window.most for _, window, _ in rows],
        [window.channel.value if window.channel else None for _, window, _ in rows],
        [one.source for _, _, one in rows],
        [one.planned for _, _, one in rows],
    )


class PressureStore:
    """Rules, and what they count."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def rules(self) -> list[Rule]:
        """Return all rules, in order of label."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM pressure_rules ORDER BY label, rule_id"
        )
        return [
            Rule(
                **dict(row)
                | {
                    "channel": Channel(row["channel"]) if row["channel"] else None,
                    "per": Grouping(row["per"]),
                }
            )
            for row in rows
        ]

    async def save(self, rule: Rule, by: str, at: datetime) -> None:
        """Keep a rule, or change it; it holds from the next recipients on."""
        await self._connection.execute(
            _SAVE,
            rule.rule_id,
            rule.label,
            rule.channel.value if rule.channel else None,
            rule.most,
            rule.days,
            rule.per.value,
            rule.planned,
            by,
            at,
        )

    async def remove(self, rule_id: UUID) -> bool:
        """Remove a rule; return whether there was one."""
        done = await self._connection.execute(
            "DELETE FROM pressure_rules WHERE rule_id = $1", rule_id
        )
        return done != "DELETE 0"

    async def windows(self, run: Run, *, at: datetime, zone: ZoneInfo) -> list[Window]:
        """Return the windows in which a run's messages may be too many, as of now.

        A campaign's messages are of the day its run began, in the instance's zone: it does not
        change while they leave.
        """
        rules = await self.rules()
        if not rules:
            return []
        rows = await self._connection.fetch(_OTHERS, run.campaign_id, at - LONGEST)
        others = [
            Other(row["source"], row["at"].astimezone(zone).date(), row["planned"], row["weight"])
            for row in rows
        ]
        return list(windows(rules, others, day=at.astimezone(zone).date(), weight=run.weight))

    async def see(self, campaign: CampaignState, *, planned: bool) -> None:
        """Note that a campaign is planned, or is not; an older version changes nothing."""
        await self._connection.execute(
            _SEE,
            campaign.campaign_id,
            campaign.version,
            campaign.snapshot_id if planned else None,
            campaign.start_at,
            campaign.weight,
        )

    async def forecast(self, chunks: int) -> int:
        """Note whom some chunks of plans are meant for; return how many chunks that were."""
        count: int = await self._connection.fetchval(_FORECAST, chunks)
        return count

    async def forget(self, rows: int) -> int:
        """Remove some rows of plans that are no more; return how many, at least 1 of a plan."""
        stale = await self._connection.fetchval(
            "SELECT snapshot_id FROM stale_forecasts LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
        if stale is None:
            return 0
        done = await self._connection.execute(_FORGET, stale, rows)
        gone = int(done.rpartition(" ")[2])
        if gone < rows:
            await self._connection.execute(
                "DELETE FROM stale_forecasts WHERE snapshot_id = $1", stale
            )
        return max(gone, 1)
