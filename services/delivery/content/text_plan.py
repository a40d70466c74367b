"""The text part of a template that only places values, derived from its HTML once.

What ``text_of`` makes of the HTML with marks in the values' places is split at the marks. That is
allowed only where no value can change how the HTML is read, which is tried out with hostile ones;
and where what ``text_of`` decides by looking at values (a link that shows its own address) is
decided again for each recipient. Spaces in values fall together as they do in HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from typing import Final

from services.delivery.content.placing import (
    NotOrdinary,
    Pieces,
    Value,
    marked,
    marks_for,
    split_at,
    values_in,
)
from services.delivery.plain_text import Reader, finished, in_one_space

_HOSTILE: Final = "%s a=b/c\n<x y='z'>&\t\"=&amp; -"
_OPEN_ENTITY: Final = re.compile(r"&[^\s<&;]*$")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_COMMENT_EDGE: Final = frozenset("-!>")


@dataclass(frozen=True, slots=True)
class Difference:
    """What an address must not be, or it would not stand beside what its link shows.

    Attributes:
        address: the address: a value, or a fixed one.
        texts: what links to it show.
        beginnings: how that begins, where a value follows.
        values: values that are all that is shown.
    """

    address: Value | str
    texts: frozenset[str]
    beginnings: tuple[str, ...]
    values: tuple[Value, ...]

    def holds(self, values: Mapping[Value, str]) -> bool:
        """Whether the address is shown for this recipient."""
        address = self.address
        url = values[address] if isinstance(address, Value) else address
        return (
            url != ""
            and url[0] != "#"
            and url not in self.texts
            and not (self.beginnings and url.startswith(self.beginnings))
            and all(in_one_space(values[value]).strip() != url for value in self.values)
        )


@dataclass(frozen=True, slots=True)
class TextPlan:
    """The text part of a template.

    Attributes:
        pieces: the text when every value is plain: not empty, without space at its ends or twice.
        parts: what it is made of otherwise; those said to be data have their spaces put together.
        differences: what holds when links show their addresses as planned.
        shown: values that are both the address of a link and its text.
    """

    pieces: Pieces
    parts: tuple[tuple[Pieces, bool], ...]
    differences: tuple[Difference, ...]
    shown: frozenset[Value]

    def written(self, values: Mapping[Value, str]) -> str:
        """Return the text over values that need not be plain.

        Raises:
            NotOrdinary: the same value is a link's address and its text, and has spaces.
        """
        if any(not is_plain(values[value]) for value in self.shown):
            raise NotOrdinary
        texts = []
        for pieces, data in self.parts:
            text = "".join([values[p] if isinstance(p, Value) else p for p in pieces])
            texts.append(in_one_space(text) if data else text)
        return finished(texts)


def is_plain(text: str) -> bool:
    """Whether a value stands in the text part as it is, whatever is around it."""
    return (
        text.isprintable()
        and text != ""
        and text[0] != " "
        and text[-1] != " "
        and "  " not in text
    )


def text_plan(html: Pieces) -> TextPlan | None:
    """Return how the text of an HTML template is made; ``None`` when values decide its form."""
    values = values_in(html)
    texts = [piece for piece in html if isinstance(piece, str)]
    marks = marks_for(values, *texts)
    whole = marked(html, marks)
    if not _same_whatever_is_placed(html, whole, marks):
        return None
    reader = _Marked(marks)
    reader.feed(whole)
    reader.close()
    if not reader.known:
        return None
    normal = [in_one_space(text) if data else text for text, data in reader.marked_parts]
    return TextPlan(
        pieces=split_at(finished(normal), marks),
        parts=_joined([(split_at(text, marks), data) for text, data in reader.marked_parts]),
        differences=tuple(
            Difference(address, frozenset(to.texts), tuple(to.beginnings), tuple(to.values))
            for address, to in reader.differences.items()
        ),
        shown=frozenset(reader.shown),
    )


def _joined(parts: list[tuple[Pieces, bool]]) -> tuple[tuple[Pieces, bool], ...]:
    """Return parts with neighbours that hold no value made one."""
    found: list[tuple[Pieces, bool]] = []
    fixed = ""
    for pieces, data in parts:
        if all(isinstance(piece, str) for piece in pieces):
            text = "".join(str(piece) for piece in pieces)
            fixed += in_one_space(text) if data else text
            continue
        if fixed:
            found.append(((fixed,), False))
        found.append((pieces, data))
        fixed = ""
    return (*found, ((fixed,), False)) if fixed else tuple(found)


@dataclass(slots=True)
class _Differs:
    texts: set[str] = field(default_factory=set)
    beginnings: set[str] = field(default_factory=set)
    values: set[Value] = field(default_factory=set)


class _Marked(Reader):
    """Reads HTML with marks; keeps which parts are data, and what depends on values."""

    def __init__(self, marks: Mapping[Value, str]) -> None:
        super().__init__()
        self.marked_parts: list[tuple[str, bool]] = []
        self.differences: dict[Value | str, _Differs] = {}
        self.shown: set[Value] = set()
        self.known = True
        self._by_mark = {mark: value for value, mark in marks.items()}

    def add(self, text: str, *, data: bool = False) -> None:
        self.marked_parts.append((text, data))

    def last(self) -> str:
        if not self.marked_parts:
            return ""
        text, data = self.marked_parts[-1]
        return (in_one_space(text) if data else text).strip()

    def close_link(self, url: str) -> None:
        shown = self.last()
        if not url or url.startswith("#"):
            return
        if self._has_mark(url) or self._has_mark(shown):
            self._depends(url, shown)
        if shown != url:
            self.add(f" ({url})")

    def _depends(self, url: str, shown: str) -> None:
        address = self._by_mark.get(url, url)
        if isinstance(address, Value) and url == shown:
            self.shown.add(address)
            return
        fixed = self._before_mark(url)
        if not isinstance(address, Value) and fixed != url:
            # A fixed beginning that what is shown does not share keeps them apart.
            begun = self._before_mark(shown).strip()
            same = begun.startswith(fixed) or fixed.startswith(begun)
            self.known &= bool(fixed) and not same
            return
        differs = self.differences.setdefault(address, _Differs())
        begun = self._before_mark(shown).rstrip()
        if shown in self._by_mark:
            differs.values.add(self._by_mark[shown])
        elif begun == shown:
            differs.texts.add(shown)
        elif begun:
            differs.beginnings.add(begun)
        else:
            self.known = False

    def _before_mark(self, text: str) -> str:
        return text[
            : min([text.find(mark) for mark in self._by_mark if mark in text], default=None)
        ]

    def _has_mark(self, text: str) -> bool:
        return any(mark in text for mark in self._by_mark)


def _same_whatever_is_placed(html: Pieces, whole: str, marks: Mapping[Value, str]) -> bool:
    """Whether values stand only in text, in quoted attributes and inside comments."""
    for before, piece in zip(("", *html), html, strict=False):
        # "&" and "lt;" on both sides of the joint would become a character.
        if isinstance(piece, Value) and isinstance(before, str) and _OPEN_ENTITY.search(before):
            return False
    if "<!--" in _COMMENT.sub("", whole):
        # A comment without an end gets one by the value "--" before a ">".
        return False
    tame = _Events()
    tame.feed(whole)
    tame.close()
    hostile_marks = {
        value: escape(_HOSTILE % mark).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
        for value, mark in marks.items()
    }
    hostile = _Events()
    hostile.feed(marked(html, hostile_marks))
    hostile.close()
    found = [_tamed(event, marks, hostile_marks) for event in hostile.seen]
    if found != tame.seen:
        return False
    seen = "\n".join(tame.placed)
    placed = sum(whole.count(mark) for mark in marks.values())
    return placed == sum(seen.count(mark) for mark in marks.values()) and all(
        _inside(comment, whole, marks) for comment in tame.comments
    )


def _tamed(event: str, marks: Mapping[Value, str], hostile: Mapping[Value, str]) -> str:
    for value, mark in marks.items():
        event = event.replace(hostile[value], mark).replace(_HOSTILE % mark, mark)
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


class _Events(HTMLParser):
    """What a parser sees, as texts to compare."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self.placed: list[str] = []
        self.comments: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(f"<{tag}>")
        for name, value in attrs:
            self.seen.append(f"{name}={value}")
            self.placed.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.seen.append(data)
        self.placed.append(data)

    def handle_comment(self, data: str) -> None:
        self.seen.append(f"<!--{data}-->")
        self.placed.append(data)
        self.comments.append(data)

    def handle_decl(self, decl: str) -> None:
        self.seen.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.seen.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.seen.append(f"<![{data}]>")
