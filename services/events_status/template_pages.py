"""What the API shows of event templates: drafts, what is published of them, their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field

from services.events_status.domain import Draft, Published, Route
from shared.database import Connection

_LIST: Final = """
SELECT r.event_type, r.channel, r.template_id, d.label, d.content_hash, r.changed_by,
       changer.name AS changer, r.changed_at,
       v.version, v.template_id AS published_id, p.label AS published_label,
       v.content_hash AS published_hash, v.published_by, publisher.name AS publisher,
       v.published_at
FROM routes r
LEFT JOIN templates d ON d.template_id = r.template_id
LEFT JOIN event_template_versions v ON v.event_type = r.event_type AND v.channel = r.channel
    AND v.version = r.published_version
LEFT JOIN templates p ON p.template_id = v.template_id
LEFT JOIN operators changer ON changer.operator_id = r.changed_by
LEFT JOIN operators publisher ON publisher.operator_id = v.published_by
"""
_PAGE: Final = f"""
{_LIST} WHERE ($1::text IS NULL OR r.event_type > $1)
  AND r.event_type IN (
    SELECT DISTINCT event_type FROM routes WHERE $1::text IS NULL OR event_type > $1
    ORDER BY event_type LIMIT $2)
ORDER BY r.event_type, r.channel
"""
_VERSIONS: Final = """
SELECT v.version, v.template_id, t.label, v.content_hash, v.published_by,
       publisher.name AS publisher, v.published_at, v.ended_by, ender.name AS ender, v.ended_at
FROM event_template_versions v
LEFT JOIN templates t ON t.template_id = v.template_id
LEFT JOIN operators publisher ON publisher.operator_id = v.published_by
LEFT JOIN operators ender ON ender.operator_id = v.ended_by
WHERE v.event_type = $1 AND v.channel = $2 ORDER BY v.version DESC LIMIT 200
"""


class Content(BaseModel):
    """A template of the delivery, and which of its contents is meant."""

    template_id: UUID
    label: str | None = Field(description="the template's label now, once it is known here")
    content_hash: str | None = Field(
        description="null: whatever the template holds when a message is made, or not known here"
    )


class By(BaseModel):
    """Who did something, and when."""

    operator_id: str
    name: str | None
    at: datetime


class Version(BaseModel):
    """A published version; ``ended`` once it was replaced or unpublished."""

    version: int
    content: Content
    published: By
    ended: By | None = None


class EventTemplate(BaseModel):
    """What the events of a type and channel are answered with."""

    event_type: str
    channel: str
    draft: Content
    linked: By
    published: Version | None = Field(description="what events are sent with; null: not covered")
    changed: bool = Field(description="whether the draft differs from what is published")


class EventTemplatePage(BaseModel):
    """Event templates by type and channel; ask on with ``after`` = ``next``."""

    templates: list[EventTemplate]
    next: str | None


class EventTemplateDetail(BaseModel):
    """An event template, and every version that was published for its type, latest first."""

    template: EventTemplate
    versions: list[Version]


async def template_page(connection: Connection, after: str | None, limit: int) -> EventTemplatePage:
    """Return the event templates of up to ``limit`` types, each with all its channels."""
    rows = await connection.fetch(_PAGE, after, limit)
    found = [_template(row) for row in rows]
    full = len({one.event_type for one in found}) == limit
    return EventTemplatePage(templates=found, next=found[-1].event_type if full else None)


async def template_detail(connection: Connection, route: Route) -> EventTemplateDetail | None:
    """Return an event template with its versions, or ``None`` when there is none."""
    row = await connection.fetchrow(f"{_LIST} WHERE r.event_type = $1 AND r.channel = $2", *route)
    if row is None:
        return None
    versions = await connection.fetch(_VERSIONS, *route)
    return EventTemplateDetail(
        template=_template(row), versions=[_version(one) for one in versions]
    )


def _template(row: Any) -> EventTemplate:
    published = None
    if row["version"] is not None:
        published = Version(
            version=row["version"],
            content=Content(
                template_id=row["published_id"],
                label=row["published_label"],
                content_hash=row["published_hash"],
            ),
            published=_by(row["published_by"], row["publisher"], row["published_at"]),
        )
    return EventTemplate(
        event_type=row["event_type"],
        channel=row["channel"],
        draft=_content(row),
        linked=_by(row["changed_by"], row["changer"], row["changed_at"]),
        published=published,
        changed=_draft(row).differs,
    )


def _draft(row: Any) -> Draft:
    live = None
    if row["version"] is not None:
        live = Published(row["published_id"], row["version"], row["published_hash"])
    return Draft(row["template_id"], row["content_hash"], live)


def _version(row: Any) -> Version:
    ended = _by(row["ended_by"], row["ender"], row["ended_at"]) if row["ended_at"] else None
    return Version(
        version=row["version"],
        content=_content(row),
        published=_by(row["published_by"], row["publisher"], row["published_at"]),
        ended=ended,
    )


def _content(row: Any) -> Content:
    return Content(
        template_id=row["template_id"], label=row["label"], content_hash=row["content_hash"]
    )


def _by(operator_id: str, name: str | None, at: datetime) -> By:
    return By(operator_id=operator_id, name=name, at=at)
