"""Members of snapshots as rows, the links people cut, and when members are forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.actions.domain import ORDINALS_PER_CHUNK, ordinal
from shared.database import Connection
from topics.targeting import Member, SnapshotChunk

COLUMNS: Final = (
    *("snapshot_id", "ordinal", "member_id", "kind", "site_id", "contact_id", "deal_id"),
    *("site_name", "postal_code", "town", "phone"),
    *("contact_name", "direct_line", "mobile", "email"),
)
_TAKE: Final = """
INSERT INTO member_chunks (snapshot_id, index, campaign_id, members, received_at)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::int[], $5::timestamptz[])
ON CONFLICT DO NOTHING RETURNING snapshot_id, index
"""
# A snapshot may go when its run is done, or when nobody asked for a run in all that time.
_FORGETTABLE: Final = """
SELECT c.snapshot_id, c.index FROM member_chunks c
WHERE c.received_at < $1
  AND NOT EXISTS (SELECT 1 FROM generation_jobs j
                  WHERE j.snapshot_id = c.snapshot_id AND j.status <> 'done')
ORDER BY c.received_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_FORGET: Final = """
DELETE FROM members m USING unnest($1::uuid[], $2::bigint[]) AS gone (snapshot_id, first)
WHERE m.snapshot_id = gone.snapshot_id AND m.ordinal >= gone.first AND m.ordinal < gone.first + $3
"""


def _row(snapshot_id: UUID, place: int, member: Member) -> tuple[Any, ...]:
    site = member.site
    return (
        *(snapshot_id, place, member.member_id, member.kind.value),
        *(site.site_id, member.contact_id, member.deal_id),
        *(site.name, site.postal_code, site.town, site.phone),
        f"{member.first_name} {member.last_name}".strip(),
        *(member.direct_line, member.mobile, member.email or ""),
    )


class MemberStore:
    """Members of snapshots; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep(self, chunks: Sequence[SnapshotChunk], now: datetime) -> int:
        """Keep slices that are new; return how many members they have."""
        rows = await self._connection.fetch(
            _TAKE,
            [chunk.snapshot_id for chunk in chunks],
            [chunk.index for chunk in chunks],
            [chunk.campaign_id for chunk in chunks],
            [len(chunk.members) for chunk in chunks],
            [now] * len(chunks),
        )
        fresh = {(row["snapshot_id"], row["index"]) for row in rows}
        # The same slice twice in one batch was returned once: it is taken once.
        new = {(c.snapshot_id, c.index): c for c in chunks if (c.snapshot_id, c.index) in fresh}
        records = [
            _row(chunk.snapshot_id, ordinal(chunk.index, position), member)
            for chunk in new.values()
            for position, member in enumerate(chunk.members)
        ]
        await self._connection.copy_records_to_table("members", records=records, columns=COLUMNS)
        return len(records)

    async def set_linked(
        self, campaign_id: UUID, member_id: UUID, *, linked: bool, actor_id: str, now: datetime
    ) -> None:
        """Take a member out of a campaign's actions, or back in."""
        if linked:
            await self._connection.execute(
                "DELETE FROM unlinked WHERE campaign_id = $1 AND member_id = $2",
                campaign_id,
                member_id,
            )
        else:
            await self._connection.execute(
                "INSERT INTO unlinked (campaign_id, member_id, actor_id, at)"
                " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                *(campaign_id, member_id, actor_id, now),
            )

    async def page(
        self, campaign_id: UUID, snapshot_id: UUID, *, after: int, limit: int
    ) -> Sequence[asyncpg.Record]:
        """Return a snapshot's members in order, each with whether it is linked."""
        return await self._connection.fetch(
            "SELECT m.ordinal, m.member_id, m.kind, m.site_name, m.town, m.contact_name, m.email,"
            " u.member_id IS NULL AS linked FROM members m"
            " LEFT JOIN unlinked u ON u.campaign_id = $1 AND u.member_id = m.member_id"
            " WHERE m.snapshot_id = $2 AND m.ordinal > $3"
            " AND EXISTS (SELECT 1 FROM member_chunks c"
            "             WHERE c.snapshot_id = $2 AND c.campaign_id = $1)"
            " ORDER BY m.ordinal LIMIT $4",
            *(campaign_id, snapshot_id, after, limit),
        )

    async def forget(self, before: datetime, *, chunks: int) -> int:
        """Remove slices that came before a time and are not waited for; return how many."""
        rows = await self._connection.fetch(_FORGETTABLE, before, chunks)
        snapshots = [row["snapshot_id"] for row in rows]
        indexes = [row["index"] for row in rows]
        await self._connection.execute(
            _FORGET, snapshots, [ordinal(index, 0) for index in indexes], ORDINALS_PER_CHUNK
        )
        await self._connection.execute(
            "DELETE FROM member_chunks c USING unnest($1::uuid[], $2::int[]) AS gone (s, i)"
            " WHERE c.snapshot_id = gone.s AND c.index = gone.i",
            snapshots,
            indexes,
        )
        return len(rows)
