"""What the API shows of routes: which template is published for each type and channel."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

from shared.database import Connection

_ROUTES: Final = """
SELECT r.event_type, r.channel, v.template_id, t.label AS template, v.version,
       v.published_by AS changed_by, v.published_at AS changed_at
FROM routes r
JOIN event_template_versions v ON v.event_type = r.event_type AND v.channel = r.channel
    AND v.version = r.published_version
LEFT JOIN templates t ON t.template_id = v.template_id
WHERE r.event_type IN (
    SELECT DISTINCT event_type FROM routes
    WHERE published_version IS NOT NULL AND ($1::text IS NULL OR event_type > $1)
    ORDER BY event_type LIMIT $2)
ORDER BY r.event_type, r.channel
"""


class Route(BaseModel):
    """The template that events of a type and channel use, in its published version."""

    event_type: str
    channel: str
    version: int
    template_id: UUID
    template: str | None = Field(description="the template's label, once it is known here")
    changed_by: str
    changed_at: datetime


class RoutePage(BaseModel):
    """Routes by event type; ask on with ``after`` = ``next``."""

    routes: list[Route]
    next: str | None


async def route_page(connection: Connection, after: str | None, limit: int) -> RoutePage:
    """Return the routes of up to ``limit`` event types, each with all its channels."""
    rows = await connection.fetch(_ROUTES, after, limit)
    routes = [Route(**dict(row)) for row in rows]
    full = len({route.event_type for route in routes}) == limit
    return RoutePage(routes=routes, next=routes[-1].event_type if full else None)
