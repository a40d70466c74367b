"""What the stub remembers and shows: messages, views, files and what became of a delivery.

The same models travel over the control endpoints, so the driver sees what the server keeps.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Json: TypeAlias = dict[str, Any]


class Wire(BaseModel):
    """A frozen model that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Content(Wire):
    """What one version of a message says."""

    text: str = ""
    blocks: list[Json] = Field(default_factory=list)
    attachments: list[Json] = Field(default_factory=list)
    metadata: Json | None = None


class Version(Wire):
    """A message's content since ``at``."""

    at: datetime
    content: Content


class Message(Wire):
    """A message in a channel, with every version it had, oldest first."""

    channel: str
    ts: str
    user: str
    by_app: bool = False
    thread_ts: str | None = None
    file_ids: list[str] = Field(default_factory=list)
    versions: list[Version]
    deleted_at: datetime | None = None

    @property
    def content(self) -> Content:
        """What the message says now."""
        return self.versions[-1].content

    @property
    def text(self) -> str:
        """The text of the current version (notification text where there are blocks)."""
        return self.content.text

    @property
    def blocks(self) -> list[Json]:
        """The blocks of the current version."""
        return self.content.blocks

    @property
    def metadata(self) -> Json | None:
        """The metadata of the current version."""
        return self.content.metadata


class Ephemeral(Wire):
    """A message that one user alone sees."""

    channel: str
    ts: str
    user: str
    content: Content
    thread_ts: str | None = None

    @property
    def text(self) -> str:
        """The text of the message."""
        return self.content.text

    @property
    def blocks(self) -> list[Json]:
        """The blocks of the message."""
        return self.content.blocks


class ViewStatus(StrEnum):
    """Whether a user still sees a view."""

    OPEN = "open"
    CLOSED = "closed"


class View(Wire):
    """A modal or Home view of one user; ``given`` is what the app sent, block ids filled in."""

    id: str
    user: str
    given: Json
    hash: str
    root_view_id: str
    previous_view_id: str | None = None
    values: Json = Field(default_factory=dict)
    errors: dict[str, str] = Field(default_factory=dict)
    status: ViewStatus = ViewStatus.OPEN
    versions: int = 1

    @property
    def callback_id(self) -> str:
        """The app's name for the view."""
        return str(self.given.get("callback_id") or "")

    @property
    def blocks(self) -> list[Json]:
        """The view's blocks."""
        return list(self.given["blocks"])

    @property
    def title(self) -> str:
        """The modal's title; empty for a Home view."""
        return str((self.given.get("title") or {}).get("text", ""))

    @property
    def private_metadata(self) -> str:
        """What the app keeps with the view."""
        return str(self.given.get("private_metadata") or "")


class StoredFile(Wire):
    """A file uploaded by the app; its bytes lie under the data folder."""

    id: str
    name: str
    length: int
    title: str = ""
    channels: list[str] = Field(default_factory=list)
    uploaded: bool = False
    completed: bool = False
    settled: bool = False


class Ack(Wire):
    """What became of one payload sent to the app.

    ``payload`` is the app's answer (``response_action``, ``options``, a reply to a command);
    ``status`` is the HTTP status, None in Socket Mode; ``problem`` says why there is no ack or
    why Slack would not take the answer; ``delivery_id`` is the envelope's id.
    """

    acknowledged: bool
    delivery_id: str
    payload: Json | None = None
    status: int | None = None
    problem: str | None = None
    seconds: float = 0.0

    @property
    def errors(self) -> dict[str, str]:
        """The errors of ``response_action: errors`` by block id; empty when there are none."""
        payload = self.payload or {}
        if payload.get("response_action") != "errors":
            return {}
        return {str(block): str(text) for block, text in payload.get("errors", {}).items()}


class Forgery(StrEnum):
    """Ways to send an HTTP request that the app must refuse."""

    NO_SIGNATURE = "no_signature"
    EMPTY_SIGNATURE = "empty_signature"
    UNKNOWN_VERSION = "unknown_version"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - the name of a forgery, not a secret
    BODY_ALTERED = "body_altered"
    TIMESTAMP_ALTERED = "timestamp_altered"
    TIMESTAMP_MISSING = "timestamp_missing"
    TIMESTAMP_NOT_A_NUMBER = "timestamp_not_a_number"
    TIMESTAMP_OLD = "timestamp_old"
    TIMESTAMP_AHEAD = "timestamp_ahead"
