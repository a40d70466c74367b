"""Which hosts a webhook may go to: public ones, unless a setting opens private networks.

Looked at twice: in the URL when an endpoint is registered, and in what its name means at each call,
for a name may come to mean something else.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Networks that carry IPv4 addresses in their last 32 bits (RFC 6052), and site-local ones, which
# were private before there were others.
_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
_SITE_LOCAL: Final = ipaddress.ip_network("fec0::/10")
LOCAL_NAMES: Final = frozenset({"localhost"})
MOST_CHARACTERS: Final = 2_000


class ForbiddenAddress(OSError):
    """A host leads into a network that webhooks may not reach."""


def is_public(address: Address) -> bool:
    """Whether anybody can be reached there, also through what it is translated to."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _SITE_LOCAL:
            return False
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def literal(host: str) -> Address | None:
    """Return the address that a host is written as; ``None`` for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def fault_of(url: str, *, allow_private: bool) -> str | None:
    """Return why a URL may not be an endpoint's; ``None`` when it may."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is no URL"
    odd = not url.isascii() or not url.isprintable() or " " in url
    if odd or len(url) > MOST_CHARACTERS or not host or port == 0:
        return "is no URL such as https://shop.example/hooks"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "takes neither a user nor a fragment; its secret signs what is sent"
    address = literal(host)
    local = host in LOCAL_NAMES or (address is not None and address.is_loopback)
    if parts.scheme != "https" and not (parts.scheme == "http" and local and allow_private):
        return "has to begin with https://"
    if not allow_private and (local or (address is not None and not is_public(address))):
        return "leads into a private network; WEBHOOK_ALLOW_PRIVATE allows that"
    return None


class PublicResolver(AbstractResolver):
    """Looks hosts up and leaves out what is not public; what it returns is connected to."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the public addresses of a host.

        Raises:
            ForbiddenAddress: it has none.
        """
        if self._inner is None:
            self._inner = ThreadedResolver()
        found = await self._inner.resolve(host, port, family)
        public = [one for one in found if is_public(ipaddress.ip_address(one["host"]))]
        if found and not public:
            raise ForbiddenAddress("no public address")
        return public

    async def close(self) -> None:
        """Close what looks up."""
        if self._inner is not None:
            await self._inner.close()
