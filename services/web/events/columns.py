"""The one rule by which a row of columns (CSV, Parquet) becomes an event in JSON.

A column is a field of the event, ``ctx`` whole (an object, or JSON of one), or ``ctx.…`` with the
path of one value in it. A cell that is empty or null says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json

from services.web.events.reading import NotRead, PushedEvent, Unreadable

CTX: Final = "ctx"
PATH: Final = "ctx."
FIELDS: Final = frozenset(PushedEvent.model_fields) - {CTX}
_SHOWN: Final = 60


def check_columns(names: Sequence[str]) -> None:
    """Let pass the columns of a file of events.

    Raises:
        NotRead: there is none for the type, one is not known, twice there, or inside another.
    """
    fields = ", ".join(sorted(FIELDS - {"type"}))
    if "type" not in names:
        raise NotRead(422, f"the file has no column type (others: {fields}, ctx, ctx.…)")
    for name in names:
        path = name.split(".")
        if name not in FIELDS and (path[0] != CTX or not all(path)):
            known = f"columns are type, {fields}, ctx, ctx.…"
            raise NotRead(422, f"column {name[:_SHOWN]!r} is not known: {known}")
        if names.count(name) > 1:
            raise NotRead(422, f"column {name[:_SHOWN]!r} is there twice")
        above = next((one for one in _above(path) if one in names), None)
        if above is not None:
            raise NotRead(422, f"column {name[:_SHOWN]!r} is inside {above[:_SHOWN]!r}: name one")


def _above(path: Sequence[str]) -> Iterable[str]:
    return (".".join(path[:end]) for end in range(1, len(path)))


def event_line(cells: Iterable[tuple[str, Any]]) -> bytes | Unreadable:
    """Return a row as a line of JSON; what is wrong in it is left for the contract to tell."""
    found: dict[str, Any] = {}
    for name, value in cells:
        if value is None or value == "":
            continue
        if name == CTX and isinstance(value, str):
            try:
                found[CTX] = from_json(value)
            except ValueError:
                return Unreadable(CTX, "is no JSON, or nested too deep", value.encode())
        elif name in FIELDS:
            found[name] = _as_text(value)
        else:
            _put(found, name.split("."), value)
    try:
        text = json.dumps(found, default=written, ensure_ascii=False, separators=(",", ":"))
        return text.encode()
    except UnicodeEncodeError:
        return Unreadable(None, "holds what is no text", repr(found).encode())


def _put(found: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *above, last = path
    for part in above:
        found = found.setdefault(part, {})
    found[last] = value


def _as_text(value: Any) -> Any:
    """Return a field's value; the numbers of a column of numbers (``external_id``) as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def written(value: object) -> str:
    """Return what JSON has no type for as text: decimals keep their digits, times are ISO 8601.

    Raises:
        TypeError: it is none of those.
    """
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    message = f"{type(value).__name__} is no type of an event"
    raise TypeError(message)
