"""The text part of a template that only places values, derived from its HTML once.

What ``text_of`` makes of the HTML with marks in the values' places is split at the marks. That is
allowed only where no value can change how the HTML is read, which is tried out with hostile ones;
and where what ``text_of`` decides by looking at values (a link that shows its own address) is
decided again for each recipient. Spaces in values fall together as they do in HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.delivery.content.placing import (
    NotOrdinary,
    Pieces,
    Value,
    marked,
    marks_for,
    split_at,
    values_in,
)
from services.delivery.content.structure import same_whatever_is_placed
from services.delivery.plain_text import Reader, finished, in_one_space


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


Parts = tuple[tuple[Pieces, bool], ...]
"""What a text is made of; parts said to be data have their spaces put together."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that holds values."""

    parts: Parts

    def written(self, values: Mapping[Value, str]) -> str:
        """Return the line.

        Raises:
            NotOrdinary: it is empty or becomes several, and so changes the lines around it.
        """
        line = "".join(_written(self.parts, values)).strip()
        if not line or "\n" in line:
            raise NotOrdinary
        return line


@dataclass(frozen=True, slots=True)
class TextPlan:
    r"""The text part of a template.

    Attributes:
        pieces: the text when every value is plain: not empty, without space at its ends or twice.
        lines: the text otherwise, unless a line of values gets empty; other lines end in "\n".
        parts: what it is made of even then.
        differences: what holds when links show their addresses as planned.
        shown: values that are both the address of a link and its text.
    """

    pieces: Pieces
    lines: tuple[str | Line, ...]
    parts: Parts
    differences: tuple[Difference, ...]
    shown: frozenset[Value]

    def shows_addresses(self, values: Mapping[Value, str]) -> bool:
        """Whether links show their addresses as planned."""
        return all(one.holds(values) for one in self.differences) and all(
            is_plain(values[value]) for value in self.shown
        )

    def written(self, values: Mapping[Value, str]) -> str:
        """Return the text, whatever its values."""
        return finished(_written(self.parts, values))


def _written(parts: Parts, values: Mapping[Value, str]) -> Iterable[str]:
    for pieces, data in parts:
        text = "".join([values[p] if isinstance(p, Value) else p for p in pieces])
        yield in_one_space(text) if data else text


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
    if not same_whatever_is_placed(html, marks):
        return None
    reader = _Marked(marks)
    reader.feed(whole)
    reader.close()
    if not reader.known:
        return None
    normal = [in_one_space(text) if data else text for text, data in reader.marked_parts]
    text = finished(normal)
    parts = tuple((split_at(text, marks), data) for text, data in reader.marked_parts)
    return TextPlan(
        pieces=split_at(text, marks),
        lines=_lines(text, parts, marks),
        parts=_joined(parts),
        differences=tuple(
            Difference(address, frozenset(to.texts), tuple(to.beginnings), tuple(to.values))
            for address, to in reader.differences.items()
        ),
        shown=frozenset(reader.shown),
    )


def _lines(text: str, parts: Parts, marks: Mapping[Value, str]) -> tuple[str | Line, ...]:
    """Return the text's lines, those with values as they are made."""
    made = iter(_lines_with_values(parts))
    found: list[str | Line] = []
    fixed = ""
    for line in text.removesuffix("\n").split("\n"):
        if not any(mark in line for mark in marks.values()):
            fixed += line + "\n"
            continue
        if fixed:
            found.append(fixed)
        found.append(next(made))
        fixed = ""
    return (*found, fixed) if fixed else tuple(found)


def _lines_with_values(parts: Parts) -> Iterable[Line]:
    """Yield the lines that hold values, in order; in data, a line's end is a space."""
    line: list[tuple[Pieces, bool]] = []
    for pieces, data in parts:
        if data:
            line.append((pieces, data))
            continue
        for piece in pieces:
            ended, *more = piece.split("\n") if isinstance(piece, str) else [piece]
            line.append(((ended,), False))
            for begun in more:
                yield from _with_values(line)
                line = [((begun,), False)]
    yield from _with_values(line)


def _with_values(line: list[tuple[Pieces, bool]]) -> Iterable[Line]:
    if any(isinstance(piece, Value) for pieces, _ in line for piece in pieces):
        yield Line(_joined(line))


def _joined(parts: Iterable[tuple[Pieces, bool]]) -> Parts:
    """Return parts with neighbours that hold no value made one."""
    found: list[tuple[Pieces, bool]] = []
    fixed = ""
    for pieces, data in parts:
        if not any(isinstance(piece, Value) for piece in pieces):
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
