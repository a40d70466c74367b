"""Sample data made from a JSON Schema: every field set, the same on every run."""

from __future__ import annotations

from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

Json = dict[str, Any]

TIME: Final = "2026-03-14T08:30:00Z"
TEXT: Final = {
    "^[A-Z]{3}$": "EUR",
    "^(en|fr)$": "fr",
    "^email$": "email",
    "^(html|text)$": "text",
    "^(email|sms|webhook)$": "sms",
    r"^[A-Z0-9_-]{1,20}$": "CALL-1",
    r"^(-?[1-5])?(mo|tu|we|th|fr|sa|su)$": "-1fr",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": "08:30",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]$": "2026-03-14T08:30",
    r"^[0-9a-f]{64}$": "5" * 64,
    r"^(site|contact|deal)\.[a-z_]{1,40}$": "site.country",
}
FORMATS: Final = {"date-time": TIME, "date": "2026-03-14", "email": "someone@example.org"}


def sample(schema: Json) -> Any:
    """Return data that a schema accepts; field names make ids and texts tell themselves apart.

    Raises:
        KeyError: a pattern without an example; add one to ``TEXT``.
    """
    return _sample(schema, schema, "")


def _sample(schema: Json, root: Json, name: str) -> Any:
    if "$ref" in schema:
        return _sample(root["$defs"][schema["$ref"].rpartition("/")[2]], root, name)
    if "anyOf" in schema:
        real = [one for one in schema["anyOf"] if one.get("type") != "null"]
        is_decimal = {"number", "string"} <= {one.get("type") for one in real}
        return "0.13" if is_decimal else _sample(real[0], root, name)
    for fixed in ("const", "enum"):
        if fixed in schema:
            return schema["const"] if fixed == "const" else schema["enum"][0]
    return _by_type(schema, root, name)


def _by_type(schema: Json, root: Json, name: str) -> Any:
    kind = schema.get("type", "object")
    if kind == "object":
        fields = schema.get("properties", {})
        return {field: _sample(part, root, field) for field, part in fields.items()}
    if kind == "array":
        parts = schema.get("prefixItems") or [schema["items"]]
        return [_sample(part, root, name) for part in parts]
    if kind == "string":
        return _text(schema, name)
    return _number(schema) if kind in {"integer", "number"} else True


def _text(schema: Json, name: str) -> str:
    if schema.get("format") == "uuid":
        return str(uuid5(NAMESPACE_URL, name))
    if "format" in schema:
        return FORMATS[schema["format"]]
    if "pattern" in schema:
        return TEXT[schema["pattern"]]
    return f"a {name.replace('_', ' ')}"[: schema.get("maxLength", 200)]


def _number(schema: Json) -> int:
    least = schema.get("minimum", schema.get("exclusiveMinimum", 1) + 1)
    return int(max(least, 2))
