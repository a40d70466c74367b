"""Commands carried out once, however often they come; the name of each movement's cause."""

from __future__ import annotations

from shared.ids import new_id
from shared.uow import Work


def cause_of(work: Work) -> str:
    """Return what tells this command from others: the message's identity, or an id of its own."""
    return f"{work.cause.source} {work.cause.id}" if work.cause else str(new_id())


async def first_time(work: Work) -> bool:
    """Note the command being handled; return whether it is its first time.

    For commands that no key of their own makes harmless: one read again must not undo a later one.
    """
    if work.cause is None:
        return True
    noted = await work.connection.fetchval(
        "INSERT INTO saves (cause, saved_at) VALUES ($1, $2)"
        " ON CONFLICT (cause) DO NOTHING RETURNING 1",
        cause_of(work),
        work.now,
    )
    return bool(noted)
