"""What pages show of runs and their recipients."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.delivery.domain.runs import Reason
from services.delivery.wire import AmbiguousView, Group, RecipientView, RunView, SeedsView, WaveView
from shared.database import Connection
from topics.delivery import Channel, DeliveryCounts, Outcome

_RUNS: Final = """
SELECT run_id, state, paused, stop_reason, asked_at, started_at, finished_at
FROM runs WHERE delivery_id = $1 AND kind = 'campaign' ORDER BY asked_at DESC LIMIT 20
"""
_GROUPS: Final = """
SELECT channel, outcome, reason, count(*)::int AS recipients
FROM ledger WHERE run_id = $1 GROUP BY channel, outcome, reason ORDER BY 1, 2, 3
"""
_WAVES: Final = """
SELECT number, starts_at, size, opened_at FROM waves WHERE run_id = $1 ORDER BY number
"""
_SEEDS: Final = "SELECT run_id FROM runs WHERE seeds_of = $1"
_RECIPIENTS: Final = """
SELECT member_id, channel, outcome, reason, code, attempts, outcome_at, address,
       EXISTS (SELECT 1 FROM runs r WHERE r.run_id = $1 AND r.kind IN ('seeds', 'test')) AS seed
FROM ledger
WHERE run_id = $1 AND ($2::text IS NULL OR outcome = $2) AND ($3::uuid IS NULL OR member_id > $3)
ORDER BY member_id LIMIT $4
"""
_AMBIGUOUS: Final = """
SELECT l.run_id, l.member_id, r.campaign_id, l.attempts, l.address, a.started_at AS attempted_at
FROM attempts a
JOIN ledger l
    ON l.run_id = a.run_id AND l.member_id = a.member_id AND l.attempts = a.number
JOIN runs r ON r.run_id = l.run_id
WHERE a.outcome = 'ambiguous' AND l.outcome = 'ambiguous' AND ($1::uuid IS NULL OR l.run_id = $1)
  AND ($2::uuid IS NULL OR (l.run_id, l.member_id) > ($2, $3))
ORDER BY l.run_id, l.member_id LIMIT $4
"""


class Lists:
    """Pages of runs, recipients and ambiguous messages."""

    def __init__(self, connection: Connection, *, addresses: bool) -> None:
        self._connection = connection
        self._addresses = addresses

    async def runs(self, delivery_id: UUID) -> list[RunView]:
        """Return a delivery's latest runs with their totals, latest first."""
        found = []
        for row in await self._connection.fetch(_RUNS, delivery_id):
            rows = await self._connection.fetch(_GROUPS, row["run_id"])
            groups = [Group(**dict(one)) for one in rows]
            rows = await self._connection.fetch(_WAVES, row["run_id"])
            waves = [WaveView(**dict(one)) for one in rows]
            seeds = await self._seeds(row["run_id"])
            sums = _counts(groups)
            found.append(RunView(**dict(row), groups=groups, seeds=seeds, waves=waves, counts=sums))
        return found

    async def _seeds(self, run_id: UUID) -> SeedsView | None:
        beside = await self._connection.fetchval(_SEEDS, run_id)
        if beside is None:
            return None
        rows = await self._connection.fetch(_GROUPS, beside)
        return SeedsView(run_id=beside, groups=[Group(**dict(one)) for one in rows])

    async def recipients(
        self, run_id: UUID, *, outcome: Outcome | None, after: UUID | None, limit: int
    ) -> list[RecipientView]:
        """Return a run's recipients in order of member, after one of them."""
        rows = await self._connection.fetch(
            _RECIPIENTS, run_id, outcome.value if outcome else None, after, limit
        )
        return [RecipientView(**self._shown(dict(row))) for row in rows]

    async def ambiguous(
        self, *, run_id: UUID | None, after: tuple[UUID, UUID] | None, limit: int
    ) -> list[AmbiguousView]:
        """Return ambiguous messages in order of (run, member), after one of them."""
        after_run, after_member = after or (None, None)
        rows = await self._connection.fetch(_AMBIGUOUS, run_id, after_run, after_member, limit)
        return [AmbiguousView(**self._shown(dict(row))) for row in rows]

    def _shown(self, row: dict[str, object]) -> dict[str, object]:
        return row if self._addresses else row | {"address": None}


def _counts(groups: list[Group]) -> DeliveryCounts:
    totals = dict.fromkeys(DeliveryCounts.model_fields, 0)
    for group in groups:
        totals["targeted"] += group.recipients
        totals[group.outcome] += group.recipients
        if group.reason == Reason.PRESSURE:
            totals["pressure"] += group.recipients
        if group.outcome is Outcome.SENT:
            letter = group.channel is Channel.DIRECT_MAIL
            totals["letters_sent" if letter else "emails_sent"] += group.recipients
    return DeliveryCounts(**totals)
