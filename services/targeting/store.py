"""Targetings and consents as rows; the caller owns the transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.targeting.domain import Definition, Targeting
from shared.database import Connection
from topics.targeting import Counts, Criterion, TargetingKind

_COLUMNS: Final = "targeting_id, version, label, counts, kind, criteria, sql, saved_by, saved_at"
_SAVE: Final = f"""
INSERT INTO targetings ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (targeting_id) DO UPDATE
SET version = excluded.version, label = excluded.label, counts = excluded.counts,
    kind = excluded.kind, criteria = excluded.criteria, sql = excluded.sql,
    saved_by = excluded.saved_by, saved_at = excluded.saved_at
"""
_RECORD: Final = """
INSERT INTO consents (recipient_key, channel, opted_out, at, recorded_by)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (recipient_key, channel) DO UPDATE
SET opted_out = excluded.opted_out, at = excluded.at, recorded_by = excluded.recorded_by
WHERE consents.at < excluded.at
"""


def as_json(definition: Definition) -> dict[str, Any]:
    """Return a definition as the rows keep it."""
    return {
        "counts": definition.counts.value,
        "kind": definition.kind.value,
        "criteria": [criterion.model_dump(mode="json") for criterion in definition.criteria],
        "sql": definition.sql,
    }


def from_json(values: dict[str, Any]) -> Definition:
    """Return the definition that :func:`as_json` kept."""
    return Definition(
        Counts(values["counts"]),
        TargetingKind(values["kind"]),
        tuple(Criterion.model_validate(value) for value in values["criteria"]),
        values["sql"],
    )


def from_row(row: asyncpg.Record) -> Targeting:
    """Return the targeting of a row with the store's columns."""
    return Targeting(
        row["targeting_id"],
        row["version"],
        row["label"],
        from_json(dict(row)),
        row["saved_by"],
        row["saved_at"],
    )


class TargetingStore:
    """Saved targetings."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, targeting_id: UUID, *, lock: bool = False) -> Targeting | None:
        """Return a targeting; ``lock`` holds its row until the transaction ends."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM targetings WHERE targeting_id = $1"
            f"{' FOR UPDATE' if lock else ''}",
            targeting_id,
        )
        return from_row(row) if row else None

    async def save(self, targeting: Targeting) -> None:
        """Write a targeting."""
        definition = as_json(targeting.definition)
        await self._connection.execute(
            _SAVE,
            targeting.targeting_id,
            targeting.version,
            targeting.label,
            *definition.values(),
            targeting.saved_by,
            targeting.saved_at,
        )

    async def page(self, *, after: UUID | None, label: str, limit: int) -> list[Targeting]:
        """Return targetings by id, from the one after ``after``, whose label holds ``label``."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM targetings"
            " WHERE ($1::uuid IS NULL OR targeting_id > $1)"
            " AND position(lower($2) IN lower(label)) > 0 ORDER BY targeting_id LIMIT $3",
            after,
            label,
            limit,
        )
        return [from_row(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Consent:
    """What is known of one address and one channel; ``at`` is when it was said."""

    recipient_key: str
    channel: str
    opted_out: bool
    at: datetime


class ConsentStore:
    """Consents by recipient key and channel."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, recipient_key: str, channel: str) -> Consent | None:
        """Return what is known; ``None`` when nobody said anything."""
        row = await self._connection.fetchrow(
            "SELECT recipient_key, channel, opted_out, at FROM consents"
            " WHERE recipient_key = $1 AND channel = $2",
            recipient_key,
            channel,
        )
        return Consent(**dict(row)) if row else None

    async def record(self, consent: Consent, by: str) -> Consent:
        """Note a consent unless a later one is known; return the one that holds."""
        await self._connection.execute(
            _RECORD, consent.recipient_key, consent.channel, consent.opted_out, consent.at, by
        )
        held = await self.find(consent.recipient_key, consent.channel)
        assert held is not None, "it was just written, or a later one was there"
        return held
