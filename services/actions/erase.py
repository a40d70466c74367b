"""Forgetting a person: what was copied from the directory into members, actions and items."""

from __future__ import annotations

from typing import Final

from shared.ids import normalise_email
from shared.uow import Work

ERASED: Final = "(erased)"

_BLANK: Final = {
    "members": ", direct_line = '', mobile = ''",
    "actions": ", direct_line = '', mobile = '', report = ''",
    "deals": ", comment = ''",
    "dossier_items": "",
}


async def erase(work: Work, recipient_key: str, address: str) -> int:  # noqa: ARG001
    """Blank a person's name, numbers, address and reports; return how many rows held them.

    The rows themselves stay, so that totals go on adding up. Every service takes the key and the
    address; these rows are found by the address they copied.
    """
    number = 0
    for table, more in _BLANK.items():
        status = await work.connection.execute(
            f"UPDATE {table} SET contact_name = $2, email = ''{more} WHERE lower(trim(email)) = $1",
            normalise_email(address),
            ERASED,
        )
        number += int(status.rpartition(" ")[2])
    return number
