"""What must hold of the supervisor's rows: each query returns the rows that break its sentence."""

from __future__ import annotations

from typing import Final

from shared.database import Connection

# Both count a heartbeat once, by its time; the view is behind for a while when it recovers.
_VIEW: Final = """
SELECT b.service, b.at AS counted_at, b.beats AS counted, h.at AS seen_at, h.beats AS seen, h.as_of
FROM beats b LEFT JOIN heartbeats h USING (service)
WHERE b.beats > 3
  AND (h.at IS NULL
       OR b.at - h.at > make_interval(secs => greatest(60, 10 * b.interval_seconds)))
"""
_RUNS: Final = """
SELECT run_id, name, scheduled_for, started_at, ended_at FROM runs
WHERE ended_at < started_at OR started_at < scheduled_for
"""
_ASKS: Final = """
SELECT ask_id, name FROM asks WHERE control IS NULL AND answered_at IS NULL
"""

INVARIANTS: Final[dict[str, str]] = {
    "I4 the heartbeat view shows what the rows count": _VIEW,
    "I4 a run starts when it is due, and ends after it started": _RUNS,
    "I4 an ask was asked, answered, or both": _ASKS,
}
SHOWN: Final = 20


async def broken(connection: Connection) -> list[str]:
    """Return what does not hold, one line a row, at most 20 of each; empty when all does."""
    found = []
    for sentence, query in INVARIANTS.items():
        for row in await connection.fetch(f"{query} LIMIT {SHOWN}"):
            facts = ", ".join(f"{name} {value}" for name, value in row.items())
            found.append(f"{sentence}: {facts}")
    return found
