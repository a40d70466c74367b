"""Unsubscribe links: opaque signed tokens that outlive the ledger row they came with."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

from shared.settings import derived

PROOF_LINK: Final = "proof"
"""The link in a proof: its page explains, and changes nobody's consent."""
_MAC_BYTES: Final = 16
_TOKEN_BYTES: Final = 16 + 16 + _MAC_BYTES


@dataclass(frozen=True, slots=True)
class Link:
    """Whose link it is: the keyed hash of an address (hex), and the run that carried it."""

    recipient_key: str
    run_id: UUID


def token_of(secret: bytes, link: Link) -> str:
    """Return the token of a link: 64 characters fit for a URL, without personal data."""
    body = bytes.fromhex(link.recipient_key) + link.run_id.bytes
    return base64.urlsafe_b64encode(body + _mac(secret, body)).decode()


def read_token(secret: bytes, token: str) -> Link | None:
    """Return whose link a token is; ``None`` when this instance did not sign it."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(raw) != _TOKEN_BYTES or not hmac.compare_digest(mac, _mac(secret, body)):
        return None
    return Link(body[:16].hex(), UUID(bytes=body[16:]))


@lru_cache(maxsize=4)
def _key(secret: bytes) -> bytes:
    return bytes.fromhex(derived(secret, "unsubscribe"))


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(_key(secret), body, "sha256")[:_MAC_BYTES]


@dataclass(frozen=True, slots=True)
class ListUnsubscribe:
    """The header values of a mail (RFC 2369, RFC 8058)."""

    header: str | None
    one_click: bool


def list_unsubscribe(url: str, mailto: str | None) -> ListUnsubscribe:
    """Return what to say in the headers: one click over https only, else an address, else nothing.

    Mail readers act on the header without showing the page, so the link must be a secure one.
    """
    if url.startswith("https://"):
        return ListUnsubscribe(f"<{url}>", one_click=True)
    if mailto:
        return ListUnsubscribe(f"<mailto:{mailto}?subject=unsubscribe>", one_click=False)
    return ListUnsubscribe(None, one_click=False)
