"""The published documents: up to date, complete, and breaking nobody."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.contract.compatibility import breaks
from tests.contract.freeze import PUBLISHED
from topics.catalogue import catalogue
from topics.names import TOPICS
from topics.schema import ASYNCAPI, OUTSIDE, SCHEMAS, files, schemas

REMEDY = "run: python -m topics.schema"


def test_the_checked_in_documents_are_up_to_date() -> None:
    wanted = files()
    stale = [path.name for path, body in wanted.items() if path.read_bytes() != body]
    assert not stale, REMEDY
    assert {path for path in SCHEMAS.glob("*.json") if path not in wanted} == set(), REMEDY


def test_every_message_stands_in_asyncapi_on_its_topic() -> None:
    document = orjson.loads(ASYNCAPI.read_bytes())
    for name, kind in catalogue().items():
        assert document["components"]["messages"][name]["title"] == kind.__name__
        assert name in document["channels"][kind.topic.name]["messages"]
    for topic in TOPICS:
        if topic.intake:
            assert OUTSIDE in document["channels"][topic.name]["messages"]
            assert f"receive.{topic.name}" in document["operations"]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_of_asyncapi_leads_somewhere() -> None:
    document = orjson.loads(ASYNCAPI.read_bytes())
    found = list(references(document))
    assert found
    for reference in found:
        if reference.startswith("./"):
            assert (ASYNCAPI.parent / reference).is_file(), reference
            continue
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_message_says_what_it_is() -> None:
    bare = [name for name, schema in schemas().items() if not schema.get("description")]
    assert bare == []


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_published_is_not_broken(path: Path) -> None:
    current = SCHEMAS / path.name
    assert current.exists(), "a published message was removed: readers still have it in topics"
    assert breaks(orjson.loads(path.read_bytes()), orjson.loads(current.read_bytes())) == []


def test_every_message_was_published() -> None:
    missing = set(schemas()) - {path.stem for path in PUBLISHED.glob("*.json")}
    assert not missing, "run: python -m tests.contract.freeze"


OLD: dict[str, Any] = {
    "$defs": {
        "Part": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 20}},
            "required": ["name"],
        },
        "State": {"type": "string", "enum": ["new", "done"]},
    },
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "count": {"type": "integer", "minimum": 0, "maximum": 100},
        "state": {"$ref": "#/$defs/State"},
        "parts": {"type": "array", "maxItems": 9, "items": {"$ref": "#/$defs/Part"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "pair": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
    },
    "required": ["id", "count"],
}


def changed(*steps: str | int, to: Any = None) -> dict[str, Any]:
    """Return the old schema with the value at a path replaced, or removed."""
    schema = deepcopy(OLD)
    node: Any = schema
    for step in steps[:-1]:
        node = node[step]
    if to is None:
        del node[steps[-1]]
    else:
        node[steps[-1]] = to
    return schema


BREAKING = {
    "data.count was removed": changed("properties", "count"),
    "data.note is required now": changed("required", to=["id", "count", "note"]),
    "data.count is string instead of integer": changed("properties", "count", "type", to="string"),
    "data.count: maximum is 99 instead of 100": changed("properties", "count", "maximum", to=99),
    "data.count: minimum is 1 instead of 0": changed("properties", "count", "minimum", to=1),
    "data.id: format is date instead of uuid": changed("properties", "id", "format", to="date"),
    "data.state takes no ['new'] any more": changed("$defs", "State", "enum", to=["done"]),
    "data.parts: maxItems is 8 instead of 9": changed("properties", "parts", "maxItems", to=8),
    "data.parts[].name was removed": changed("$defs", "Part", "properties", "name"),
    "data.parts[].name: maxLength is 19 instead of 20": changed(
        "$defs", "Part", "properties", "name", "maxLength", to=19
    ),
    "data.note is string instead of null": changed("properties", "note", to={"type": "string"}),
    "data.pair[1] is integer instead of string": changed(
        "properties", "pair", "prefixItems", 1, "type", to="integer"
    ),
    "data.pair has 1 parts instead of 2": changed(
        "properties", "pair", "prefixItems", to=[{"type": "integer"}]
    ),
}
HARMLESS = {
    "nothing": deepcopy(OLD),
    "an optional field more": changed("properties", "more", to={"type": "string"}),
    "a field no longer required": changed("required", to=["id"]),
    "a value more": changed("$defs", "State", "enum", to=["new", "done", "lost"]),
    "a wider limit": changed("properties", "count", "maximum", to=1000),
    "no limit": changed("properties", "count", "maximum"),
    "a number for an integer": changed("properties", "count", "type", to="number"),
    "may be null now": changed(
        "properties", "id", to={"anyOf": [OLD["properties"]["id"], {"type": "null"}]}
    ),
}


@pytest.mark.parametrize("reason", BREAKING)
def test_a_breaking_change_is_found_and_named(reason: str) -> None:
    assert breaks(OLD, BREAKING[reason]) == [reason]


@pytest.mark.parametrize("change", HARMLESS)
def test_a_harmless_change_is_none(change: str) -> None:
    assert breaks(OLD, HARMLESS[change]) == []


def test_a_real_message_that_loses_a_field_is_found() -> None:
    name = "muster.budget.reserve_funds.v1"
    schema = schemas()[name]
    narrowed = deepcopy(schema)
    del narrowed["properties"]["budget_id"]
    assert breaks(schema, narrowed) == ["data.budget_id was removed"]
