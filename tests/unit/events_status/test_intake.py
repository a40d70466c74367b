"""What an intake record must hold, and the reason it gets when it does not."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from services.events_status.intake import read_event
from shared.errors import Permanent
from topics.cloudevents import Envelope
from topics.outside import Queue, event_id

SECRET_VALUE = "marie.curie@radium.example"


def envelope(data: Any, *, kind: str = "order.confirmed") -> Envelope:
    raw = data if isinstance(data, bytes) else orjson.dumps(data)
    return Envelope("/shop", "o-1", kind, None, raw)


def test_an_event_is_read_with_its_defaults() -> None:
    event = read_event(envelope({"email": " ann@example.org ", "ctx": {"n": 1}}), Queue.BATCH)
    assert event.event_id == event_id("/shop", "o-1")
    assert (event.address, event.channel, event.language) == ("ann@example.org", "email", "en")
    assert (event.event_type, event.queue, event.ctx) == ("order.confirmed", Queue.BATCH, {"n": 1})


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "body"),
        (b"null", "body"),
        (b'["marie.curie@radium.example"]', "body"),
        (b'{"email": "marie.curie@radium.example"', "body"),
        ({}, "email"),
        ({"email": 7}, "email"),
        ({"email": "marie.curie at radium.example"}, "email"),
        ({"email": SECRET_VALUE, "wished_channel": SECRET_VALUE}, "wished_channel"),
        ({"email": SECRET_VALUE, "language": "de"}, "language"),
        ({"email": SECRET_VALUE, "external_id": "x" * 201}, "external_id"),
        ({"email": SECRET_VALUE, "external_id": "x\x00"}, "external_id"),
        ({"email": SECRET_VALUE, "exernal_id": "1"}, "exernal_id"),
        ({"email": SECRET_VALUE, "ctx": [1]}, "ctx"),
        ({"email": SECRET_VALUE, "ctx": {"a": "\x00"}}, "ctx"),
        (b'{"email": "marie.curie@radium.example", "ctx": {"a": NaN}}', "ctx"),
        (b'{"email": "marie.curie@radium.example", "ctx": {"a": 99999999999999999999999}}', "ctx"),
        (b'{"email": "marie.curie@radium.example", "ctx": {"a": "\\ud800"}}', "body"),
        ({"email": SECRET_VALUE, "ctx": {"a": "x" * 262_144}}, "ctx"),
    ],
)
def test_what_is_wrong_is_named_and_no_value_repeated(data: Any, field: str) -> None:
    with pytest.raises(Permanent) as problem:
        read_event(envelope(data), Queue.REALTIME)
    reason = str(problem.value)
    assert reason.startswith(f"{field}:")
    assert "radium" not in reason


def test_a_context_of_exactly_256_kib_is_accepted() -> None:
    ctx = {"a": "x" * (262_144 - len('{"a":""}'))}
    assert read_event(envelope({"email": "a@b.example", "ctx": ctx}), Queue.REALTIME).ctx == ctx


def test_a_type_too_long_to_be_routed_is_refused() -> None:
    with pytest.raises(Permanent, match="attribute 'type'"):
        read_event(envelope({"email": "a@b.example"}, kind="t" * 201), Queue.REALTIME)
