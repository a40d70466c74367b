"""Whether a schema still takes everything an older one took, and keeps what readers rely on.

Older messages stay in topics, outboxes and stored answers, so a newer reader must take them; and a
field that older readers know must not vanish. Adding an optional field, or a value to an enum, is
allowed: readers are brought up to date before writers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
EXACT: Final = ("pattern", "format", "multipleOf", "uniqueItems")


def breaks(old: Json, new: Json) -> list[str]:
    """Return what a newer schema breaks, each with its field; empty when nothing."""
    return list(_Comparison(old, new, set()).of(old, new, "data"))


@dataclass(frozen=True, slots=True)
class _Comparison:
    old_root: Json
    new_root: Json
    seen: set[tuple[str, str]]

    def of(self, old: Json, new: Json, where: str) -> Iterator[str]:
        """Yield what is broken between two schemas of one place."""
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if all(pair):
            if pair in self.seen:
                return
            self.seen.add(pair)
        old_ones = _alternatives(old, self.old_root)
        new_ones = _alternatives(new, self.new_root)
        for one in old_ones:
            found = [list(self._single(one, other, where)) for other in new_ones]
            if all(found):
                yield from min(found, key=len)

    def _single(self, old: Json, new: Json, where: str) -> Iterator[str]:
        yield from _types(old, new, where)
        yield from _values(old, new, where)
        yield from _limits(old, new, where)
        yield from self._fields(old, new, where)
        yield from self._items(old, new, where)

    def _fields(self, old: Json, new: Json, where: str) -> Iterator[str]:
        known, fields = old.get("properties", {}), new.get("properties", {})
        for name in known:
            if name not in fields:
                yield f"{where}.{name} was removed"
            else:
                yield from self.of(known[name], fields[name], f"{where}.{name}")
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{where}.{name} is required now"
        if old.get("additionalProperties", True) and not new.get("additionalProperties", True):
            yield f"{where} takes no other fields now"

    def _items(self, old: Json, new: Json, where: str) -> Iterator[str]:
        if "items" in old and "items" in new:
            yield from self.of(old["items"], new["items"], f"{where}[]")
        old_parts, new_parts = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(old_parts) != len(new_parts):
            yield f"{where} has {len(new_parts)} parts instead of {len(old_parts)}"
        for index, (one, other) in enumerate(zip(old_parts, new_parts, strict=False)):
            yield from self.of(one, other, f"{where}[{index}]")


def _alternatives(schema: Json, root: Json) -> list[Json]:
    if "$ref" in schema:
        return _alternatives(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return [found for one in schema["anyOf"] for found in _alternatives(one, root)]
    return [schema]


def _types(old: Json, new: Json, where: str) -> Iterator[str]:
    before, after = old.get("type"), new.get("type")
    fits = after is None or before == after or (before, after) == ("integer", "number")
    if not fits:
        yield f"{where} is {after} instead of {before or 'anything'}"


def _values(old: Json, new: Json, where: str) -> Iterator[str]:
    before, after = _listed(old), _listed(new)
    if after is not None and before is None:
        yield f"{where} takes only {sorted(after)} now"
    elif after is not None and before is not None and before - after:
        yield f"{where} takes no {sorted(before - after)} any more"


def _listed(schema: Json) -> set[str] | None:
    if "const" in schema:
        return {str(schema["const"])}
    return {str(one) for one in schema["enum"]} if "enum" in schema else None


def _limits(old: Json, new: Json, where: str) -> Iterator[str]:
    for name in UPPER:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{where}: {name} is {new[name]} instead of {old.get(name, 'none')}"
    for name in LOWER:
        if name in new and (name not in old or new[name] > old[name]):
            yield f"{where}: {name} is {new[name]} instead of {old.get(name, 'none')}"
    for name in EXACT:
        if name in new and new[name] != old.get(name):
            yield f"{where}: {name} is {new[name]} instead of {old.get(name, 'none')}"
