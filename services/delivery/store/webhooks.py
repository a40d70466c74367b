"""Endpoints of webhooks by name, their secrets sealed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.database import Connection

_COLUMNS: Final = "name, url, active, reason, created_at, changed_at, previous_until"
_ADD: Final = """
INSERT INTO webhook_endpoints (name, url, sealed_secret, created_at, changed_at)
VALUES ($1, $2, $3, $4, $4) ON CONFLICT (name) DO NOTHING RETURNING 1
"""
_CHANGE: Final = f"""
UPDATE webhook_endpoints
SET url = coalesce($2, url), active = coalesce($3, active),
    reason = CASE WHEN $3 IS NULL THEN reason ELSE $4 END, changed_at = $5
WHERE name = $1 RETURNING {_COLUMNS}
"""
_ROTATE: Final = f"""
UPDATE webhook_endpoints
SET sealed_previous = sealed_secret, previous_until = $3, sealed_secret = $2, changed_at = $4
WHERE name = $1 RETURNING {_COLUMNS}
"""
_TARGETS: Final = """
SELECT name, url, active, sealed_secret,
       CASE WHEN previous_until > $2 THEN sealed_previous END AS sealed_previous
FROM webhook_endpoints WHERE name = ANY ($1::text[])
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint without its secrets.

    Attributes:
        reason: why it gets nothing, while it is not active.
        previous_until: how long the secret before the last rotation signs as well.
    """

    name: str
    url: str
    active: bool
    reason: str
    created_at: datetime
    changed_at: datetime
    previous_until: datetime | None


@dataclass(frozen=True, slots=True)
class Target:
    """What a sender needs of an endpoint; ``sealed_previous`` while it signs as well."""

    name: str
    url: str
    active: bool
    sealed_secret: bytes
    sealed_previous: bytes | None


class EndpointStore:
    """Endpoints of webhooks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, name: str, url: str, sealed_secret: bytes, at: datetime) -> bool:
        """Keep a new endpoint; ``False`` when there is one of that name."""
        return bool(await self._connection.fetchval(_ADD, name, url, sealed_secret, at))

    async def all(self) -> list[Endpoint]:
        """Return every endpoint in order of name."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM webhook_endpoints ORDER BY name"
        )
        return [Endpoint(**dict(row)) for row in rows]

    async def find(self, name: str) -> Endpoint | None:
        """Return an endpoint."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE name = $1", name
        )
        return Endpoint(**dict(row)) if row else None

    async def change(
        self, name: str, *, url: str | None, active: bool | None, reason: str, at: datetime
    ) -> Endpoint | None:
        """Change what is told of an endpoint; ``None`` when there is none."""
        row = await self._connection.fetchrow(_CHANGE, name, url, active, reason, at)
        return Endpoint(**dict(row)) if row else None

    async def rotate(
        self, name: str, sealed_secret: bytes, *, previous_until: datetime, at: datetime
    ) -> Endpoint | None:
        """Give an endpoint a new secret; the one it had is good until then."""
        row = await self._connection.fetchrow(_ROTATE, name, sealed_secret, previous_until, at)
        return Endpoint(**dict(row)) if row else None

    async def targets(self, names: Collection[str], now: datetime) -> dict[str, Target]:
        """Return what senders need of endpoints, by name."""
        rows = await self._connection.fetch(_TARGETS, list(names), now)
        return {row["name"]: Target(**dict(row)) for row in rows}
