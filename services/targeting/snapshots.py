"""Snapshots as rows: who a target was at one moment, never changed afterwards.

A snapshot is read in one consistent picture of the directory, by a cursor of a read-only REPEATABLE
READ transaction, which may take as long as it needs, and written in transactions of 2,000 members.
Until the last of them nothing refers to it; what a crash left behind is deleted and read anew. Then
it is frozen: hash, counts and members stay as they are, the database refuses changes, and its
chunks are published, from the start again if somebody asks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.targeting.domain import Cutter, Definition
from services.targeting.store import as_json, from_json
from shared.database import Connection
from shared.uow import Work
from topics.targeting import (
    ControlGroup,
    Counts,
    FreezeSnapshot,
    Member,
    SiteRecord,
    SnapshotChunk,
    SnapshotFrozen,
    TargetCounts,
)

DELETED_AT_ONCE: Final = 20_000
CHUNKS_AT_ONCE: Final = 10
_COLUMNS: Final = (
    "snapshot_id, campaign_id, targeting_id, status, definition, reason, snapshot_hash,"
    " members, chunks, published, counts, control_group, control"
)
_MEMBER_COLUMNS: Final = (
    "snapshot_id",
    "position",
    "chunk",
    "member_id",
    "contact_id",
    "recipient_key",
    "opted_out",
    "body",
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot's row; hash, sizes and counts are there once it is frozen."""

    snapshot_id: UUID
    campaign_id: UUID
    targeting_id: UUID
    status: str
    definition: Definition | None
    reason: str
    snapshot_hash: str | None
    members: int | None
    chunks: int | None
    published: int
    counts: TargetCounts | None
    control_group: ControlGroup | None
    control: int


def member_of(row: asyncpg.Record, kind: Counts) -> Member:
    """Return a row of a selection's members as its messages carry it."""
    return Member(
        member_id=row["member_id"],
        kind=kind,
        site=SiteRecord(
            site_id=row["site_id"],
            name=row["name"],
            street=row["street"],
            postal_code=row["postal_code"],
            town=row["town"],
            country=row["country"],
            phone=row["phone"],
        ),
        contact_id=row["contact_id"],
        deal_id=row["deal_id"],
        first_name=row["first_name"] or "",
        last_name=row["last_name"] or "",
        email=row["email"],
        recipient_key=row["recipient_key"],
        direct_line=row["direct_line"] or "",
        mobile=row["mobile"] or "",
        language=row["language"],
        opted_out=row["opted_out"],
    )


class SnapshotStore:
    """Snapshots and their members."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, work: Work, asked: FreezeSnapshot) -> bool:
        """Make the row of a snapshot that was asked for; return whether it is new."""
        group = asked.control_group
        made = await self._connection.fetchval(
            "INSERT INTO snapshots"
            " (snapshot_id, campaign_id, targeting_id, asked_at, control_group)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING 1",
            asked.snapshot_id,
            asked.campaign_id,
            asked.targeting_id,
            work.now,
            group.model_dump(mode="json") if group else None,
        )
        return bool(made)

    async def find(self, snapshot_id: UUID) -> Snapshot | None:
        """Return a snapshot, its row locked until the transaction ends."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM snapshots WHERE snapshot_id = $1 FOR UPDATE", snapshot_id
        )
        if row is None:
            return None
        values: dict[str, Any] = dict(row)
        definition, counts = values["definition"], values["counts"]
        group = values["control_group"]
        values["control_group"] = ControlGroup.model_validate(group) if group else None
        values["definition"] = from_json(definition) if definition else None
        values["counts"] = TargetCounts(**counts) if counts else None
        return Snapshot(**values)

    async def define(self, snapshot_id: UUID, definition: Definition) -> None:
        """Keep what the snapshot is made from, so that a second attempt reads the same."""
        await self._connection.execute(
            "UPDATE snapshots SET definition = $2 WHERE snapshot_id = $1",
            snapshot_id,
            as_json(definition),
        )

    async def clear(self, snapshot_id: UUID) -> bool:
        """Delete some members that a broken attempt left; return whether there may be more."""
        await self._connection.execute(
            "DELETE FROM snapshot_controls WHERE snapshot_id = $1", snapshot_id
        )
        deleted = await self._connection.fetchval(
            "WITH gone AS (DELETE FROM snapshot_members WHERE ctid = ANY (ARRAY"
            "(SELECT ctid FROM snapshot_members WHERE snapshot_id = $1 LIMIT $2)) RETURNING 1)"
            " SELECT count(*) FROM gone",
            snapshot_id,
            DELETED_AT_ONCE,
        )
        return bool(deleted == DELETED_AT_ONCE)

    async def add_members(
        self, snapshot_id: UUID, members: Sequence[Member], cutter: Cutter
    ) -> None:
        """Write the next members, in order."""
        records = []
        for member in members:
            body = member.model_dump_json()
            size = len(body.encode()) + 1
            position, chunk = cutter.place(member.member_id, member.recipient_key, size)
            records.append(
                (
                    snapshot_id,
                    position,
                    chunk,
                    member.member_id,
                    member.contact_id,
                    member.recipient_key,
                    member.opted_out,
                    body,
                )
            )
        await self._connection.copy_records_to_table(
            "snapshot_members", records=records, columns=_MEMBER_COLUMNS
        )

    async def add_controls(self, snapshot_id: UUID, rows: Sequence[asyncpg.Record]) -> None:
        """Note the next members of the control group."""
        await self._connection.copy_records_to_table(
            "snapshot_controls",
            records=[
                (snapshot_id, row["member_id"], row["contact_id"], row["recipient_key"])
                for row in rows
            ],
            columns=("snapshot_id", "member_id", "contact_id", "recipient_key"),
        )

    async def freeze(
        self, work: Work, snapshot_id: UUID, cut: Cutter, counts: TargetCounts, control: int
    ) -> None:
        """Close a snapshot whose members are all there."""
        await self._connection.execute(
            "UPDATE snapshots SET status = 'publishing', snapshot_hash = $2, members = $3,"
            " chunks = $4, counts = $5, frozen_at = $6, control = $7 WHERE snapshot_id = $1",
            snapshot_id,
            cut.digest,
            cut.position,
            cut.chunks,
            counts.model_dump(),
            work.now,
            control,
        )

    async def refuse(self, snapshot_id: UUID, reason: str) -> None:
        """Note why there is no snapshot."""
        await self._connection.execute(
            "UPDATE snapshots SET status = 'refused', reason = $2"
            " WHERE snapshot_id = $1 AND frozen_at IS NULL",
            snapshot_id,
            reason,
        )

    async def publish_again(self, snapshot_id: UUID) -> None:
        """Publish a frozen snapshot from its first chunk."""
        await self._connection.execute(
            "UPDATE snapshots SET status = 'publishing', published = 0 WHERE snapshot_id = $1",
            snapshot_id,
        )

    async def set_published(self, snapshot_id: UUID, published: int, *, last: bool) -> None:
        """Note how many chunks are out."""
        await self._connection.execute(
            "UPDATE snapshots SET published = $2, status = $3 WHERE snapshot_id = $1",
            snapshot_id,
            published,
            "frozen" if last else "publishing",
        )

    async def chunks(self, snapshot: Snapshot, first: int, count: int) -> list[SnapshotChunk]:
        """Return ``count`` chunks of a snapshot from ``first`` on."""
        rows = await self._connection.fetch(
            "SELECT chunk, body FROM snapshot_members WHERE snapshot_id = $1"
            " AND chunk >= $2 AND chunk < $3 ORDER BY position",
            snapshot.snapshot_id,
            first,
            first + count,
        )
        members: dict[int, list[Member]] = {}
        for row in rows:
            members.setdefault(row["chunk"], []).append(Member.model_validate_json(row["body"]))
        return [
            SnapshotChunk(
                campaign_id=snapshot.campaign_id,
                snapshot_id=snapshot.snapshot_id,
                index=index,
                members=tuple(found),
            )
            for index, found in members.items()
        ]


def announcement(snapshot: Snapshot) -> SnapshotFrozen:
    """Return the message that says a snapshot is complete."""
    assert snapshot.counts is not None, "only a frozen snapshot is announced"
    return SnapshotFrozen(
        campaign_id=snapshot.campaign_id,
        snapshot_id=snapshot.snapshot_id,
        targeting_id=snapshot.targeting_id,
        snapshot_hash=snapshot.snapshot_hash or "",
        members=snapshot.members or 0,
        chunks=snapshot.chunks or 0,
        counts=snapshot.counts,
        control=snapshot.control,
    )
