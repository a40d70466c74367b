"""Identity tokens between web and the services: signed, for one service, for 60 seconds."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.identity import LIFETIME, NoIdentity, issue, read
from topics.message import Actor, Via

SECRET = b"a-secret-for-tests"
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
JANE = Actor(id="jane", via=Via.WEB)
TOKEN = issue(SECRET, JANE, audience="stock", now=NOW)


def test_a_token_says_who_calls() -> None:
    assert read(SECRET, TOKEN, audience="stock", now=NOW) == JANE
    assert read(SECRET, TOKEN, audience="stock", now=NOW + LIFETIME) == JANE


@pytest.mark.parametrize(
    ("token", "secret", "audience", "after", "reason"),
    [
        (None, SECRET, "stock", 0, "missing or was not signed here"),
        ("", SECRET, "stock", 0, "missing or was not signed here"),
        (".", SECRET, "stock", 0, "missing or was not signed here"),
        (TOKEN, b"another", "stock", 0, "missing or was not signed here"),
        (TOKEN, SECRET, "budget", 0, "is for stock"),
        (TOKEN, SECRET, "stock", 61, "over 60 seconds old"),
    ],
)
def test_a_token_that_is_not_for_here_and_now_is_refused(
    token: str | None, secret: bytes, audience: str, after: int, reason: str
) -> None:
    with pytest.raises(NoIdentity, match=reason):
        read(secret, token, audience=audience, now=NOW + timedelta(seconds=after))


def test_a_changed_body_is_refused() -> None:
    payload, _, signature = TOKEN.partition(".")
    body = orjson.loads(base64.urlsafe_b64decode(payload)) | {"sub": "system:web"}
    forged = base64.urlsafe_b64encode(orjson.dumps(body)).decode()
    with pytest.raises(NoIdentity):
        read(SECRET, f"{forged}.{signature}", audience="stock", now=NOW)


@given(st.text(max_size=60) | st.builds(lambda cut: TOKEN[:cut], st.integers(0, len(TOKEN) - 1)))
def test_any_other_text_is_no_identity(token: str) -> None:
    with pytest.raises(NoIdentity):
        read(SECRET, token, audience="stock", now=NOW)
