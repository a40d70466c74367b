"""Identity: UUIDv7 for rows and messages, keyed hashes for addresses, W3C trace context."""

from __future__ import annotations

import hashlib
import hmac
import random
from typing import Final
from uuid import UUID

import uuid_utils

# Span ids need to differ, not to be secret; the system's entropy costs ten times more.
_spans: Final = random.Random()


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562): unique, and ordered by time of making."""
    return UUID(int=uuid_utils.uuid7().int)


def new_id_text() -> str:
    """Return a new UUIDv7 as text, without the detour over a UUID object (hot in the outbox)."""
    return str(uuid_utils.uuid7())


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
    trace_id = parent[3:35] if parent else f"{_spans.getrandbits(128):032x}"
    flags = parent[53:55] if parent else "01"
    return f"00-{trace_id}-{_spans.getrandbits(64):016x}-{flags}"
