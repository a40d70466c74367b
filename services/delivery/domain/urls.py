"""Targets of links: which may be followed, and campaign parameters added to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from html.entities import html5
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

_REFERENCE: Final = re.compile(r"&(#\d+;?|#[xX][\da-fA-F]+;?|[A-Za-z][A-Za-z\d]*;?)")
MAX_URL: Final = 8_000
# What RFC 3986 lets stand in a URL; all else is written as %XX, what is so already stays.
_ALLOWED: Final = "!#$%&'()*+,/:;=?@[]~-._"
_SPACE: Final = re.compile(r"[\x00-\x20\x7f]")


class NotWeb(Exception):
    """A target is no http or https address with a host."""


@dataclass(frozen=True, slots=True)
class Utm:
    """The campaign parameters that web analytics read; empty ones are left out."""

    source: str
    medium: str
    campaign: str


def web_target(url: str) -> str:
    """Return a target as it can stand in a ``Location`` header: ASCII, http or https, a host.

    Raises:
        NotWeb: it is anything else (``javascript:``, ``mailto:``, a path, a line break in it).
    """
    url = url.strip()
    if len(url) > MAX_URL or _SPACE.search(url.replace(" ", "%20")):
        raise NotWeb
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        if parts.scheme.lower() not in {"http", "https"} or not host or "\\" in parts.netloc:
            raise NotWeb
        if not parts.netloc.isascii():
            netloc = parts.netloc.replace(host, host.encode("idna").decode())
            parts = parts._replace(netloc=netloc)
    except ValueError:
        raise NotWeb from None
    return quote(urlunsplit(parts), safe=_ALLOWED)


def attribute_text(written: str) -> str:
    """Return what a browser reads in an HTML attribute written so.

    Unlike in text, a reference without its semicolon is none where ``=``, a letter or a digit
    follows: ``?a=1&copy=2`` is two parameters (HTML, 13.2.5.73).
    """
    return _REFERENCE.sub(_referred, written) if "&" in written else written


def _referred(found: re.Match[str]) -> str:
    name = found[1]
    if name.startswith("#"):
        return unescape(found[0])
    if not name.endswith(";") and found.string[found.end() : found.end() + 1] == "=":
        return found[0]
    return html5.get(name, found[0])


def with_utm(url: str, utm: Utm) -> str:
    """Return a URL with campaign parameters; what it has already stays, to the letter."""
    parts = urlsplit(url)
    if parts.scheme.lower() not in {"http", "https"}:
        return url
    there = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    wanted = {"utm_source": utm.source, "utm_medium": utm.medium, "utm_campaign": utm.campaign}
    added = urlencode({n: v for n, v in wanted.items() if v and n not in there})
    if not added:
        return url
    query = f"{parts.query}&{added}" if parts.query else added
    return urlunsplit(parts._replace(query=query))
