"""What passes as signed by Slack, and what does not."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from bot.signatures import Forged, check

SECRET, BODY, NOW = "a-signing-secret", b"payload=%7B%7D", 1_800_000_000.0


def signed(timestamp: str, *, secret: str = SECRET, body: bytes = BODY) -> str:
    text = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def passes(timestamps: list[str], signatures: list[str], *, body: bytes = BODY) -> bool:
    try:
        check(secret=SECRET, timestamps=timestamps, signatures=signatures, body=body, now=NOW)
    except Forged:
        return False
    return True


@pytest.mark.parametrize("age", [0, 300, -300])
def test_a_request_of_the_last_five_minutes_passes(age: int) -> None:
    at = str(int(NOW) - age)
    assert passes([at], [signed(at)])


@pytest.mark.parametrize("age", [301, -301, 360, -360])
def test_an_older_or_earlier_one_does_not(age: int) -> None:
    at = str(int(NOW) - age)
    assert not passes([at], [signed(at)])


STRANGE = (
    *("", "yesterday", "1e9", " 1800000000", "-1800000000", "1" * 400),
    # Digits elsewhere in the world, which int() takes.
    *("１８００００００００", "٣"),
)


@pytest.mark.parametrize("at", STRANGE)
def test_a_timestamp_that_is_no_number_is_refused_and_no_error(at: str) -> None:
    assert not passes([at], [signed(at)])


@pytest.mark.parametrize("signature", ["", "v0=", "v9=" + "0" * 64, "v0=é", "v0=\ud800"])
def test_no_or_a_strange_signature_is_refused(signature: str) -> None:
    assert not passes([str(int(NOW))], [signature])


def test_missing_and_doubled_headers_are_refused() -> None:
    at = str(int(NOW))
    assert not passes([], [signed(at)])
    assert not passes([at], [])
    assert not passes([at, at], [signed(at)])
    assert not passes([at], [signed(at), signed(at)])


def test_another_secret_or_body_is_refused() -> None:
    at = str(int(NOW))
    assert not passes([at], [signed(at, secret="another")])
    assert not passes([at], [signed(at)], body=BODY + b"&x=1")
