"""Files by their hash, and which of them a content has attached."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from services.delivery.domain.attachments import Attachment
from shared.database import Connection

_SAVE: Final = """
INSERT INTO attachment_files (sha256, content, size_bytes, saved_at)
VALUES ($1, $2, $3, $4) ON CONFLICT (sha256) DO NOTHING
"""
_KEEP: Final = """
INSERT INTO content_attachments (template_hash, position, name, content_type, sha256)
SELECT $1, a.position, a.name, a.content_type, a.sha256
FROM unnest($2::smallint[], $3::text[], $4::text[], $5::text[])
    AS a (position, name, content_type, sha256)
ON CONFLICT (template_hash, position) DO NOTHING
"""
_OF: Final = """
SELECT name, content_type, sha256 FROM content_attachments
WHERE template_hash = $1 ORDER BY position
"""


class AttachmentStore:
    """Files and their use."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save(self, sha256: str, content: bytes, at: datetime) -> None:
        """Keep a file; the same one once."""
        await self._connection.execute(_SAVE, sha256, content, len(content), at)

    async def sizes(self, hashes: Collection[str]) -> dict[str, int]:
        """Return the bytes of those files that are here."""
        rows = await self._connection.fetch(
            "SELECT sha256, size_bytes FROM attachment_files WHERE sha256 = ANY ($1::text[])",
            list(hashes),
        )
        return {row["sha256"]: row["size_bytes"] for row in rows}

    async def files(self, hashes: Collection[str]) -> dict[str, bytes]:
        """Return what files hold."""
        rows = await self._connection.fetch(
            "SELECT sha256, content FROM attachment_files WHERE sha256 = ANY ($1::text[])",
            list(hashes),
        )
        return {row["sha256"]: row["content"] for row in rows}

    async def keep(self, template_hash: str, attachments: Sequence[Attachment]) -> None:
        """Keep what a content has attached; the same once."""
        if attachments:
            await self._connection.execute(
                _KEEP,
                template_hash,
                list(range(len(attachments))),
                [one.name for one in attachments],
                [one.content_type for one in attachments],
                [one.sha256 for one in attachments],
            )

    async def of(self, template_hash: str) -> tuple[Attachment, ...]:
        """Return what a content has attached, in order."""
        rows = await self._connection.fetch(_OF, template_hash)
        return tuple(Attachment(**dict(row)) for row in rows)
