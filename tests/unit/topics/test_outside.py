"""What an outside event must hold, whichever way it comes in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from topics.outside import OutsideEvent, event_id, is_address, unstorable


def test_the_same_identity_is_the_same_event_and_another_is_not() -> None:
    assert event_id("/shop", "1") == event_id("/shop", "1")
    assert len({event_id("/shop", "1"), event_id("/shop", "2"), event_id("/shop1", "")}) == 3


@pytest.mark.parametrize("address", ["a@b.example", " Ann.Lee+x@mail.example.org "])
def test_an_address_is_accepted(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "address", ["ann", "ann@", "@b.example", "a b@c.example", "a@b@c", "a@b\nBcc: x@y", "a<b>@c.d"]
)
def test_what_is_no_address_is_not(address: str) -> None:
    assert not is_address(address)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"a": [1, 2.5, None, True, "x", {"b": -(2**63)}]}, None),
        ({"a": ["x\x00y"]}, "holds a NUL character"),
        ({"x\x00y": 1}, "holds a NUL character"),
        ({"a": float("nan")}, "holds a number that is not finite"),
        ({"a": {"b": 2**64}}, "holds a number of over 64 bits"),
    ],
)
def test_a_value_that_rows_cannot_keep_is_named(value: object, why: str | None) -> None:
    assert unstorable(value) == why


@pytest.mark.parametrize(
    ("said", "channel", "address"),
    [
        ({"email": "a@b.example"}, "email", "a@b.example"),
        ({"phone": "+33 6 12 34 56 78"}, "sms", "+33612345678"),
        ({"email": "a@b.example", "phone": "+336" + "1234567"}, "email", "a@b.example"),
        (
            {"email": "a@b.example", "phone": "+33612345678", "wished_channel": "sms"},
            "sms",
            "+33612345678",
        ),
        ({"wished_channel": "webhook"}, "webhook", None),
        ({"wished_channel": "webhook", "email": "a@b.example"}, "webhook", None),
    ],
)
def test_the_channel_is_the_wished_one_or_the_one_with_an_address(
    said: dict[str, Any], channel: str, address: str | None
) -> None:
    event = OutsideEvent(**said)
    assert (event.channel, event.address) == (channel, address)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"phone": "+33612345678", "wished_channel": "email"}, "email"),
        ({"email": "a@b.example", "wished_channel": "sms"}, "phone"),
        ({"phone": "call me"}, "phone"),
        ({"phone": "+33612345678\n"}, "phone"),
        ({"email": "a@b.example", "country": "FRA"}, "country"),
        ({"email": "a@b.example", "email_format": "rtf"}, "email_format"),
        ({"email": "a@b.example", "origin": "x\x00"}, "origin"),
        ({"email": "a@b.example", "scheduled": "2026-11-26T10:00:00"}, "scheduled"),
        (
            {
                "email": "a@b.example",
                "scheduled": datetime(2026, 11, 26, 10, tzinfo=UTC),
                "expiration": datetime(2026, 11, 26, 10, tzinfo=UTC),
            },
            "expiration",
        ),
    ],
)
def test_what_does_not_fit_is_told_at_its_field(said: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as problem:
        OutsideEvent(**said)
    assert [error["loc"][0] for error in problem.value.errors()][:1] == [field]


def test_a_context_nested_too_deep_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(3000):
        deep = {"a": deep}
    with pytest.raises(ValidationError, match="nested over 100 levels deep"):
        OutsideEvent(email="a@b.example", ctx=deep)
