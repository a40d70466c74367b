"""Who may read what over HTTP; commands check their actor themselves."""

from __future__ import annotations

from shared.errors import NotAllowed
from shared.rights import Right, require
from shared.service import Runtime
from topics.message import Actor


async def check(runtime: Runtime, actor: Actor, right: Right) -> None:
    """Let an operator with the right pass, and Muster's own services.

    Raises:
        NotAllowed: the operator is unknown, inactive, or lacks the right.
    """
    if actor.is_system:
        return  # the identity token was signed by web for that very service
    async with runtime.uow.begin() as work:
        await require(work, actor, right)


async def allowed(runtime: Runtime, actor: Actor, right: Right) -> bool:
    """Return whether the caller has a right."""
    try:
        await check(runtime, actor, right)
    except NotAllowed:
        return False
    return True
