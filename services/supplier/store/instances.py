"""Post-processings as rows: one a file, with a name and a state of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from shared.database import Connection
from topics.workflows import WorkflowStatus

_SEEN: Final = """
SELECT p.file_id, p.name, p.version, p.status, p.runs, p.last_run_at, p.ended_at,
       j.campaign_number, j.file_name
FROM post_processings p JOIN jobs j USING (file_id)
"""


@dataclass(frozen=True, slots=True)
class Instance:
    """The post-processing of one file."""

    file_id: UUID
    name: str
    version: int
    status: WorkflowStatus
    runs: int
    last_run_at: datetime | None
    ended_at: datetime | None
    campaign_number: int
    file_name: str


class InstanceStore:
    """Post-processings in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, file_id: UUID, name: str, now: datetime) -> Instance | None:
        """Make and start the post-processing of a file; ``None`` when there is no such file."""
        await self._connection.execute(
            "INSERT INTO post_processings (file_id, name, created_at)"
            " SELECT file_id, $2, $3 FROM jobs WHERE file_id = $1 ON CONFLICT DO NOTHING",
            file_id,
            name,
            now,
        )
        return await self.of_file(file_id)

    async def of_file(self, file_id: UUID) -> Instance | None:
        """Return a file's post-processing, its row locked."""
        return _instance(
            await self._connection.fetchrow(
                f"{_SEEN} WHERE p.file_id = $1 FOR UPDATE OF p", file_id
            )
        )

    async def named(self, name: str) -> Instance | None:
        """Return a post-processing by its name, its row locked."""
        return _instance(
            await self._connection.fetchrow(f"{_SEEN} WHERE p.name = $1 FOR UPDATE OF p", name)
        )

    async def going_on(self, limit: int) -> list[Instance]:
        """Return the post-processings that have not ended, the newest first."""
        rows = await self._connection.fetch(
            f"{_SEEN} WHERE p.ended_at IS NULL ORDER BY p.file_id DESC LIMIT $1", limit
        )
        return [found for row in rows if (found := _instance(row)) is not None]

    async def move(self, one: Instance, status: WorkflowStatus) -> Instance | None:
        """Write how a post-processing stands."""
        await self._connection.execute(
            "UPDATE post_processings SET status = $2, version = version + 1 WHERE file_id = $1",
            one.file_id,
            status.value,
        )
        return await self.of_file(one.file_id)

    async def ran(self, file_id: UUID, now: datetime) -> Instance | None:
        """Count a run in which something was done for a file."""
        await self._connection.execute(
            "UPDATE post_processings SET runs = runs + 1, last_run_at = $2, version = version + 1"
            " WHERE file_id = $1",
            file_id,
            now,
        )
        return await self.of_file(file_id)

    async def end(self, file_id: UUID, now: datetime) -> Instance | None:
        """Write that a file's post-processing is over; ``None`` when it was, or there is none."""
        ended = await self._connection.fetchval(
            "UPDATE post_processings SET ended_at = $2, version = version + 1, runs = runs + 1,"
            " last_run_at = $2"
            " WHERE file_id = $1 AND ended_at IS NULL RETURNING 1",
            file_id,
            now,
        )
        return await self.of_file(file_id) if ended else None


def _instance(row: Record | None) -> Instance | None:
    return Instance(**dict(row) | {"status": WorkflowStatus(row["status"])}) if row else None
