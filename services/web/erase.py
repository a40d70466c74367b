"""Forgetting a person: what web keeps that may name a recipient."""

from __future__ import annotations

from shared.ids import normalise_email
from shared.uow import Work


async def erase(work: Work, recipient_key: str, address: str) -> int:  # noqa: ARG001 - by address
    """Remove kept answers that hold an address; return how many there were.

    The operators' e-mails are those of people who work with Muster, not of recipients: they go
    when an administrator changes the operator. Read models hold no address.
    """
    status = await work.connection.execute(
        "DELETE FROM kept_answers WHERE position($1 IN lower(encode(body, 'escape'))) > 0",
        normalise_email(address),
    )
    return int(status.rpartition(" ")[2])
