"""The text part of a mail, made from its HTML when the author gave none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Final

_SILENT: Final = frozenset({"head", "style", "script", "title", "template"})
_BLOCKS: Final = frozenset(
    {"address", "blockquote", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol"}
    | {"p", "section", "table", "tr", "ul"}
)
_SPACES: Final = re.compile(r"[ \t\r\f\v\u00a0\u200c]+")
_LINES: Final = re.compile(r"\n[ \n]*\n")


class Reader(HTMLParser):
    """Reads HTML into the parts of a text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0
        self._links: list[str] = []

    def add(self, text: str, *, data: bool = False) -> None:
        """Add a part; in data, spaces and line ends are one space."""
        self.parts.append(in_one_space(text) if data else text)

    def last(self) -> str:
        """Return the part added last, without the space around it."""
        return self.parts[-1].strip() if self.parts else ""

    def close_link(self, url: str) -> None:
        """Add the address of a link, unless it is what the link shows, or leads into the page."""
        if url and not url.startswith("#") and self.last() != url:
            self.add(f" ({url})")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a block, a list's entry or a link; keep silent in heads and scripts."""
        if tag in _SILENT:
            self._silent += 1
        elif tag in _BLOCKS:
            self.add("\n- " if tag == "li" else "\n")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")
        elif tag == "img" and not self._silent:
            self.add(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        """End what a tag began."""
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _BLOCKS:
            self.add("\n")
        elif tag == "a" and self._links:
            self.close_link(self._links.pop())

    def handle_data(self, data: str) -> None:
        """Add what is said."""
        if not self._silent:
            self.add(data, data=True)


def in_one_space(text: str) -> str:
    """Return text with line ends and runs of space as one space each."""
    return _SPACES.sub(" ", text.replace("\n", " "))


def finished(parts: Iterable[str]) -> str:
    """Return parts as a text: no space around its lines, and at most one empty line at a time."""
    lines = (line.strip() for line in "".join(parts).split("\n"))
    return _LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"


def text_of(html: str) -> str:
    """Return what HTML says, as text: blocks on lines of their own, links with their address."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    return finished(reader.parts)
