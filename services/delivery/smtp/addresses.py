"""Addresses as commands carry them: nothing that ends the path or the line (RFC 5321, 6531)."""

from __future__ import annotations

import re
from typing import Final

import idna

from services.delivery.domain.runs import Reason
from services.delivery.smtp.mails import Unsendable

PATH_OCTETS: Final = 254
LOCAL_OCTETS: Final = 64
_PLAIN: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
)
# Every character of a dot-string: no space, control, quote, bracket, comma, colon or at sign.
_ATOMS: Final = re.compile(r"[^\s\x00-\x20\x7f-\x9f\"(),:;<>@\[\\\]\u2028\u2029\ud800-\udfff]+")


def path(address: str, *, utf8: bool) -> bytes:
    """Return an address as it stands between ``<`` and ``>``; its domain in ASCII.

    Args:
        address: one mailbox.
        utf8: whether the server takes a local part outside ASCII (SMTPUTF8).

    Raises:
        Unsendable: it is no address, or not one for this server.
    """
    if _PLAIN.fullmatch(address) and len(address) <= PATH_OCTETS and ".." not in address:
        return address.encode("ascii")
    local, _, domain = address.rpartition("@")
    if not _ATOMS.fullmatch(local):
        raise Unsendable(Reason.BAD_ADDRESS)
    try:
        host = idna.encode(domain, uts46=True)
    except (idna.IDNAError, UnicodeError):
        raise Unsendable(Reason.BAD_ADDRESS) from None
    if not local.isascii() and not utf8:
        raise Unsendable(f"{Reason.UNSENDABLE}: the server takes no local part outside ASCII")
    name = local.encode()
    if len(name) > LOCAL_OCTETS or len(name) + 1 + len(host) > PATH_OCTETS or ".." in local:
        raise Unsendable(Reason.BAD_ADDRESS)
    return name + b"@" + host
