"""Envelope senders that name the message they left with (variable envelope return paths).

A bounce comes back to the envelope sender, often without anything else that can be trusted. So the
address carries run and member, signed. Servers may fold its case and must accept 64 characters
before the @ (RFC 5321, 4.5.3.1.1): base32, and a signature as long as fits.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

from services.delivery.settings import DeliverySettings
from shared.settings import derived

MAILBOX: Final = "b"
"""The local part before the token: one letter, so that six bytes of signature fit."""
_MAC_BYTES: Final = 6
_IDS: Final = slice(0, 32)
_TOKEN: Final = re.compile(rf"\b{MAILBOX}\+([a-z2-7]{{61}})@", re.IGNORECASE)
_PADDING: Final = "==="


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that left: its row in the ledger."""

    run_id: UUID
    member_id: UUID


def envelope_sender(
    settings: DeliverySettings, run_id: UUID, member_id: UUID, from_address: str
) -> str:
    """Return the envelope sender of a message: its own address, or From's without BOUNCE_DOMAIN."""
    if not settings.bounce_domain:
        return from_address
    token = token_of(settings.secret, Sent(run_id, member_id))
    return f"{MAILBOX}+{token}@{settings.bounce_domain}"


def token_of(secret: bytes, sent: Sent) -> str:
    """Return the token of a message: 61 lower-case characters."""
    ids = sent.run_id.bytes + sent.member_id.bytes
    return base64.b32encode(ids + _mac(secret, ids)).decode().rstrip("=").lower()


def read_token(secret: bytes, token: str) -> Sent | None:
    """Return whose token it is; ``None`` when this instance did not sign it."""
    try:
        raw = base64.b32decode(token.upper() + _PADDING)
    except (binascii.Error, ValueError):
        return None
    ids, mac = raw[_IDS], raw[_IDS.stop :]
    if not hmac.compare_digest(mac, _mac(secret, ids)):
        return None
    return Sent(UUID(bytes=ids[:16]), UUID(bytes=ids[16:]))


def tokens_in(text: str) -> list[str]:
    """Return what looks like tokens in addresses, in order; none of them is proven yet."""
    return _TOKEN.findall(text)


def _mac(secret: bytes, ids: bytes) -> bytes:
    return hmac.digest(_key(secret), ids, "sha256")[:_MAC_BYTES]


@lru_cache(maxsize=4)
def _key(secret: bytes) -> bytes:
    return bytes.fromhex(derived(secret, "bounce"))
