"""What the campaign form offers: targetings, templates, budgets, stock, reviewers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from bot.limits import OPTIONS
from shared.database import Connection
from shared.rights import Right, roles_with
from topics.message import State
from topics.stock import StockLineState


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing a form's select offers."""

    id: str
    label: str


class Choices:
    """What a form offers, in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save(
        self,
        kind: str,
        choice_id: UUID,
        *,
        version: int,
        label: str,
        alert: str = "",
        state: State | None = None,
    ) -> None:
        """Keep something a form offers, with its state where a list shows it too."""
        await self._connection.execute(
            "INSERT INTO choices (kind, id, version, label, alert, state)"
            " VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version,"
            " label = excluded.label, alert = excluded.alert, state = excluded.state"
            " WHERE choices.version < excluded.version",
            kind,
            choice_id,
            version,
            label,
            alert,
            state.model_dump(mode="json") if state else None,
        )

    async def like(self, kind: str, query: str, limit: int) -> list[Choice]:
        """Return what is offered for a query, by label."""
        rows = await self._connection.fetch(
            "SELECT id, label FROM choices WHERE kind = $1"
            " AND ($2 = '' OR position(lower($2) IN lower(label)) > 0 OR id::text = $2)"
            " ORDER BY label, id LIMIT $3",
            kind,
            query.strip(),
            limit,
        )
        return [Choice(str(row["id"]), row["label"]) for row in rows]

    async def named(self, kind: str, ids: Iterable[UUID]) -> list[Choice]:
        """Return offered things by id, those that are gone left out."""
        rows = await self._connection.fetch(
            "SELECT id, label FROM choices WHERE kind = $1 AND id = ANY ($2::uuid[])"
            " ORDER BY label",
            kind,
            list(set(ids)),
        )
        return [Choice(str(row["id"]), row["label"]) for row in rows]

    async def reviewers(self, query: str, limit: int) -> list[Choice]:
        """Return operators who may approve, by name."""
        rows = await self._connection.fetch(
            "SELECT operator_id, name FROM operators WHERE active AND roles && $1::text[]"
            " AND ($2 = '' OR position(lower($2) IN lower(name)) > 0 OR operator_id = $2)"
            " ORDER BY name, operator_id LIMIT $3",
            roles_with(Right.APPROVE),
            query.strip(),
            limit,
        )
        return [Choice(row["operator_id"], row["name"]) for row in rows]

    async def operators(self, query: str, limit: int = OPTIONS) -> list[Choice]:
        """Return active operators by name."""
        rows = await self._connection.fetch(
            "SELECT operator_id, name FROM operators WHERE active"
            " AND ($1 = '' OR position(lower($1) IN lower(name)) > 0 OR operator_id = $1)"
            " ORDER BY name, operator_id LIMIT $2",
            query.strip(),
            limit,
        )
        return [Choice(row["operator_id"], row["name"]) for row in rows]

    async def operator_named(self, name: str) -> str | None:
        """Return the one active operator of a name, whatever its case; ``None`` for none or two."""
        rows = await self._connection.fetch(
            "SELECT operator_id FROM operators WHERE active AND lower(name) = lower($1) LIMIT 2",
            name.strip(),
        )
        return rows[0]["operator_id"] if len(rows) == 1 else None

    async def missing(self, kind: str, ids: Iterable[UUID]) -> bool:
        """Whether one of the ids is not offered."""
        wanted = list(set(ids))
        found: int = await self._connection.fetchval(
            "SELECT count(*) FROM choices WHERE kind = $1 AND id = ANY ($2::uuid[])", kind, wanted
        )
        return found < len(wanted)

    async def stock_alert(self, line_id: UUID) -> str:
        """Return the warning of a stock line, empty when it has none."""
        found = await self._connection.fetchval(
            "SELECT alert FROM choices WHERE kind = 'stock' AND id = $1", line_id
        )
        return found or ""

    async def stock(self, line_ids: Iterable[UUID]) -> dict[UUID, StockLineState]:
        """Return stock lines as last said, those that are not known left out."""
        rows = await self._connection.fetch(
            "SELECT id, state FROM choices"
            " WHERE kind = 'stock' AND state IS NOT NULL AND id = ANY ($1::uuid[])",
            list(set(line_ids)),
        )
        return {row["id"]: StockLineState.model_validate(row["state"]) for row in rows}
