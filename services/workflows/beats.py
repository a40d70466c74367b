"""The rows of heartbeats: what the consumer counted, and what the stream view saw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.workflows.domain import Beat
from shared.database import Connection

_COLUMNS: Final = "service, instance, names, interval_seconds, at, beats"
_NOTE: Final = f"""
INSERT INTO beats ({_COLUMNS}, noted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (service) DO UPDATE
SET instance = excluded.instance, names = excluded.names, at = excluded.at,
    interval_seconds = excluded.interval_seconds, beats = excluded.beats,
    noted_at = excluded.noted_at
"""
# A replica that lost a service's partition still holds an old beat: the newer one stands.
_SHOW: Final = f"""
INSERT INTO heartbeats ({_COLUMNS}, as_of) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (service) DO UPDATE
SET instance = excluded.instance, names = excluded.names, at = excluded.at,
    interval_seconds = excluded.interval_seconds, beats = excluded.beats, as_of = excluded.as_of
WHERE heartbeats.at <= excluded.at
"""


class BeatStore:
    """Heartbeats within one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def counted(self) -> dict[str, Beat]:
        """Return the last beat of each service as the consumer counted it, the rows locked."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM beats ORDER BY service FOR UPDATE"
        )
        return {row["service"]: _beat(dict(row)) for row in rows}

    async def count(self, beats: Sequence[Beat], now: datetime) -> None:
        """Keep the last beat of services."""
        await self._connection.executemany(_NOTE, [(*_values(beat), now) for beat in beats])

    async def show(self, beats: Sequence[Beat], as_of: datetime) -> None:
        """Write what the view sees; a beat older than the row's changes nothing."""
        ordered = sorted(beats, key=lambda beat: beat.service)
        await self._connection.executemany(_SHOW, [(*_values(beat), as_of) for beat in ordered])


def _values(beat: Beat) -> tuple[str, str, list[str], float, datetime, int]:
    names = list(beat.names)
    return beat.service, beat.instance, names, beat.interval_seconds, beat.at, beat.beats


def _beat(row: dict[str, object]) -> Beat:
    return Beat(**(row | {"names": tuple(row["names"])}))  # type: ignore[arg-type]  # columns are the fields
