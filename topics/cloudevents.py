"""CloudEvents 1.0 in the Kafka protocol binding: binary mode out, binary and structured mode in.

Source: CloudEvents core specification 1.0.2 and its Kafka protocol binding (CNCF). Identity of a
message is the pair (source, id).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson
from pydantic import ValidationError

from topics.message import Message, message_type

SPEC_VERSION: Final = "1.0"
JSON: Final = "application/json"
STRUCTURED: Final = "application/cloudevents+json"
_REQUIRED: Final = ("id", "source", "type", "specversion")
_ATTRIBUTE_NAME: Final = re.compile(r"^[a-z0-9]{1,40}\Z")
_FIELD: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]{0,59}\Z")
_MAX_ATTRIBUTE: Final = 2048
_TRACEPARENT: Final = re.compile(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")

_KNOWN: Final = frozenset(
    {
        *_REQUIRED,
        *("time", "subject", "dataschema", "datacontenttype", "partitionkey"),
        *("correlationid", "causationid", "traceparent"),
    }
)
# What our own services send, spelt so: the common case costs one look-up.
_OURS: Final = {f"ce_{name}": name for name in _KNOWN} | {
    "content-type": "content-type",
    "traceparent": "traceparent",
}

Headers = Sequence[tuple[str, bytes]]


class Malformed(Exception):
    """The record is no CloudEvent of ours; ``str()`` gives the reason without the record's data."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The attributes of one CloudEvent and its undecoded data."""

    source: str
    id: str
    type: str
    time: datetime | None
    data: bytes
    subject: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    partition_key: str | None = None
    extensions: dict[str, str] = field(default_factory=dict)


def encode_headers(
    *,
    message: Message,
    key: str,
    source: str,
    message_id: str,
    time: str,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    traceparent: str | None = None,
) -> list[str]:
    """Return the binary-mode headers as ``[name, value, …]``, as the outbox keeps them.

    ``key`` is the record's key, ``time`` an RFC 3339 time.
    """
    headers = [
        "ce_specversion", SPEC_VERSION,
        "ce_id", message_id,
        "ce_source", source,
        "ce_type", message.ce_type,
        "ce_time", time,
        "ce_subject", key,
        "ce_dataschema", message.ce_schema,
        "ce_partitionkey", key,
        "content-type", JSON,
    ]  # fmt: skip
    if correlation_id:
        headers += ("ce_correlationid", correlation_id)
    if causation_id:
        headers += ("ce_causationid", causation_id)
    if traceparent:
        headers += ("traceparent", traceparent)
    return headers


def as_kafka_headers(flat: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return flattened headers as the pairs a Kafka client takes."""
    return [(flat[i], flat[i + 1].encode()) for i in range(0, len(flat), 2)]


def flatten_headers(headers: Headers) -> list[str]:
    """Return a record's headers as ``[name, value, …]``; bytes that are no UTF-8 are replaced."""
    flat: list[str] = []
    for name, value in headers:
        flat += (name, (value or b"").decode("utf-8", "replace").replace("\x00", "�"))
    return flat


def decode_envelope(headers: Headers, value: bytes | None) -> Envelope:
    """Return the envelope of a record in binary or structured mode.

    Raises:
        Malformed: an attribute is missing, too long, not UTF-8, or the body is no JSON.
    """
    attributes = _text_headers(headers)
    content_type = attributes.pop("content-type", JSON)
    if content_type != JSON:
        content_type = content_type.split(";")[0].strip().lower()
        if content_type == STRUCTURED:
            return _structured(value)
        if content_type not in {"", JSON}:
            raise Malformed(f"content-type {content_type[:60]!r} is not JSON")
    return _envelope(attributes, value or b"")


def decode_message(envelope: Envelope) -> Message:
    """Return the typed message of an envelope.

    Raises:
        Malformed: the type is not in the contract, or the data does not fit it; the reason names
            the fields and never repeats their values.
    """
    kind = message_type(envelope.type)
    if kind is None:
        raise Malformed(f"unknown message type {envelope.type[:100]!r}")
    try:
        return kind.model_validate_json(envelope.data)
    except ValidationError as problem:
        raise Malformed(f"{envelope.type}: {describe(problem)}") from None


def describe(problem: ValidationError) -> str:
    """Return what is wrong, field by field, without the values (they may be personal)."""
    errors = problem.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(
        f"{'.'.join(_place(part) for part in error['loc']) or 'body'}: {error['msg']}"
        for error in errors[:10]
    )


def _place(part: int | str) -> str:
    """Return a step of a path; a name that no field has may be anything, also an address."""
    return str(part) if isinstance(part, int) or _FIELD.match(part) else "(unknown)"


def _text_headers(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Return the CloudEvents attributes among the headers, without their prefix."""
    found: dict[str, str] = {}
    for name, raw in headers:
        attribute = _OURS.get(name) or _attribute(name)
        if attribute is None:
            continue
        if attribute in found:
            raise Malformed(f"header {name[:60]} appears twice")
        try:
            found[attribute] = (raw or b"").decode()
        except UnicodeDecodeError:
            raise Malformed(f"header {name[:60]} is not UTF-8") from None
    return found


def _attribute(name: str) -> str | None:
    lowered = name.lower()
    if lowered in {"content-type", "traceparent"}:
        return lowered
    return lowered.removeprefix("ce_") if lowered.startswith("ce_") else None


def _structured(value: bytes | None) -> Envelope:
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        raise Malformed("the structured event is no JSON") from None
    if not isinstance(body, dict):
        raise Malformed("the structured event is no JSON object")
    if "data_base64" in body:
        raise Malformed("data_base64 is not accepted: the data is JSON")
    try:
        data = orjson.dumps(body.pop("data", None))
    except orjson.JSONEncodeError:
        raise Malformed("the structured event's data is nested too deep") from None
    attributes: dict[str, str] = {}
    for name, attribute in body.items():
        if not isinstance(attribute, str | int | bool):
            raise Malformed(f"attribute {str(name)[:60]!r} is no string, number or boolean")
        attributes[str(name)] = str(attribute)
    return _envelope(attributes, data)


def _envelope(attributes: dict[str, str], data: bytes) -> Envelope:
    for name in _REQUIRED:
        if not attributes.get(name):
            raise Malformed(f"attribute {name!r} is missing")
    for name, text in attributes.items():
        if name not in _KNOWN and not _ATTRIBUTE_NAME.match(name):
            raise Malformed(f"attribute name {name[:60]!r} is not lower-case letters and digits")
        if len(text) > _MAX_ATTRIBUTE or "\x00" in text:
            raise Malformed(f"attribute {name!r} is too long or holds a NUL")
    if attributes["specversion"] != SPEC_VERSION:
        raise Malformed(f"specversion {attributes['specversion'][:20]!r} is not {SPEC_VERSION}")
    get = attributes.get
    trace = get("traceparent")
    return Envelope(
        source=attributes["source"],
        id=attributes["id"],
        type=attributes["type"],
        time=_time(get("time")),
        data=data,
        subject=get("subject"),
        correlation_id=get("correlationid"),
        causation_id=get("causationid"),
        traceparent=trace if trace and _TRACEPARENT.match(trace) else None,
        partition_key=get("partitionkey"),
        extensions={name: text for name, text in attributes.items() if name not in _KNOWN},
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed("attribute 'time' is no RFC 3339 time") from None
    if time.tzinfo is None:
        raise Malformed("attribute 'time' has no zone")
    return time
