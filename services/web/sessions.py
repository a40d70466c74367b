"""The sign-in of pages: a signed cookie that names the token it was opened with.

The cookie holds no token. It is good while that token is, and at most ``SESSION_HOURS``; the API
takes tokens only, so a foreign page has nothing to ride on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from shared.settings import derived

COOKIE: Final = "muster_session"
PAGES: Final = "session"


def issue(secret: bytes, token_id: UUID, until: datetime, purpose: str = PAGES) -> str:
    """Return what stands for a token in sessions of a purpose, until a time."""
    body = token_id.bytes + int(until.timestamp()).to_bytes(8)
    return base64.urlsafe_b64encode(body + _mac(secret, body, purpose)).decode()


def read(secret: bytes, cookie: str | None, now: datetime, purpose: str = PAGES) -> UUID | None:
    """Return the token a session was opened with; ``None`` when it is over or not signed here."""
    try:
        raw = base64.b64decode(cookie or "", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:24], raw[24:]
    if len(raw) != 56 or not hmac.compare_digest(mac, _mac(secret, body, purpose)):
        return None
    if datetime.fromtimestamp(int.from_bytes(body[16:]), UTC) <= now:
        return None
    return UUID(bytes=body[:16])


def _mac(secret: bytes, body: bytes, purpose: str) -> bytes:
    return hmac.new(derived(secret, purpose).encode(), body, hashlib.sha256).digest()


def put(response: Response, cookie: str, *, seconds: float, secure: bool) -> None:
    """Set the session's cookie: for this site's own pages only, out of reach of scripts."""
    response.set_cookie(
        COOKIE, cookie, max_age=int(seconds), httponly=True, samesite="strict", secure=secure
    )


def from_elsewhere(request: Request) -> bool:
    """Whether a form was sent by another site's page (browsers say where from)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is not None and origin.rpartition("://")[2] != request.headers.get("host")
