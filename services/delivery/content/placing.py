"""Templates that only place values: ``Hi {{ contact.first_name }}``, without filter or condition.

Nearly all mails of a campaign are such. Their parts are prepared once, so that a recipient costs a
few look-ups and a join; any other template, and any value out of the ordinary, is left to Jinja2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from jinja2 import Environment, nodes

LONGEST_VALUE: Final = 10_000
"""Characters; a longer value is left to the path that counts what it makes."""


class Value(tuple[str, ...]):
    """A value to place: ``contact.first_name`` is ``("contact", "first_name")``."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """How an author writes it."""
        return ".".join(self)


Pieces = tuple[str | Value, ...]


class NotOrdinary(Exception):
    """A recipient's data are missing, or of a kind that only Jinja2 knows how to place."""


def pieces_of(environment: Environment, source: str, names: Iterable[str]) -> Pieces | None:
    """Return the text and the values of a template; ``None`` when it does more than place.

    Args:
        environment: whose syntax the template is written in.
        source: the template.
        names: the variables that messages have.
    """
    known = frozenset(names)
    found: list[str | Value] = []
    for output in environment.parse(source).body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                found.append(node.data)
                continue
            path = _path(node)
            if path is None or path[0] not in known:
                return None
            found.append(Value(path))
    return tuple(found)


def _path(node: nodes.Node) -> tuple[str, ...] | None:
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        before, step = _path(node.node), node.attr
        # Jinja2 prefers an attribute of Python's own: ``ctx.items`` is a method.
        if hasattr(dict, step):
            return None
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        before, step = _path(node.node), node.arg.value
        if not isinstance(step, str):
            return None
    else:
        return None
    return (*before, step) if before is not None else None


def values_in(*sources: Pieces | None) -> tuple[Value, ...]:
    """Return the values that any of the sources places, each once."""
    found = [piece for pieces in sources for piece in pieces or () if isinstance(piece, Value)]
    return tuple(dict.fromkeys(found))


def look_up(value: Value, variables: Mapping[str, Any]) -> str:
    """Return a recipient's value as text, as Jinja2 would write it.

    Raises:
        NotOrdinary: it is missing, very long, or holds a carriage return.
    """
    found: Any = variables
    for step in value:
        # Only dictionaries: what Jinja2 makes of an attribute of a text or a list is its own.
        if type(found) is not dict or step not in found:
            raise NotOrdinary
        found = found[step]
    text = found if type(found) is str else str(found)
    if len(text) > LONGEST_VALUE or "\r" in text or text[-1:] == "\n":
        raise NotOrdinary
    return text


def marked(pieces: Pieces, marks: Mapping[Value, str]) -> str:
    """Return the text with a mark in each value's place."""
    return "".join(piece if isinstance(piece, str) else marks[piece] for piece in pieces)


def split_at(text: str, marks: Mapping[Value, str]) -> Pieces:
    """Return the pieces of a marked text."""
    found: Pieces = (text,)
    for value, mark in marks.items():
        found = tuple(part for piece in found for part in _split(piece, mark, value))
    return found


def _split(piece: str | Value, mark: str, value: Value) -> list[str | Value]:
    if not isinstance(piece, str):
        return [piece]
    texts = piece.split(mark)
    found: list[str | Value] = [texts[0]] if texts[0] else []
    for text in texts[1:]:
        found.append(value)
        if text:
            found.append(text)
    return found


def marks_for(values: Iterable[Value], *texts: str) -> dict[Value, str]:
    """Return a mark for each value: letters and digits that stand in none of the texts."""
    stem = "qz"
    while any(stem in text.lower() for text in texts):
        stem += "jx"
    return {value: f"{stem}{i}z" for i, value in enumerate(values)}
