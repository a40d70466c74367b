"""What goes through the edge, and what stays behind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from starlette.requests import Request

from services.web import sessions
from services.web.gateway import raw_target, request_headers, response_headers
from services.web.merged_openapi import merge
from services.web.words import campaign_badge, choose_language, words, workflow_badge
from topics.campaign import CampaignStatus
from topics.workflows import WorkflowStatus

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = b"a-secret-for-tests"


def a_request(
    path: str,
    raw: bytes | None = None,
    query: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Request:
    pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query}
    return Request(scope | {"raw_path": raw or path.encode(), "headers": pairs})


def test_the_token_stays_at_the_edge_and_a_brought_identity_too() -> None:
    brought = [
        (b"Authorization", b"Bearer mst_x"),
        (b"X-Muster-Identity", b"forged"),
        (b"x-muster-identity", b"forged too"),
        (b"Cookie", b"a=b"),
        (b"Host", b"evil"),
        (b"Accept", b"*/*"),
    ]
    assert request_headers(brought, "signed") == [
        (b"accept", b"*/*"),
        (b"X-Muster-Identity", b"signed"),
    ]


def test_headers_of_one_connection_end_here_in_both_directions() -> None:
    pairs = [
        (b"Connection", b"close, X-Once"),
        (b"X-Once", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Upgrade", b"h2c"),
        (b"Traceparent", b"00-aa"),
    ]
    assert request_headers(pairs, None) == [(b"traceparent", b"00-aa")]
    assert response_headers([*pairs, (b"Set-Cookie", b"a=b")]) == [
        (b"traceparent", b"00-aa"),
        (b"x-content-type-options", b"nosniff"),
    ]


@pytest.mark.parametrize(
    "path", ["/api/v1/campaign/../../../metrics", "/api/v1/campaign/./x", "/a\\..\\b"]
)
def test_a_path_that_leaves_its_place_is_not_passed_on(path: str) -> None:
    assert raw_target(a_request(path, b"/api/v1/campaign/%2e%2e/%2e%2e/metrics")) is None


def test_a_target_goes_on_as_it_came() -> None:
    request = a_request("/api/v1/x/é", b"/api/v1/x/%C3%A9", b"a=1&b=%20")
    assert raw_target(request) == b"/api/v1/x/%C3%A9?a=1&b=%20"


def test_a_session_is_read_back_until_its_time_and_not_after() -> None:
    token_id = uuid4()
    cookie = sessions.issue(KEY, token_id, NOW + timedelta(hours=1))
    assert sessions.read(KEY, cookie, NOW) == token_id
    assert sessions.read(KEY, cookie, NOW + timedelta(hours=1)) is None


def test_a_session_that_was_not_signed_here_is_none() -> None:
    cookie = sessions.issue(b"another-secret", uuid4(), NOW + timedelta(hours=1))
    for wrong in (cookie, "", "x", cookie[:-4], None):
        assert sessions.read(KEY, wrong, NOW) is None


@pytest.mark.parametrize(
    ("headers", "elsewhere"),
    [
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"origin": "http://evil.example", "host": "127.0.0.1:8080"}, True),
        ({"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"}, False),
        ({"host": "127.0.0.1:8080"}, False),
    ],
)
def test_a_form_of_another_site_is_seen(headers: dict[str, str], *, elsewhere: bool) -> None:
    assert sessions.from_elsewhere(a_request("/signin", headers=headers)) is elsewhere


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        ("fr", "en", "fr"),
        ("de", "fr-CA,fr;q=0.9", "fr"),
        (None, "de, en;q=0.5, fr;q=0.8", "fr"),
        (None, "", "en"),
        (None, "fr;q=x", "fr"),
    ],
)
def test_the_language_is_the_readers(asked: str | None, accepted: str, language: str) -> None:
    assert choose_language(asked, accepted) == language


def test_every_state_has_a_word_in_both_languages_and_a_sign() -> None:
    badges = [campaign_badge(status, "fr") for status in CampaignStatus]
    badges += [workflow_badge(status, "en") for status in WorkflowStatus]
    assert all(badge["word"] and badge["sign"] and badge["tone"] for badge in badges)
    assert all(both for both in words("fr").values())


def test_a_merged_document_keeps_each_services_names_and_places_apart() -> None:
    document: dict[str, Any] = {
        "paths": {
            "/api/v1/one/things": {
                "post": {
                    "operationId": "make",
                    "responses": {
                        "200": {"schema": {"$ref": "#/components/schemas/Thing"}},
                        "422": {"description": "FastAPI's"},
                    },
                }
            },
            "/api/v1/two/stolen": {"get": {"responses": {}}},
            "/u/{token}": {"get": {"responses": {}}},
        },
        "components": {"schemas": {"Thing": {"type": "object"}}},
    }
    merged = merge({"one": document}, version="1", missing=["two"])
    own = [path for path in merged["paths"] if not path.startswith("/api/v1/events/")]
    assert own == ["/api/v1/one/things"]
    post = merged["paths"]["/api/v1/one/things"]["post"]
    assert post["operationId"] == "one_make"
    assert post["responses"]["200"]["schema"]["$ref"] == "#/components/schemas/one.Thing"
    assert "problem+json" in str(post["responses"]["422"])
    assert post["parameters"][0]["name"] == "Idempotency-Key"
    assert set(merged["components"]["schemas"]) == {"Problem", "events.PushedEvent", "one.Thing"}
    assert merged["x-missing-services"] == ["two"]
