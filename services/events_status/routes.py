"""The rows of routes: which template the events of a type use, and who changed that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from services.events_status.domain import DEFAULT_CHANNEL
from shared.database import Connection
from topics.delivery import TemplateState
from topics.events import RouteEventType

_REMEMBER: Final = """
INSERT INTO route_changes (source, command_id, event_type, template_id, actor, at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1
"""
_LINK: Final = """
INSERT INTO routes (event_type, channel, template_id, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (event_type, channel) DO UPDATE
SET template_id = excluded.template_id, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at
"""
_SAVE_TEMPLATE: Final = """
INSERT INTO templates (template_id, version, label, language) VALUES ($1, $2, $3, $4)
ON CONFLICT (template_id) DO UPDATE
SET version = excluded.version, label = excluded.label, language = excluded.language
WHERE templates.version < excluded.version
"""


class RouteStore:
    """Routes of one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def remember(
        self, command: RouteEventType, identity: tuple[str, str], now: datetime
    ) -> bool:
        """Note a command by its identity (source, id); return False when it was noted before."""
        noted = await self._connection.fetchval(
            _REMEMBER, *identity, command.event_type, command.template_id, command.actor.id, now
        )
        return noted is not None

    async def link(self, command: RouteEventType, now: datetime) -> None:
        """Link a type to a template, or unlink it."""
        if command.template_id is None:
            await self._connection.execute(
                "DELETE FROM routes WHERE event_type = $1 AND channel = $2",
                command.event_type,
                DEFAULT_CHANNEL,
            )
            return
        await self._connection.execute(
            _LINK,
            command.event_type,
            DEFAULT_CHANNEL,
            command.template_id,
            command.actor.id,
            now,
        )

    async def templates_for(self, types: Iterable[str]) -> dict[tuple[str, str], UUID]:
        """Return the template of each linked (type, channel) among the types."""
        rows = await self._connection.fetch(
            "SELECT event_type, channel, template_id FROM routes"
            " WHERE event_type = ANY ($1::text[])",
            list(set(types)),
        )
        return {(row["event_type"], row["channel"]): row["template_id"] for row in rows}

    async def save_template(self, state: TemplateState) -> None:
        """Keep a template's name; an older version changes nothing."""
        await self._connection.execute(
            _SAVE_TEMPLATE, state.template_id, state.version, state.label, state.language
        )
