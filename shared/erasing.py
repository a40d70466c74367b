"""Forgetting a person in the core's own rows: dead letters and messages put aside."""

from __future__ import annotations

import re
from typing import Final

from shared.uow import Work

_HOLDING: Final = """
SELECT id, value FROM dead_letters
WHERE position(lower(encode($1, 'escape')) IN lower(encode(value, 'escape'))) > 0
"""
_CLEAR: Final = """
UPDATE dead_letters SET value = ''::bytea, replayed_at = coalesce(replayed_at, $2),
    reason = 'erased: ' || reason
WHERE id = ANY ($1::uuid[]) RETURNING retry_seq
"""


async def erase(work: Work, address: str) -> int:
    """Clear bodies that hold an address; return how many rows did.

    A cleared dead letter cannot be replayed, so what waited behind it (strict order) goes on. A
    message that still waits is cleared by its own handling, which takes it from here within its
    last try.
    """
    needle = address.strip().encode()
    rows = await work.connection.fetch(_HOLDING, needle)
    found = [row["id"] for row in rows if _holds(row["value"], needle)]
    cleared = await work.connection.fetch(_CLEAR, found, work.now)
    await work.connection.execute(
        "DELETE FROM retries WHERE dead AND seq = ANY ($1::bigint[])",
        [row["retry_seq"] for row in cleared if row["retry_seq"] is not None],
    )
    return len(found)


def _holds(body: bytes, address: bytes) -> bool:
    """Whether a body holds this address, not only one that ends or begins like it."""
    whole = rb"(?<![a-z0-9._%+-])" + re.escape(address) + rb"(?![a-z0-9-]|\.[a-z0-9])"
    return re.search(whole, body, re.IGNORECASE) is not None
