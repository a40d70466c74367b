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
_ATTRIBUTE_NAME: Final = re.compile(r"^[a-z0-9]{1,40}$")
_MAX_ATTRIBUTE: Final = 2048
_TRACEPARENT: Final = re.compile(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")

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
    source: str,
    message_id: str,
    time: datetime,
    correlation_id: str | None,
    causation_id: str | None,
    traceparent: str | None,
) -> list[str]:
    """Return the binary-mode headers as ``[name, value, …]``, as the outbox keeps them."""
    headers = [
        "ce_specversion", SPEC_VERSION,
        "ce_id", message_id,
        "ce_source", source,
        "ce_type", message.ce_type,
        "ce_time", time.isoformat(),
        "ce_subject", message.partition_key,
        "ce_dataschema", f"/schemas/{message.ce_type}.json",
        "ce_partitionkey", message.partition_key,
        "content-type", JSON,
    ]  # fmt: skip
    optional = (
        ("ce_correlationid", correlation_id),
        ("ce_causationid", causation_id),
        ("traceparent", traceparent),
    )
    for name, value in optional:
        if value:
            headers += (name, value)
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
    content_type = attributes.get("content-type", "").split(";")[0].strip().lower()
    if content_type == STRUCTURED:
        return _structured(value)
    if content_type not in {"", JSON}:
        raise Malformed(f"content-type {content_type[:60]!r} is not JSON")
    ce = {name[3:]: text for name, text in attributes.items() if name.startswith("ce_")}
    if "traceparent" in attributes:
        ce.setdefault("traceparent", attributes["traceparent"])
    return _envelope(ce, value or b"")


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
        f"{'.'.join(str(part) for part in error['loc']) or 'body'}: {error['msg']}"
        for error in errors[:10]
    )


def _text_headers(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, raw in headers:
        lowered = name.lower()
        if not lowered.startswith("ce_") and lowered not in {"content-type", "traceparent"}:
            continue
        if lowered in found:
            raise Malformed(f"header {lowered[:60]} appears twice")
        try:
            found[lowered] = (raw or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed(f"header {lowered[:60]} is not UTF-8") from None
    return found


def _structured(value: bytes | None) -> Envelope:
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        raise Malformed("the structured event is no JSON") from None
    if not isinstance(body, dict):
        raise Malformed("the structured event is no JSON object")
    if "data_base64" in body:
        raise Malformed("data_base64 is not accepted: the data is JSON")
    data = orjson.dumps(body.pop("data", None))
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
        if not _ATTRIBUTE_NAME.match(name):
            raise Malformed(f"attribute name {name[:60]!r} is not lower-case letters and digits")
        if len(text) > _MAX_ATTRIBUTE or "\x00" in text:
            raise Malformed(f"attribute {name!r} is too long or holds a NUL")
    if attributes["specversion"] != SPEC_VERSION:
        raise Malformed(f"specversion {attributes['specversion'][:20]!r} is not {SPEC_VERSION}")
    trace = attributes.get("traceparent")
    known = {*_REQUIRED, "time", "subject", "dataschema", "correlationid", "causationid"}
    known |= {"traceparent", "partitionkey", "datacontenttype"}
    return Envelope(
        source=attributes["source"],
        id=attributes["id"],
        type=attributes["type"],
        time=_time(attributes.get("time")),
        data=data,
        subject=attributes.get("subject"),
        correlation_id=attributes.get("correlationid"),
        causation_id=attributes.get("causationid"),
        traceparent=trace if trace and _TRACEPARENT.match(trace) else None,
        partition_key=attributes.get("partitionkey"),
        extensions={name: text for name, text in attributes.items() if name not in known},
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
