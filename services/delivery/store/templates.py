"""Templates as authors save them, and the contents that are rendered, by hash."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.delivery.domain.content import Content, Source
from services.delivery.domain.tracking import Switch, keeps_copies
from services.delivery.store.attachments import AttachmentStore
from services.delivery.store.links import LinkStore
from shared.database import Connection
from topics.delivery import Channel, SaveTemplate
from topics.letters import LetterWindow

_SAVE: Final = """
INSERT INTO templates AS t (template_id, label, language, subject, body, mjml, text, from_name,
    from_address, proof_recipients, template_hash, saved_at, tracking, letter, letter_window,
    send_doubles, seeds, channel, endpoint)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (template_id) DO UPDATE
SET version = t.version + 1, label = excluded.label, language = excluded.language,
    subject = excluded.subject, body = excluded.body, mjml = excluded.mjml, text = excluded.text,
    from_name = excluded.from_name, from_address = excluded.from_address,
    proof_recipients = excluded.proof_recipients, template_hash = excluded.template_hash,
    saved_at = excluded.saved_at, tracking = excluded.tracking,
    letter = excluded.letter, letter_window = excluded.letter_window,
    send_doubles = excluded.send_doubles, seeds = excluded.seeds,
    channel = excluded.channel, endpoint = excluded.endpoint
RETURNING version
"""
_KEEP: Final = """
INSERT INTO contents (template_hash, language, subject, html, inline_css, text, from_name,
    from_address, tracking, copies, letter, letter_window, send_doubles, channel, endpoint)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (template_hash) DO NOTHING
"""
_CONTENT: Final = """
SELECT language, subject, html, inline_css, text, from_name, from_address, tracking, letter,
    letter_window, send_doubles, channel, endpoint
FROM contents WHERE template_hash = $1
"""
_COLUMNS: Final = """
template_id, version, label, language, subject, body, mjml, text, from_name, from_address,
proof_recipients, template_hash, saved_at, tracking, letter, letter_window,
send_doubles, seeds, channel, endpoint
"""


@dataclass(frozen=True, slots=True)
class Template:
    """A template as its row holds it."""

    template_id: UUID
    version: int
    label: str
    language: str
    subject: str
    body: str
    mjml: bool
    text: str
    from_name: str
    from_address: str
    proof_recipients: list[str]
    template_hash: str
    saved_at: datetime
    tracking: list[str]
    letter: str
    letter_window: str
    send_doubles: bool
    seeds: list[dict[str, Any]]
    channel: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Current:
    """What a template's messages are made of now, and how they leave."""

    template_hash: str
    channel: Channel
    endpoint: str


class TemplateStore:
    """Templates and contents."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, template_id: UUID) -> Template | None:
        """Return a template."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM templates WHERE template_id = $1", template_id
        )
        return Template(**dict(row)) if row else None

    async def page(self, *, after: UUID | None, limit: int) -> list[Template]:
        """Return templates in order of id, after one of them."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM templates WHERE $1::uuid IS NULL OR template_id > $1"
            " ORDER BY template_id LIMIT $2",
            after,
            limit,
        )
        return [Template(**dict(row)) for row in rows]

    async def save(self, command: SaveTemplate, source: Source, at: datetime) -> int:
        """Write a template and return its new version; its row stays locked."""
        version: int = await self._connection.fetchval(
            _SAVE,
            command.template_id,
            command.label,
            source.language,
            source.subject,
            source.body,
            source.mjml,
            source.text,
            source.from_name,
            source.from_address,
            list(command.proof_recipients),
            source.template_hash,
            at,
            sorted(source.switches),
            source.letter,
            source.letter_window.value,
            source.send_doubles,
            [seed.model_dump() for seed in command.seeds],
            source.channel.value,
            source.endpoint,
        )
        return version

    async def keep_content(self, template_hash: str, content: Content) -> None:
        """Keep a content under its source's hash; the same one once."""
        await self._connection.execute(
            _KEEP,
            template_hash,
            content.language,
            content.subject,
            content.html,
            content.inline_css,
            content.text,
            content.from_name,
            content.from_address,
            sorted(content.switches),
            keeps_copies(content.switches, content.links),
            content.letter,
            content.letter_window.value,
            content.send_doubles,
            content.channel.value,
            content.endpoint,
        )
        await LinkStore(self._connection).keep(template_hash, content.links)
        await AttachmentStore(self._connection).keep(template_hash, content.attachments)

    async def currents(self, template_ids: Collection[UUID]) -> dict[UUID, Current]:
        """Return the current content of those templates that exist."""
        rows = await self._connection.fetch(
            "SELECT template_id, template_hash, channel, endpoint FROM templates"
            " WHERE template_id = ANY ($1::uuid[])",
            list(template_ids),
        )
        return {row["template_id"]: _current(row) for row in rows}

    async def kept(self, template_hashes: Collection[str]) -> dict[str, Current]:
        """Return those contents that there are of some hashes, by hash."""
        rows = await self._connection.fetch(
            "SELECT template_hash, channel, endpoint FROM contents"
            " WHERE template_hash = ANY ($1::text[])",
            list(template_hashes),
        )
        return {row["template_hash"]: _current(row) for row in rows}

    async def content(self, template_hash: str) -> Content:
        """Return a content by its source's hash.

        Raises:
            KeyError: no content has the hash.
        """
        row = await self._connection.fetchrow(_CONTENT, template_hash)
        if row is None:
            raise KeyError(template_hash)
        values = dict(row)
        values["channel"] = Channel(values["channel"])
        values["letter_window"] = LetterWindow(values["letter_window"])
        switches = frozenset(Switch(name) for name in values.pop("tracking"))
        links = await LinkStore(self._connection).of(template_hash) if switches else ()
        attachments = await AttachmentStore(self._connection).of(template_hash)
        return Content(**values, switches=switches, links=links, attachments=attachments)


def _current(row: Any) -> Current:
    return Current(row["template_hash"], Channel(row["channel"]), row["endpoint"])
