"""The rows of event templates: a type and channel's draft, and what of it was published."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from services.events_status.domain import Draft, Published, Route
from shared.database import Connection
from topics.delivery import TemplateState

_REMEMBER: Final = """
INSERT INTO route_changes (source, command_id, event_type, channel, template_id, change, actor, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING 1
"""
_LINK: Final = """
INSERT INTO routes AS r (event_type, channel, template_id, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (event_type, channel) DO UPDATE
SET template_id = excluded.template_id, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at
WHERE r.template_id <> excluded.template_id
"""
_JOINED: Final = """
FROM routes r
LEFT JOIN templates t USING (template_id)
LEFT JOIN event_template_versions v ON v.event_type = r.event_type AND v.channel = r.channel
    AND v.version = r.published_version
"""
_LOCK: Final = "SELECT 1 FROM routes WHERE event_type = $1 AND channel = $2 FOR UPDATE"
_DRAFT: Final = f"""
SELECT r.template_id, t.content_hash, v.version, v.template_id AS published_id,
       v.content_hash AS published_hash
{_JOINED} WHERE r.event_type = $1 AND r.channel = $2
"""
_PUBLISHED: Final = """
SELECT r.event_type, r.channel, v.version, v.template_id, v.content_hash
FROM routes r
JOIN event_template_versions v ON v.event_type = r.event_type AND v.channel = r.channel
    AND v.version = r.published_version
WHERE r.event_type = ANY ($1::text[])
"""
_NEXT: Final = """
SELECT coalesce(max(version), 0) + 1 FROM event_template_versions
WHERE event_type = $1 AND channel = $2
"""
_ADD_VERSION: Final = """
INSERT INTO event_template_versions (event_type, channel, version, template_id, content_hash,
    awaits_content, published_by, published_at)
VALUES ($1, $2, $3, $4, $5, $5::text IS NULL, $6, $7)
"""
_POINT: Final = "UPDATE routes SET published_version = $3 WHERE event_type = $1 AND channel = $2"
_END: Final = """
UPDATE event_template_versions v SET ended_by = $3, ended_at = $4, awaits_content = false
FROM routes r
WHERE r.event_type = $1 AND r.channel = $2 AND v.event_type = r.event_type
  AND v.channel = r.channel AND v.version = r.published_version
"""
# A state that comes again tells what an earlier release did not keep.
_SAVE_TEMPLATE: Final = """
INSERT INTO templates AS t (template_id, version, label, language, content_hash, channel)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (template_id) DO UPDATE
SET version = excluded.version, label = excluded.label, language = excluded.language,
    content_hash = excluded.content_hash, channel = excluded.channel
WHERE t.version < excluded.version
   OR t.version = excluded.version AND t.content_hash IS NULL
"""
# Whoever publishes what is not known here and whoever gets to know it wait for each other.
_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))"
_PIN: Final = """
UPDATE event_template_versions SET content_hash = $2, awaits_content = false
WHERE template_id = $1 AND awaits_content
"""


class RouteStore:
    """Event templates of one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def remember(
        self,
        route: Route,
        change: str,
        *,
        identity: tuple[str, str],
        template_id: UUID | None,
        by: str,
        at: datetime,
    ) -> bool:
        """Note a command by its identity (source, id); return False when it was noted before."""
        noted = await self._connection.fetchval(
            _REMEMBER, *identity, *route, template_id, change, by, at
        )
        return noted is not None

    async def link(self, route: Route, template_id: UUID, *, by: str, at: datetime) -> None:
        """Make a template the draft of a type and channel."""
        await self._connection.execute(_ALONE, str(template_id))
        await self._connection.execute(_LINK, *route, template_id, by, at)

    async def channel_of(self, template_id: UUID) -> str | None:
        """Return the channel of a template, or ``None`` when it is not known here."""
        channel: str | None = await self._connection.fetchval(
            "SELECT channel FROM templates WHERE template_id = $1", template_id
        )
        return channel

    async def lock(self, route: Route) -> Draft | None:
        """Return the draft of a type and channel with what is published, its row locked."""
        # Not in one statement: after a wait it would join the new row with what it read before.
        await self._connection.execute(_LOCK, *route)
        row = await self._connection.fetchrow(_DRAFT, *route)
        if row is None:
            return None
        published = None
        if row["version"] is not None:
            published = Published(row["published_id"], row["version"], row["published_hash"])
        return Draft(row["template_id"], row["content_hash"], published)

    async def publish(self, route: Route, draft: Draft, *, by: str, at: datetime) -> Published:
        """Write a locked draft's content as the next version, which is the published one now."""
        version: int = await self._connection.fetchval(_NEXT, *route)
        await self._connection.execute(_END, *route, by, at)
        await self._connection.execute(
            _ADD_VERSION, *route, version, draft.template_id, draft.content_hash, by, at
        )
        await self._connection.execute(_POINT, *route, version)
        return Published(draft.template_id, version, draft.content_hash)

    async def unpublish(self, route: Route, *, by: str, at: datetime) -> None:
        """End the published version of a locked draft; none is published then."""
        await self._connection.execute(_END, *route, by, at)
        await self._connection.execute(_POINT, *route, None)

    async def delete(self, route: Route) -> None:
        """Remove a draft; its versions stay."""
        await self._connection.execute(
            "DELETE FROM routes WHERE event_type = $1 AND channel = $2", *route
        )

    async def published(self, types: Iterable[str]) -> dict[Route, Published]:
        """Return what is published for each type and channel among the types."""
        rows = await self._connection.fetch(_PUBLISHED, list(set(types)))
        return {
            Route(row["event_type"], row["channel"]): Published(
                row["template_id"], row["version"], row["content_hash"]
            )
            for row in rows
        }

    async def save_template(self, state: TemplateState) -> None:
        """Keep a template's name and content; an older version changes nothing.

        What was published before its content was known here is pinned to it.
        """
        await self._connection.execute(_ALONE, str(state.template_id))
        await self._connection.execute(
            _SAVE_TEMPLATE,
            state.template_id,
            state.version,
            state.label,
            state.language,
            state.content_hash,
            state.channel.value,
        )
        await self._connection.execute(_PIN, state.template_id, state.content_hash)
