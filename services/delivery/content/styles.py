"""Style sheets moved into the elements: once per content where values cannot change the outcome."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import css_inline

from services.delivery.content.placing import Value, marked, marks_for, pieces_of, values_in
from services.delivery.content.sources import HTML
from services.delivery.content.structure import Events, read, read_alike, same_whatever_is_placed

InlineError: Final = css_inline.InlineError
_inliner = css_inline.CSSInliner(
    load_remote_stylesheets=False, keep_style_tags=True, keep_at_rules=True
)
_SELECTED: Final = frozenset({"class", "id", "style"})
_BRACES: Final = ("{{", "{%", "{#")


def inlined(html: str) -> str:
    """Return HTML with its style sheets' rules in its elements; nothing is fetched.

    Raises:
        InlineError: a style cannot be read.
    """
    result: str = _inliner.inline(html)
    return result


def inlined_template(template: str, names: Collection[str]) -> str | None:
    """Return a template with its styles in its elements.

    ``None`` when that has to wait for the values: because it does more than place them, or because
    styles are chosen by them.
    """
    pieces = pieces_of(HTML, template, names)
    if pieces is None or any(_reads_as_jinja(piece) for piece in pieces):
        return None
    marks = marks_for(values_in(pieces), *(p for p in pieces if isinstance(p, str)))
    whole = marked(pieces, marks)
    if not same_whatever_is_placed(pieces, marks) or _chosen_by_values(read(whole), marks.values()):
        return None
    try:
        if not read_alike(pieces, marks, inlined):
            return None
    except InlineError:
        return None
    result = inlined(whole)
    if _places(result, marks.values()) != _places(whole, marks.values()):
        return None
    for value, mark in marks.items():
        result = result.replace(mark, "{{ " + _written(value) + " }}")
    return result


def _reads_as_jinja(piece: str | Value) -> bool:
    return isinstance(piece, str) and any(braces in piece for braces in _BRACES)


def _chosen_by_values(seen: Events, marks: Collection[str]) -> bool:
    """Whether a selector could choose by what is placed."""
    sheet = "".join(seen.styles)
    if any(mark in sheet for mark in marks) or ":empty" in sheet:
        return True
    placed = {name for name, value in seen.attributes if any(mark in value for mark in marks)}
    return bool(placed & _SELECTED) or bool(placed and "[" in sheet)


def _places(html: str, marks: Collection[str]) -> list[tuple[str, str]]:
    """Return where marks stand: each after which tag. Text between a table's rows is moved out."""
    found, tag = [], "<body>"
    for event in read(html).seen:
        if event.startswith("<") and event.endswith(">") and event != "<tbody>":
            tag = event
        found += [(tag, mark) for mark in marks if mark in event]
    return found


def _written(value: Value) -> str:
    first, *steps = value
    return first + "".join(
        f".{step}" if step.isidentifier() and not hasattr(dict, step) else f"[{step!r}]"
        for step in steps
    )
