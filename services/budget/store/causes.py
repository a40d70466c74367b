"""Commands carried out once, however often they come; the name of each movement's cause."""

from __future__ import annotations

from shared.ids import new_id
from shared.uow import Work


def cause_of(work: Work) -> str:
    """Return what tells this command from others: the message's identity, or an id of its own."""
    return f"{work.cause.source} {work.cause.id}" if work.cause else str(new_id())


async def handled_before(work: Work) -> bool:
    """Whether the command being handled was carried out already; :func:`first_time` notes it.

    For handlers that may still refuse: what is refused is not noted.
    """
    return work.cause is not None and bool(
        await work.connection.fetchval("SELECT 1 FROM saves WHERE cause = $1", cause_of(work))
    )


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
