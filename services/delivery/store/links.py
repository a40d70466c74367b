"""The numbered links of contents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import asyncpg

from services.delivery.domain.tracking import EventKind, Part, TrackedLink
from shared.database import Connection

_KEEP: Final = """
INSERT INTO tracked_urls (template_hash, number, kind, part, url, label)
SELECT $1, l.number, l.kind, l.part, l.url, l.label
FROM unnest($2::smallint[], $3::smallint[], $4::text[], $5::text[], $6::text[])
    AS l (number, kind, part, url, label)
ON CONFLICT (template_hash, number) DO NOTHING
"""
_OF: Final = """
SELECT number, kind, part, url, label FROM tracked_urls WHERE template_hash = $1 ORDER BY number
"""
_NAMED: Final = """
SELECT u.template_hash, u.number, u.kind, u.part, u.url, u.label
FROM unnest($1::text[], $2::smallint[]) AS wanted (template_hash, number)
JOIN tracked_urls u USING (template_hash, number)
"""


class LinkStore:
    """Links by content; like it, they never change."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep(self, template_hash: str, links: Sequence[TrackedLink]) -> None:
        """Keep a content's links; the same ones once."""
        if links:
            await self._connection.execute(
                _KEEP,
                template_hash,
                [link.number for link in links],
                [int(link.kind) for link in links],
                [link.part.value for link in links],
                [link.url for link in links],
                [link.label for link in links],
            )

    async def needing_copies(self, template_hashes: Collection[str]) -> list[str]:
        """Return those of the contents whose recipients' data is needed after sending."""
        rows = await self._connection.fetch(
            "SELECT template_hash FROM contents WHERE template_hash = ANY ($1::text[]) AND copies",
            list(template_hashes),
        )
        return [row["template_hash"] for row in rows]

    async def named(
        self, template_hashes: Sequence[str], numbers: Sequence[int]
    ) -> list[tuple[str, TrackedLink]]:
        """Return links by content and number; one that is not kept is left out."""
        rows = await self._connection.fetch(_NAMED, list(template_hashes), list(numbers))
        return [(row["template_hash"], _link(row)) for row in rows]

    async def of(self, template_hash: str) -> tuple[TrackedLink, ...]:
        """Return a content's links in order of number."""
        rows = await self._connection.fetch(_OF, template_hash)
        return tuple(_link(row) for row in rows)


def _link(row: asyncpg.Record) -> TrackedLink:
    return TrackedLink(
        row["number"], EventKind(row["kind"]), Part(row["part"]), row["url"], row["label"]
    )
