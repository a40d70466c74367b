"""Whether values can change how HTML is read: tried out with hostile ones in their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Final

from markupsafe import escape

from services.delivery.content.placing import Pieces, Value, marked

_HOSTILE: Final = "%s a=b/c\n<x y='z'>&\t\"=&amp; -"
_OPEN_ENTITY: Final = re.compile(r"&[^\s<&;]*$")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_COMMENT_EDGE: Final = frozenset("-!>")


def same_whatever_is_placed(html: Pieces, marks: Mapping[Value, str]) -> bool:
    """Whether values stand only in text, in quoted attributes and inside comments."""
    for before, piece in zip(("", *html), html, strict=False):
        # "&" and "lt;" on both sides of the joint would become a character.
        if isinstance(piece, Value) and isinstance(before, str) and _OPEN_ENTITY.search(before):
            return False
    whole = marked(html, marks)
    if "<!--" in _COMMENT.sub("", whole):
        # A comment without an end gets one by the value "--" before a ">".
        return False
    if not read_alike(html, marks, lambda text: text):
        return False
    tame = read(whole)
    seen = "\n".join(tame.placed)
    placed = sum(whole.count(mark) for mark in marks.values())
    return placed == sum(seen.count(mark) for mark in marks.values()) and all(
        _inside(comment, whole, marks) for comment in tame.comments
    )


def read_alike(html: Pieces, marks: Mapping[Value, str], make: Callable[[str], str]) -> bool:
    """Whether what is made of the HTML is read the same with marks and with hostile values."""
    hostile = {value: _HOSTILE % mark for value, mark in marks.items()}
    escaped = {value: str(escape(text)) for value, text in hostile.items()}
    found = read(make(marked(html, escaped))).seen
    return read(make(marked(html, marks))).seen == [
        _tamed(event, marks, (hostile, escaped)) for event in found
    ]


def _tamed(event: str, marks: Mapping[Value, str], hostile: tuple[Mapping[Value, str], ...]) -> str:
    for texts in hostile:
        for value, mark in marks.items():
            event = event.replace(texts[value], mark)
    return event


def _inside(comment: str, whole: str, marks: Mapping[Value, str]) -> bool:
    """Whether no value can end or begin a comment."""
    found = [mark for mark in marks.values() if mark in comment]
    if not found:
        return True
    edges = {
        side
        for mark in found
        for text in comment.split(mark)
        for side in (text[:1], text[-1:])
        if side
    }
    alone = comment.startswith(tuple(found)) or comment.endswith(tuple(found))
    return f"<!--{comment}-->" in whole and not alone and not edges & _COMMENT_EDGE


class Events(HTMLParser):
    """What a parser sees, as texts to compare.

    Attributes:
        placed: texts and attributes' values, where a value may stand.
        styles: what stands in style elements.
        attributes: names and values of attributes.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self.placed: list[str] = []
        self.comments: list[str] = []
        self.styles: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its attributes."""
        self.seen.append(f"<{tag}>")
        for name, value in attrs:
            self.seen.append(f"{name}={value}")
            self.placed.append(value or "")
            self.attributes.append((name, value or ""))

    def handle_endtag(self, tag: str) -> None:
        """Note a tag's end."""
        self.seen.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.seen.append(data)
        self.placed.append(data)
        if self.cdata_elem == "style":
            self.styles.append(data)

    def handle_comment(self, data: str) -> None:
        """Note a comment."""
        self.seen.append(f"<!--{data}-->")
        self.placed.append(data)
        self.comments.append(data)

    def handle_decl(self, decl: str) -> None:
        """Note a document type."""
        self.seen.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        """Note a processing instruction."""
        self.seen.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        """Note a section of another kind."""
        self.seen.append(f"<![{data}]>")


def read(html: str) -> Events:
    """Return what a parser sees in HTML."""
    found = Events()
    found.feed(html)
    found.close()
    return found
