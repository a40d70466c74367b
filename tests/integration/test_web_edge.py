"""The edge: who calls, may they, where to, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI, Request

from services.campaign.app import SERVICE as CAMPAIGN
from tests.conftest import Open
from tests.integration.web_edge import Edge, open_edge
from topics.operators import Role

CAMPAIGNS = "/api/v1/campaign/campaigns"
PLAN = {"plan": {"label": "Spring"}}


def delivery() -> FastAPI:
    """A stand-in that tells which path and headers reached it."""
    app = FastAPI()

    @app.get("/t/{token}")
    @app.head("/t/{token}")
    @app.get("/o/{token}")
    @app.get("/m/{token}")
    @app.get("/u/{token}")
    @app.post("/u/{token}")
    @app.get("/p/{token}")
    @app.get("/p/{token}/message")
    @app.get("/p/{token}/letter")
    async def page(token: str, request: Request) -> dict[str, Any]:
        return {"token": token, "method": request.method, "headers": dict(request.headers)}

    return app


def supplier() -> FastAPI:
    """A stand-in for who signed links to routers' files, and to what reviewers see of them."""
    app = FastAPI()

    @app.get("/r/{token}")
    @app.get("/r/{token}/{name}")
    @app.get("/f/{token}")
    @app.get("/f/{token}/{name}")
    async def file(token: str, request: Request, name: str = "") -> dict[str, Any]:
        return {"token": token, "name": name, "headers": dict(request.headers)}

    return app


@pytest.fixture
async def edge(open_service: Open) -> AsyncIterator[Edge]:
    async with open_edge(
        open_service, CAMPAIGN, mounted={"delivery": delivery(), "supplier": supplier()}
    ) as made:
        yield made


async def test_a_call_is_made_in_the_name_of_the_tokens_operator(edge: Edge) -> None:
    manager = await edge.operator("Max", Role.MANAGER)
    headers = await edge.headers(manager, "write")
    answer = await edge.client.post(CAMPAIGNS, json=PLAN, headers=headers)
    assert answer.status_code == 201
    assert answer.json()["journal"][0]["operator"] == str(manager)
    listed = await edge.client.get(f"{CAMPAIGNS}?label=spr&limit=5", headers=headers)
    assert [one["label"] for one in listed.json()["campaigns"]] == ["Spring"]


async def test_without_a_good_token_there_is_no_way_in(edge: Edge) -> None:
    unknown = f"Bearer mst_{'0' * 16}_{'A' * 43}"
    for authorization in ("", "Bearer", "Bearer x", "Basic bXN0OnB3", unknown):
        answer = await edge.client.get(CAMPAIGNS, headers={"Authorization": authorization})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_deciding_service_still_asks_for_the_right(edge: Edge) -> None:
    reviewer = await edge.operator("Rita", Role.REVIEWER)
    headers = await edge.headers(reviewer, "write")
    answer = await edge.client.post(CAMPAIGNS, json=PLAN, headers=headers)
    assert not answer.is_success
    assert answer.json()["detail"] == "Rita may not manage campaigns"


async def test_an_identity_that_is_brought_along_is_dropped(edge: Edge) -> None:
    reviewer = await edge.operator("Rita", Role.REVIEWER)
    headers = await edge.headers(reviewer, "write")
    answer = await edge.client.post(
        CAMPAIGNS, json=PLAN, headers=headers | {"X-Muster-Identity": "forged"}
    )
    assert answer.json()["detail"].startswith("Rita may not")
    alone = await edge.client.get(CAMPAIGNS, headers={"X-Muster-Identity": "forged"})
    assert alone.status_code == 401


async def test_a_token_reaches_only_what_its_scopes_say(edge: Edge) -> None:
    headers = await edge.headers(None, "read")
    assert (await edge.client.get(CAMPAIGNS, headers=headers)).status_code == 200
    for method, path in (("POST", CAMPAIGNS), ("GET", "/api/v1/web/operators")):
        answer = await edge.client.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "out_of_scope")


async def test_a_service_that_is_away_is_named(edge: Edge) -> None:
    answer = await edge.client.get("/api/v1/stock/lines", headers=await edge.headers())
    assert (answer.status_code, answer.json()["service"]) == (503, "stock")
    assert answer.headers["retry-after"] == "2"


async def test_what_is_not_there_is_a_404_with_a_token_and_a_401_without(edge: Edge) -> None:
    headers = await edge.headers()
    outside = "/api/v1/campaign/%2e%2e/%2E%2E/metrics"
    for path in ("/api/v1/nowhere/x", outside, "/else", "/docs", "/openapi.json"):
        assert (await edge.client.get(path)).status_code == 401
        assert (await edge.client.get(path, headers=headers)).status_code == 404


async def test_metrics_take_a_token_on_the_public_port(edge: Edge) -> None:
    assert (await edge.client.get("/metrics")).status_code == 401
    found = await edge.client.get("/metrics", headers=await edge.headers(None, "read"))
    assert "muster" in found.text


async def test_health_is_open(edge: Edge) -> None:
    assert (await edge.client.get("/health/live")).text == "live\n"
    assert (await edge.client.get("/health/ready")).status_code == 503
    edge.web.ready = True
    assert (await edge.client.get("/health/ready")).status_code == 200


async def test_a_signed_link_reaches_delivery_without_a_token_or_identity(
    edge: Edge,
) -> None:
    brought = {"X-Muster-Identity": "forged", "Authorization": "Bearer x", "Cookie": "a=b"}
    links = (
        ("GET", "/u/abc"),
        ("POST", "/u/abc"),
        ("GET", "/p/abc"),
        ("GET", "/p/abc/message"),
        ("GET", "/p/abc/letter"),
    )
    for method, path in links:
        answer = await edge.client.request(method, path, headers=brought)
        found = answer.json()
        assert (found["token"], found["method"]) == ("abc", method)
        assert not {"x-muster-identity", "authorization", "cookie"} & set(found["headers"])


async def test_a_link_to_a_router_s_file_reaches_supplier_without_a_token_or_identity(
    edge: Edge,
) -> None:
    brought = {"X-Muster-Identity": "forged", "Authorization": "Bearer x", "Cookie": "a=b"}
    links = (("/f/abc", ""), ("/f/abc/a.csv", "a.csv"), ("/r/abc", ""), ("/r/abc/proof", "proof"))
    for path, name in links:
        found = (await edge.client.get(path, headers=brought)).json()
        assert (found["token"], found["name"]) == ("abc", name)
        assert not {"x-muster-identity", "authorization", "cookie"} & set(found["headers"])
        assert (await edge.client.post(path)).status_code == 401


async def test_followed_links_reach_delivery_without_cookie_token_or_identity(edge: Edge) -> None:
    brought = {"Authorization": "Bearer x", "Cookie": "a=b", "User-Agent": "Mozilla/5.0 (X11)"}
    for path in ("/t/abc.4.def", "/o/abc.1.def.gif", "/m/abc.3.def"):
        found = (await edge.client.get(path, headers=brought)).json()
        assert (found["token"], found["method"]) == (path[3:], "GET")
        assert found["headers"]["user-agent"] == "Mozilla/5.0 (X11)"
        assert not {"authorization", "cookie"} & set(found["headers"])
    assert (await edge.client.head("/t/abc.4.def")).status_code == 200
    assert (await edge.client.post("/t/abc.4.def")).status_code == 401


async def test_the_merged_document_names_who_is_missing(edge: Edge) -> None:
    path = "/api/v1/openapi.json"
    assert (await edge.client.get(path)).status_code == 401
    document = (await edge.client.get(path, headers=await edge.headers(None, "read"))).json()
    assert CAMPAIGNS in document["paths"]
    assert "/api/v1/web/operators" in document["paths"]
    assert "campaign.CampaignDetail" in document["components"]["schemas"]
    assert "stock" in document["x-missing-services"]
    assert "campaign" not in document["x-missing-services"]


async def test_operators_and_tokens_are_managed_through_the_edge(edge: Edge) -> None:
    headers = await edge.headers()
    new = {"name": "Ada", "email": "ada@example.org", "roles": ["manager"]}
    made = (await edge.client.post("/api/v1/web/operators", json=new, headers=headers)).json()
    path = f"/api/v1/web/operators/{made['operator_id']}"
    changed = await edge.client.patch(path, json={"language": "fr"}, headers=headers)
    assert (changed.json()["language"], changed.json()["version"]) == ("fr", 2)
    asked = {
        "operator_id": made["operator_id"],
        "scopes": ["read"],
        "expires_at": "2099-01-01T00:00:00Z",
    }
    far = await edge.client.post("/api/v1/web/tokens", json=asked, headers=headers)
    assert (far.status_code, far.json()["field"]) == (409, "expires_at")
    theirs = await edge.headers(None, "read")
    own = await edge.client.get("/api/v1/web/tokens?limit=1", headers=headers)
    token_id = own.json()["tokens"][0]["token_id"]
    gone = await edge.client.delete(f"/api/v1/web/tokens/{token_id}", headers=headers)
    assert gone.status_code == 204
    assert (await edge.client.get(CAMPAIGNS, headers=theirs)).status_code == 401
    content = "name,email\nBob,bob@example.org\nEve,nowhere\n"
    report = await edge.client.post(
        "/api/v1/web/operators/import", content=content, headers=headers
    )
    assert report.json()["reasons"] == [
        {"line": 3, "reason": "email: this is no e-mail address such as name@example.org"}
    ]
    page = await edge.client.get("/api/v1/web/operators?limit=2", headers=headers)
    assert page.json()["next"] is not None
    unknown = await edge.client.get(f"/api/v1/web/operators/{token_id}", headers=headers)
    assert unknown.status_code == 404


async def test_what_rows_cannot_hold_and_what_no_route_takes_are_problems(edge: Edge) -> None:
    headers = await edge.headers()
    new = {"name": "A\0", "email": "a@example.org"}
    for method, path, status in (
        ("POST", "/api/v1/web/operators", 422),
        ("PUT", "/api/v1/web/operators", 405),
        ("GET", "/api/v1/web/nowhere", 404),
    ):
        answer = await edge.client.request(method, path, json=new, headers=headers)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_database_that_is_away_is_a_503_and_not_a_401(edge: Edge) -> None:
    headers = await edge.headers()
    await edge.web.pool.close()
    answer = await edge.client.get(CAMPAIGNS, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert (await edge.client.get("/health/live")).status_code == 200


async def test_a_service_that_breaks_off_is_a_problem_and_not_a_stack_trace(
    open_service: Open,
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        urls = f"stock=http://127.0.0.1:{port}"
        async with open_edge(open_service, SERVICE_URLS=urls) as edge:
            answer = await edge.client.get("/api/v1/stock/x", headers=await edge.headers())
    finally:
        server.close()
    assert (answer.status_code, answer.json()["service"]) == (502, "stock")


async def test_a_service_that_says_nothing_is_left_after_a_bounded_time(
    open_service: Open,
) -> None:
    leave = asyncio.Event()

    async def mute(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await leave.wait()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        urls = f"stock=http://127.0.0.1:{port}"
        async with open_edge(
            open_service, SERVICE_URLS=urls, UPSTREAM_TIMEOUT_SECONDS="0.3"
        ) as edge:
            answer = await edge.client.get("/api/v1/stock/x", headers=await edge.headers())
    finally:
        leave.set()
        server.close()
    assert answer.status_code == 504
