"""Commands handled once, however often they come."""

from __future__ import annotations

from shared.uow import Work


async def first_time(work: Work) -> bool:
    """Note the command being handled; return whether it is its first time.

    For commands that no key of their own makes harmless: a replayed withdrawal must not void an
    approval that was given later.
    """
    if work.cause is None:
        return True
    noted = await work.connection.fetchval(
        "INSERT INTO causes (source, id, handled_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (source, id) DO NOTHING RETURNING 1",
        work.cause.source,
        work.cause.id,
        work.now,
    )
    return bool(noted)
