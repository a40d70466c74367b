"""Signed tokens for links that need no sign-in: opaque, fit for a URL, each for one purpose."""

from __future__ import annotations

import base64
import binascii
import hmac
from functools import lru_cache
from typing import Final

from shared.settings import derived

_MAC_BYTES: Final = 16


def signed(secret: bytes, purpose: str, body: bytes) -> str:
    """Return a token that says ``body`` for a purpose; everybody can read it."""
    return base64.urlsafe_b64encode(body + _mac(secret, purpose, body)).decode()


def read_signed(secret: bytes, purpose: str, token: str, *, size: int) -> bytes | None:
    """Return the ``size`` bytes that were signed for a purpose; ``None`` for anything else."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(body) != size or not hmac.compare_digest(mac, _mac(secret, purpose, body)):
        return None
    return body


@lru_cache(maxsize=8)
def _key(secret: bytes, purpose: str) -> bytes:
    return bytes.fromhex(derived(secret, purpose))


def _mac(secret: bytes, purpose: str, body: bytes) -> bytes:
    return hmac.digest(_key(secret, purpose), body, "sha256")[:_MAC_BYTES]
