"""What is wrong now, and what supervisors were told of, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.workflows.domain import Ill, late_one, latest
from services.workflows.pages import BEATS, beat_of
from shared.database import Connection
from topics.workflows import Trouble

_FAILED: Final = """
SELECT name, error, coalesce(last_run_at, seen_at) AS since FROM catalogue WHERE status = 'failed'
"""


@dataclass(frozen=True, slots=True)
class TroubleRow:
    """Something that was seen to be wrong; ``told`` is whether supervisors know."""

    name: str
    trouble: Trouble
    since: datetime
    seen_at: datetime
    told: bool


class TroubleStore:
    """Troubles in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def turn(self) -> bool:
        """Return whether no other replica is at it, until the transaction ends."""
        return bool(
            await self._connection.fetchval(
                "SELECT pg_try_advisory_xact_lock(hashtext(current_schema() || '.troubles'))"
            )
        )

    async def ill(self, now: datetime) -> list[Ill]:
        """Return the workflows that failed and the services that are late."""
        failed = [
            Ill(row["name"], Trouble.FAILED, (row["name"],), row["since"], row["error"])
            for row in await self._connection.fetch(_FAILED)
        ]
        beats = latest([beat_of(row) for row in await self._connection.fetch(BEATS)])
        late = [late_one(beat, now) for beat in beats.values()]
        return failed + [one for one in late if one is not None]

    async def known(self) -> list[TroubleRow]:
        """Return what was seen to be wrong."""
        rows = await self._connection.fetch(
            "SELECT name, trouble, since, seen_at, told_at IS NOT NULL AS told FROM troubles"
        )
        return [TroubleRow(**dict(row) | {"trouble": Trouble(row["trouble"])}) for row in rows]

    async def note(self, ill: Ill, now: datetime) -> TroubleRow:
        """Write that something is wrong."""
        await self._connection.execute(
            "INSERT INTO troubles (name, trouble, since, seen_at) VALUES ($1, $2, $3, $4)",
            ill.name,
            ill.trouble.value,
            ill.since,
            now,
        )
        return TroubleRow(ill.name, ill.trouble, ill.since, now, told=False)

    async def tell(self, row: TroubleRow, now: datetime) -> None:
        """Write that supervisors are told."""
        await self._connection.execute(
            "UPDATE troubles SET told_at = $3 WHERE name = $1 AND trouble = $2",
            row.name,
            row.trouble.value,
            now,
        )

    async def forget(self, row: TroubleRow) -> None:
        """Remove what is well again."""
        await self._connection.execute(
            "DELETE FROM troubles WHERE name = $1 AND trouble = $2", row.name, row.trouble.value
        )
