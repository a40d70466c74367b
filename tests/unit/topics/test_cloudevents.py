"""CloudEvents: what is sent comes back, binary and structured, and what is none says why."""

from __future__ import annotations

from uuid import UUID

import orjson
import pytest

from tests.contract.samples import sample
from topics.catalogue import catalogue
from topics.cloudevents import (
    JSON,
    STRUCTURED,
    Envelope,
    Malformed,
    as_kafka_headers,
    decode_envelope,
    decode_message,
    encode_headers,
    flatten_headers,
)
from topics.message import Message
from topics.targeting import CountTarget

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CAMPAIGN, TARGETING = UUID(int=1), UUID(int=2)
COMMAND = CountTarget(campaign_id=CAMPAIGN, targeting_id=TARGETING)
BODY = COMMAND.model_dump_json().encode()
PLAIN = {
    "ce_specversion": "1.0",
    "ce_id": "1",
    "ce_source": "/outside",
    "ce_type": CountTarget.ce_type,
}


def headers(**changes: str | bytes | None) -> list[tuple[str, bytes]]:
    """Return the smallest good headers with some changed; ``None`` leaves one out."""
    found: dict[str, str | bytes | None] = {**PLAIN, **changes}
    return [
        (name, text if isinstance(text, bytes) else text.encode())
        for name, text in found.items()
        if text is not None
    ]


def structured(**changes: object) -> bytes:
    """Return the smallest good structured event with some attributes changed."""
    body = {name.removeprefix("ce_"): text for name, text in PLAIN.items()}
    data = {"data": orjson.loads(BODY)}
    return orjson.dumps({**body, **data, **changes})


def of_structured(value: bytes) -> Envelope:
    return decode_envelope([("content-type", STRUCTURED.encode())], value)


@pytest.mark.parametrize("kind", catalogue().values(), ids=list(catalogue()))
def test_every_message_comes_back_as_it_was_sent(kind: type[Message]) -> None:
    message = kind.model_validate(sample(kind.model_json_schema()))
    flat = encode_headers(
        message=message,
        key=message.partition_key,
        source="/muster/campaign",
        message_id="0193",
        time="2026-11-22T08:00:00+00:00",
        correlation_id="c",
        causation_id="b",
        traceparent=TRACE,
    )
    envelope = decode_envelope(as_kafka_headers(flat), message.model_dump_json().encode())
    assert decode_message(envelope) == message
    assert (envelope.source, envelope.id, envelope.type) == (
        "/muster/campaign",
        "0193",
        kind.ce_type,
    )
    assert envelope.partition_key == envelope.subject == message.partition_key
    assert (envelope.correlation_id, envelope.causation_id) == ("c", "b")
    assert envelope.traceparent == TRACE
    assert envelope.extensions == {}, "no attribute of ours is unknown to us"


def test_a_structured_event_is_the_same_event() -> None:
    binary = decode_envelope(headers(ce_subject="s", ce_correlationid="c"), BODY)
    other = of_structured(structured(subject="s", correlationid="c"))
    assert orjson.loads(other.data) == orjson.loads(binary.data)
    assert (other.source, other.id, other.type) == (binary.source, binary.id, binary.type)
    assert (other.subject, other.correlation_id) == ("s", "c")
    assert decode_message(other) == COMMAND


def test_numbers_and_booleans_are_attributes_in_structured_mode() -> None:
    assert of_structured(structured(myflag=True, mynumber=3)).extensions == {
        "myflag": "True",
        "mynumber": "3",
    }


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", JSON, ""]
)
def test_json_is_recognised_however_it_is_spelt(content_type: str) -> None:
    assert decode_message(decode_envelope(headers(**{"content-type": content_type}), BODY))


def test_header_names_of_any_case_and_extensions_are_read() -> None:
    given = [(name.upper(), text) for name, text in headers(ce_myextension="x")]
    assert decode_envelope(given, BODY).extensions == {"myextension": "x"}


def test_foreign_headers_are_not_attributes() -> None:
    assert decode_envelope([*headers(), ("my-header", b"\xff")], BODY).extensions == {}


def test_a_traceparent_that_is_none_is_left_out() -> None:
    assert decode_envelope(headers(traceparent="00-nothing"), BODY).traceparent is None
    assert decode_envelope(headers(traceparent=TRACE + "\n"), BODY).traceparent is None
    assert decode_envelope(headers(traceparent=TRACE), BODY).traceparent == TRACE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ce_id": None}, "attribute 'id' is missing"),
        ({"ce_source": ""}, "attribute 'source' is missing"),
        ({"ce_type": None}, "attribute 'type' is missing"),
        ({"ce_specversion": None}, "attribute 'specversion' is missing"),
        ({"ce_specversion": "0.3"}, "specversion '0.3' is not 1.0"),
        ({"ce_id": b"\xff"}, "header ce_id is not UTF-8"),
        ({"ce_source": "x" * 2049}, "attribute 'source' is too long or holds a NUL"),
        ({"ce_id": "a\x00b"}, "attribute 'id' is too long or holds a NUL"),
        ({"ce_my-name": "x"}, "attribute name 'my-name' is not lower-case letters and digits"),
        ({"ce_name\n": "x"}, "attribute name 'name\\n' is not lower-case letters and digits"),
        ({"ce_time": "yesterday"}, "attribute 'time' is no RFC 3339 time"),
        ({"ce_time": "2026-11-22T08:00:00"}, "attribute 'time' has no zone"),
        ({"content-type": "text/xml"}, "content-type 'text/xml' is not JSON"),
    ],
)
def test_a_wrong_binary_event_says_why(changes: dict[str, str | bytes | None], reason: str) -> None:
    with pytest.raises(Malformed) as found:
        decode_envelope(headers(**changes), BODY)
    assert str(found.value) == reason


def test_a_header_that_appears_twice_is_refused_in_any_case() -> None:
    with pytest.raises(Malformed, match="header CE_ID appears twice"):
        decode_envelope([*headers(), ("CE_ID", b"2")], BODY)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"hello", "the structured event is no JSON"),
        (b"", "the structured event is no JSON"),
        (b"[1]", "the structured event is no JSON object"),
        (structured(data_base64="eA=="), "data_base64 is not accepted: the data is JSON"),
        (structured(mine=[1]), "attribute 'mine' is no string, number or boolean"),
        (structured(time=None), "attribute 'time' is no string, number or boolean"),
        (structured(id=""), "attribute 'id' is missing"),
        (
            b'{"id": "1", "data": ' + b"[" * 400 + b"]" * 400 + b"}",
            "the structured event's data is nested too deep",
        ),
    ],
)
def test_a_wrong_structured_event_says_why(value: bytes, reason: str) -> None:
    with pytest.raises(Malformed) as found:
        of_structured(value)
    assert str(found.value) == reason


def of(data: bytes, kind: str = CountTarget.ce_type) -> Envelope:
    return Envelope(source="/x", id="1", type=kind, time=None, data=data)


def test_an_unknown_type_says_so() -> None:
    with pytest.raises(Malformed, match=r"unknown message type 'order\.confirmed'"):
        decode_message(of(b"{}", "order.confirmed"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "body: Invalid JSON"),
        (b"\xff", "body: Invalid JSON"),
        (b"null", "body: "),
        (b"{}", "campaign_id: Field required"),
        (orjson.dumps({"campaign_id": "jane@example.org"}), "campaign_id: Input should be a valid"),
    ],
)
def test_data_that_does_not_fit_is_described_by_field_without_its_values(
    data: bytes, reason: str
) -> None:
    with pytest.raises(Malformed) as found:
        decode_message(of(data))
    assert reason in str(found.value)
    assert "jane" not in str(found.value)


def test_a_name_that_no_field_has_is_not_repeated() -> None:
    body = orjson.loads(BODY) | {"jane@example.org": 1, "a\x00b": 2, "colour": 3}
    with pytest.raises(Malformed) as found:
        decode_message(of(orjson.dumps(body)))
    assert "jane" not in str(found.value)
    assert "\x00" not in str(found.value)
    assert "colour: Extra inputs are not permitted" in str(found.value)


def test_flattened_headers_can_be_kept_as_text_whatever_they_hold() -> None:
    assert flatten_headers([("a", b"\xffx\x00"), ("b", b"")]) == ["a", "\ufffdx\ufffd", "b", ""]
