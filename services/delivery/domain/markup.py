"""What the checks of a message read in its HTML: links, pictures, anchors, what mail strips."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

ACTIVE: Final = frozenset({"script", "form", "iframe", "object", "embed", "video", "audio"})
_SILENT: Final = frozenset({"style", "script", "title", "template"})


@dataclass(slots=True)
class Link:
    """A link: where it leads, and whether a reader sees or hears anything of it."""

    target: str
    is_labelled: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: where it lies; ``alt`` is ``None`` without the attribute, empty for decoration."""

    source: str
    alt: str | None


@dataclass(slots=True)
class Markup:
    """What stands in a message's HTML, in order."""

    links: list[Link] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    active: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Markup()
        self._open: Link | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in reversed(attrs)}
        self.found.anchors.update(filter(None, (values.get("id"), values.get("name"))))
        self._label(values.get("aria-label", "") or values.get("title", ""))
        if tag in _SILENT:
            self._silent += 1
        if tag in ACTIVE:
            self.found.active.append(tag)
        if tag in {"a", "area"} and "href" in values:
            link = Link(values["href"].strip())
            self.found.links.append(link)
            # An area of a picture's map is closed as it opens.
            self._open = link if tag == "a" else None
            link.is_labelled = bool(
                (values.get("aria-label") or values.get("title") or values.get("alt", "")).strip()
            )
        elif tag == "img":
            self.found.pictures.append(Picture(values.get("src", "").strip(), values.get("alt")))
            self._label(values.get("alt", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "a":
            self._open = None

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._label(data)

    def _label(self, text: str) -> None:
        if self._open is not None and text.strip():
            self._open.is_labelled = True


def read(html: str) -> Markup:
    """Return what stands in HTML; what is no HTML is read as browsers read it."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found
