"""Whatever arrives is a message or malformed; nothing else is ever raised."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from topics.catalogue import catalogue
from topics.cloudevents import STRUCTURED, Malformed, decode_envelope, decode_message

NAMES = ["id", "source", "type", "specversion", "time", "subject", "traceparent", "x", "data"]
JSON_DATA: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=20,
)
TYPES = st.sampled_from(sorted(catalogue())) | st.text(max_size=30)
HEADER = st.tuples(
    st.sampled_from([f"ce_{name}" for name in NAMES] + ["content-type", "traceparent"])
    | st.text(max_size=12),
    st.binary(max_size=40) | st.sampled_from([b"1.0", b"application/json", STRUCTURED.encode()]),
)


def read(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    try:
        envelope = decode_envelope(headers, value)
        assert envelope.id
        assert "\x00" not in envelope.source + envelope.id + envelope.type
        decode_message(envelope)
    except Malformed as problem:
        assert "\x00" not in str(problem)  # noqa: PT017 - it may be raised or not


@given(st.lists(HEADER, max_size=8), st.none() | st.binary(max_size=60))
def test_any_binary_record(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    read(headers, value)


@given(TYPES, JSON_DATA | st.binary(max_size=60))
def test_any_data_under_a_good_envelope(kind: str, data: Any) -> None:
    value = data if isinstance(data, bytes) else _dumped(data)
    good = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"/x")]
    read([*good, ("ce_type", kind.encode("utf-8", "replace"))], value)


@given(
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), JSON_DATA, max_size=8)
    | JSON_DATA
    | st.binary(max_size=60)
)
@settings(max_examples=200)
def test_any_structured_record(body: Any) -> None:
    value = body if isinstance(body, bytes) else _dumped(body)
    read([("content-type", STRUCTURED.encode())], value)


@given(st.integers(min_value=1, max_value=1500))
@settings(max_examples=20)
def test_any_depth(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    event = b'{"id":"1","source":"/x","type":"t","specversion":"1.0","data":' + deep + b"}"
    read([("content-type", STRUCTURED.encode())], event)


def _dumped(data: Any) -> bytes:
    try:
        return orjson.dumps(data)
    except TypeError:  # an integer beyond 64 bits, or half a surrogate pair
        return b"{}"
