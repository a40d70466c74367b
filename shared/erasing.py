"""Forgetting a person in the core's own rows: dead letters and messages put aside."""

from __future__ import annotations

from shared.uow import Work


async def erase(work: Work, address: str) -> int:
    """Clear bodies that hold an address; return how many rows did.

    A cleared dead letter cannot be replayed; a message that still waits is cleared by its own
    handling, which takes it from here within its last try.
    """
    needle = address.strip().encode()
    rows = await work.connection.fetch(
        "SELECT id, value FROM dead_letters WHERE value <> ''::bytea"
    )
    found = [row["id"] for row in rows if needle.lower() in row["value"].lower()]
    await work.connection.execute(
        "UPDATE dead_letters SET value = ''::bytea, replayed_at = coalesce(replayed_at, $2),"
        " reason = 'erased: ' || reason WHERE id = ANY ($1::uuid[])",
        found,
        work.now,
    )
    return len(found)
