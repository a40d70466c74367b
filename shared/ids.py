"""Identity: UUIDv7 for rows and messages, keyed hashes for addresses, W3C trace context."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562): unique, and ordered by time of making."""
    return UUID(int=uuid7().int)


def normalise_email(address: str) -> str:
    """Return an address as it is compared: trimmed, domain and local part in lower case.

    Local parts may differ by case (RFC 5321), but no mailbox people use does; treating two
    spellings as one person is what keeps somebody from getting a message twice.
    """
    return address.strip().lower()


def recipient_key(secret: bytes, channel: str, address: str) -> str:
    """Return the keyed hash that stands for an address in topics and ledgers (32 hex digits).

    HMAC-SHA256 with the instance's secret: without it nobody can tell whether an address is
    meant, with it every service computes the same key.
    """
    text = f"{channel}:{normalise_email(address)}".encode()
    return hmac.new(secret, text, hashlib.sha256).hexdigest()[:32]


def child_traceparent(parent: str | None) -> str:
    """Return a W3C ``traceparent`` of a new span in the parent's trace, or of a new trace."""
    trace_id = parent[3:35] if parent else secrets.token_hex(16)
    flags = parent[53:55] if parent else "01"
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"
