"""Timers as rows: due at a time, fired once, in the transaction that acts on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.uow import Work

_SET: Final = """
INSERT INTO timers (kind, key, due_at, payload) VALUES ($1, $2, $3, $4)
ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload
"""
_TAKE_DUE: Final = """
DELETE FROM timers WHERE (kind, key) IN (
    SELECT kind, key FROM timers WHERE kind = $1 AND due_at <= $2
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING kind, key, due_at, payload
"""


@dataclass(frozen=True, slots=True)
class Timer:
    """Something that is due; ``key`` says for whom, ``payload`` what it needs."""

    kind: str
    key: str
    due_at: datetime
    payload: dict[str, Any]


async def set_timer(
    work: Work, kind: str, key: str, due_at: datetime, payload: dict[str, Any] | None = None
) -> None:
    """Set or move the timer of (kind, key)."""
    await work.connection.execute(_SET, kind, key, due_at, payload or {})


async def clear(work: Work, kind: str, key: str) -> None:
    """Forget the timer of (kind, key), if it is set."""
    await work.connection.execute("DELETE FROM timers WHERE kind = $1 AND key = $2", kind, key)


async def take_due(work: Work, kind: str, *, limit: int = 100) -> Sequence[Timer]:
    """Remove and return due timers, earliest first; they are back if the transaction fails."""
    rows = await work.connection.fetch(_TAKE_DUE, kind, work.now, limit)
    return sorted((Timer(**dict(row)) for row in rows), key=lambda timer: timer.due_at)
