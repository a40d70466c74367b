"""Every route there is, called without a token: 401 each, at the edge and at the service itself."""

from __future__ import annotations

import re
from typing import Any

import httpx

from services.cli.catalogue import find
from services.web.settings import UPSTREAMS
from shared.http import create_app
from tests.conftest import Open
from tests.integration.web_edge import Edge, open_edge

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
SOME_ID = "01890000-0000-7000-8000-000000000000"


async def routes_of(edge: Edge) -> list[tuple[str, str]]:
    """Return every method and path of the merged document, parameters filled in."""
    answer = await edge.client.get("/api/v1/openapi.json", headers=await edge.headers())
    document: dict[str, Any] = answer.json()
    assert "x-missing-services" not in document
    return [
        (method, re.sub(r"\{[^}]+\}", SOME_ID, path))
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


async def test_every_route_of_every_service_takes_a_token(open_service: Open) -> None:
    async with open_edge(open_service, *(find(name) for name in UPSTREAMS)) as edge:
        routes = await routes_of(edge)
        services = {path.split("/")[3] for _, path in routes}
        assert services == {*UPSTREAMS, "web", "events"}
        for method, path in routes:
            bare = await edge.client.request(method, path)
            assert bare.status_code == 401, f"{method} {path}"
            forged = await edge.client.request(
                method, path, headers={"X-Muster-Identity": "x.y", "Authorization": "Bearer mst_x"}
            )
            assert forged.status_code == 401, f"{method} {path}"
        for runtime in (edge.web, *edge.others.values()):
            await at_the_service_itself(
                create_app(runtime),
                [one for one in routes if f"/{runtime.service.name}/" in one[1]],
            )


async def at_the_service_itself(app: Any, routes: list[tuple[str, str]]) -> None:
    assert routes
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        for method, path in routes:
            answer = await client.request(method, path)
            assert answer.status_code == 401, f"{method} {path}"


async def test_what_is_open_is_a_short_list(open_service: Open) -> None:
    async with open_edge(open_service) as edge:
        paths = {str(getattr(route, "path", "")) for route in edge.app.routes}
        opened = set()
        for path in paths:
            asked = re.sub(r"\{[^}]+\}", "style.css", path)
            if (await edge.client.get(asked)).status_code != 401:
                opened.add(path)
    assert opened == {
        "/",
        "/health/live",
        "/health/ready",
        "/signin",
        "/static/{name}",
        "/nl/jsp/schemawsdl.jsp",
        "/m/{token}",
        "/o/{token}",
        "/t/{token}",
        "/u/{token}",
        "/p/{token}",
        "/p/{token}/message",
        "/p/{token}/letter",
        "/f/{token}",
        "/f/{token}/{name}",
        "/r/{token}",
        "/r/{token}/proof",
    }
