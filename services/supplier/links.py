"""Links that give a router one file for some days, without a sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from shared.signing import read_signed, signed

_PURPOSE: Final = "supplier-file"
_BODY_BYTES: Final = 16 + 4


@dataclass(frozen=True, slots=True)
class FileLink:
    """The one file a link gives, and until when."""

    file_id: UUID
    until: datetime


def link_to(file_id: UUID, *, now: datetime, days: int) -> FileLink:
    """Return a link that is good from now on; it ends on a whole second."""
    return FileLink(file_id, (now + timedelta(days=days)).replace(microsecond=0))


def file_token(secret: bytes, link: FileLink) -> str:
    """Return the token of a link: 48 characters fit for a URL, without personal data."""
    body = link.file_id.bytes + int(link.until.timestamp()).to_bytes(4)
    return signed(secret, _PURPOSE, body)


def read_file_token(secret: bytes, token: str) -> FileLink | None:
    """Return what a token gives, be it over or not; ``None`` when this instance did not sign it."""
    body = read_signed(secret, _PURPOSE, token, size=_BODY_BYTES)
    if body is None:
        return None
    return FileLink(UUID(bytes=body[:16]), datetime.fromtimestamp(int.from_bytes(body[16:]), UTC))
