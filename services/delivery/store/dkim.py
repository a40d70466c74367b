"""DKIM keys by domain and selector; retired ones stay, for mails that are still on their way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.delivery.dkim.signing import Algorithm
from shared.database import Connection

_COLUMNS: Final = "domain, selector, algorithm, public_key, valid_from, retired_at"
_ADD: Final = """
INSERT INTO dkim_keys (domain, selector, algorithm, sealed_key, public_key, valid_from, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (domain, selector) DO NOTHING RETURNING 1
"""
_RETIRE: Final = """
UPDATE dkim_keys SET retired_at = coalesce(retired_at, $3), sealed_key = NULL
WHERE domain = $1 AND selector = $2
RETURNING domain, selector, algorithm, public_key, valid_from, retired_at
"""
# The latest of each algorithm signs: a newer one takes over by itself when its time comes.
_SIGNING: Final = """
SELECT DISTINCT ON (algorithm) selector, algorithm, sealed_key
FROM dkim_keys WHERE domain = $1 AND retired_at IS NULL AND valid_from <= $2
ORDER BY algorithm, valid_from DESC, selector
"""


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key without its private half."""

    domain: str
    selector: str
    algorithm: Algorithm
    public_key: str
    valid_from: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A key that signs, its private half encrypted."""

    selector: str
    algorithm: Algorithm
    sealed_key: bytes


class DkimStore:
    """Keys of domains."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, key: DkimKey, sealed_key: bytes, at: datetime) -> bool:
        """Keep a new key; ``False`` when its domain has one of that selector."""
        added = await self._connection.fetchval(
            _ADD,
            key.domain,
            key.selector,
            key.algorithm.value,
            sealed_key,
            key.public_key,
            key.valid_from,
            at,
        )
        return bool(added)

    async def all(self) -> list[DkimKey]:
        """Return every key, by domain, the latest first."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM dkim_keys ORDER BY domain, valid_from DESC, selector"
        )
        return [DkimKey(**dict(row) | {"algorithm": Algorithm(row["algorithm"])}) for row in rows]

    async def retire(self, domain: str, selector: str, at: datetime) -> DkimKey | None:
        """Forget a key's private half, for good; its public half stays."""
        row = await self._connection.fetchrow(_RETIRE, domain, selector, at)
        if row is None:
            return None
        return DkimKey(**dict(row) | {"algorithm": Algorithm(row["algorithm"])})

    async def signing(self, domain: str, now: datetime) -> list[SealedKey]:
        """Return the keys that sign a domain's mails: at most one of each algorithm."""
        rows = await self._connection.fetch(_SIGNING, domain, now)
        return [
            SealedKey(row["selector"], Algorithm(row["algorithm"]), row["sealed_key"])
            for row in rows
        ]
