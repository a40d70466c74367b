"""Limits of destinations' domains, and what was taken of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from services.delivery.domain.pace import Limit, Usage
from shared.database import Connection

_COLUMNS: Final = "domain, per_minute, warmup_from, warmup_start, warmup_factor"
_SAVE: Final = f"""
INSERT INTO domain_limits ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (domain) DO UPDATE
SET per_minute = excluded.per_minute, warmup_from = excluded.warmup_from,
    warmup_start = excluded.warmup_start, warmup_factor = excluded.warmup_factor
"""
_USE: Final = """
INSERT INTO domain_usage (domain, minute_at, minute, day_at, day) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (domain) DO UPDATE
SET minute_at = excluded.minute_at, minute = excluded.minute,
    day_at = excluded.day_at, day = excluded.day
"""


class PaceStore:
    """Limits by domain."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def limits(self) -> list[Limit]:
        """Return all limits, in order of domain."""
        rows = await self._connection.fetch(f"SELECT {_COLUMNS} FROM domain_limits ORDER BY domain")
        return [Limit(**dict(row)) for row in rows]

    async def lock(self, domains: Collection[str]) -> dict[str, tuple[Limit, Usage | None]]:
        """Return those of the domains that are limited with their usage, their rows locked."""
        found = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM domain_limits WHERE domain = ANY ($1::text[])"
            " ORDER BY domain FOR UPDATE",
            list(domains),
        )
        limits = {row["domain"]: Limit(**dict(row)) for row in found}
        rows = await self._connection.fetch(
            "SELECT domain, minute_at, minute, day_at, day FROM domain_usage"
            " WHERE domain = ANY ($1::text[])",
            list(limits),
        )
        usages = {
            row["domain"]: Usage(row["minute_at"], row["minute"], row["day_at"], row["day"])
            for row in rows
        }
        return {domain: (limit, usages.get(domain)) for domain, limit in limits.items()}

    async def use(self, usages: Sequence[tuple[str, Usage]]) -> None:
        """Write what was taken."""
        await self._connection.executemany(
            _USE,
            [(domain, one.minute_at, one.minute, one.day_at, one.day) for domain, one in usages],
        )

    async def save(self, limit: Limit) -> None:
        """Set a domain's limit."""
        await self._connection.execute(
            _SAVE,
            limit.domain,
            limit.per_minute,
            limit.warmup_from,
            limit.warmup_start,
            limit.warmup_factor,
        )

    async def remove(self, domain: str) -> bool:
        """Lift a domain's limit; return whether there was one."""
        done = await self._connection.execute("DELETE FROM domain_limits WHERE domain = $1", domain)
        return done != "DELETE 0"
