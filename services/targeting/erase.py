"""Forgetting one person: what targeting knows about an address."""

from __future__ import annotations

from typing import Final

from shared.ids import normalise_email
from shared.uow import Work

_NOBODY: Final = (
    '{"first_name": "", "last_name": "", "email": null, "direct_line": "", "mobile": ""}'
)


async def erase(work: Work, recipient_key: str, address: str) -> int:
    """Erase a person from the directory and from snapshots; return how many rows changed.

    Contacts of the address are deleted, and their deals stay without a contact. Members of
    snapshots keep their ids and lose name, address and numbers. The consent stays under its
    keyed hash, which names nobody: without it, a later import would forget an opt-out.
    """
    rows = await work.connection.fetch(
        "DELETE FROM contacts WHERE recipient_key = $1 RETURNING contact_id", recipient_key
    )
    contacts = [row["contact_id"] for row in rows]
    members = await work.connection.execute(
        "UPDATE snapshot_members SET body = (body::jsonb || $3::text::jsonb)::text"
        " WHERE recipient_key = $1 OR contact_id = ANY($2::uuid[])",
        recipient_key,
        contacts,
        _NOBODY,
    )
    employees = await work.connection.execute(
        "UPDATE employees SET first_name = '', last_name = '–', email = NULL WHERE email = $1",
        normalise_email(address),
    )
    return len(contacts) + _count(members) + _count(employees)


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
