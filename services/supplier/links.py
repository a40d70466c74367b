"""Links good for some days, without a sign-in: a router's to its file, a reviewer's to see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.signing import read_signed, signed

FOR_ROUTER: Final = "supplier-file"
FOR_REVIEW: Final = "supplier-review"
REVIEW_DAYS: Final = 7
"""As long as a message's proof can be seen."""
_BODY_BYTES: Final = 16 + 4


@dataclass(frozen=True, slots=True)
class FileLink:
    """The one file a link is about, and until when."""

    file_id: UUID
    until: datetime


def link_to(file_id: UUID, *, now: datetime, days: int) -> FileLink:
    """Return a link that is good from now on; it ends on a whole second."""
    return FileLink(file_id, (now + timedelta(days=days)).replace(microsecond=0))


def review_path(secret: bytes, file_id: UUID, *, now: datetime) -> str:
    """Return where reviewers see a file before they answer: a path on the public address."""
    link = link_to(file_id, now=now, days=REVIEW_DAYS)
    return f"/r/{file_token(secret, link, FOR_REVIEW)}"


def file_token(secret: bytes, link: FileLink, purpose: str = FOR_ROUTER) -> str:
    """Return the token of a link: 48 characters fit for a URL, without personal data."""
    body = link.file_id.bytes + int(link.until.timestamp()).to_bytes(4)
    return signed(secret, purpose, body)


class NoLink(StrEnum):
    """Why a token leads nowhere; the words of pages have these names."""

    UNKNOWN = "unknown"
    OVER = "over"


def follow(
    secret: bytes, token: str, purpose: str = FOR_ROUTER, *, now: datetime
) -> FileLink | NoLink:
    """Return the file a link is about while it is good, else why it leads nowhere."""
    link = read_file_token(secret, token, purpose)
    if link is None:
        return NoLink.UNKNOWN
    return link if link.until >= now else NoLink.OVER


def read_file_token(secret: bytes, token: str, purpose: str = FOR_ROUTER) -> FileLink | None:
    """Return what a token gives, be it over or not; ``None`` when it was not signed for this."""
    body = read_signed(secret, purpose, token, size=_BODY_BYTES)
    if body is None:
        return None
    return FileLink(UUID(bytes=body[:16]), datetime.fromtimestamp(int.from_bytes(body[16:]), UTC))
