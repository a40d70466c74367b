"""What a template is given for one recipient."""

from __future__ import annotations

from typing import Any, Final

CONTACT: Final = ("first_name", "last_name", "email", "language", "direct_line", "mobile")

LETTER: Final = "letter_pdf"
"""Beside the merge data of a proof's row: the letter as PDF, in base64."""

EMAIL_FORMAT: Final = "email_format"
"""Beside the merge data of a single message: what its recipient reads, if that is known."""
TEXT: Final = "text"


def merge_of(member: dict[str, Any]) -> dict[str, Any]:
    """Return the merge data of a snapshot's member, in the ledger's form."""
    contact = {name: member.get(name) or "" for name in CONTACT}
    return {"contact": contact, "site": member["site"]}


def variables(
    merge: dict[str, Any], *, number: int | None, label: str, unsubscribe_url: str
) -> dict[str, Any]:
    """Return what a template may use: ``contact``, ``site``, ``campaign``, ``ctx`` and the links.

    A single message has neither site nor campaign; using them there is an error that names them.
    ``links`` and ``mirror_url`` are for the caller to fill where the content follows anything.
    """
    campaign = {"number": f"C-{number}", "label": label} if number is not None else {}
    return {
        "contact": merge.get("contact", {}),
        "site": merge.get("site", {}),
        "ctx": merge.get("ctx", {}),
        "campaign": campaign,
        "unsubscribe_url": unsubscribe_url,
        "mirror_url": "",
        "links": {},
    }
