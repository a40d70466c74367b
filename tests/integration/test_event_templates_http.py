"""Event templates over HTTP: what people see of drafts and versions, and what they are refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.events_status.app import SERVICE
from services.events_status.workflows import process_realtime
from shared.http import create_app
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.events_story import KIND, MANAGER, READER, know_operators
from tests.integration.test_event_templates import TEMPLATE, saved
from tests.integration.test_events_status_rows import as_, step, take

PATH = f"/templates/{KIND}"
ONE, TWO = f"{1:064}", f"{2:064}"


class Client:
    """Asks as somebody, and looks at the status."""

    def __init__(self, runtime: Runtime, http: httpx.AsyncClient) -> None:
        self.runtime = runtime
        self._http = http

    async def asks(
        self, method: str, path: str, status: int = 200, *, by: UUID = MANAGER, **more: Any
    ) -> Any:
        answer = await self._http.request(method, path, headers=as_(self.runtime, by), **more)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
async def client(open_service: Open) -> AsyncIterator[Client]:
    runtime = await open_service(SERVICE)
    await know_operators(runtime)
    transport = httpx.ASGITransport(app=create_app(runtime))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://here/api/v1/events_status"
    ) as http:
        yield Client(runtime, http)


async def test_a_template_goes_from_draft_to_versions_and_away_and_each_state_is_shown(
    client: Client,
) -> None:
    await client.runtime.execute(saved(1))
    shown = await client.asks("PUT", PATH, json={"template_id": str(TEMPLATE)})
    one = shown["template"]
    assert one["draft"] == {
        "template_id": str(TEMPLATE),
        "label": "Order confirmed",
        "content_hash": ONE,
    }
    assert (one["published"], one["changed"], shown["versions"]) == (None, False, [])
    assert (one["linked"]["operator_id"], one["linked"]["name"]) == (str(MANAGER), "manager")
    shown = await client.asks("POST", f"{PATH}/publish", json={"content_hash": ONE})
    assert shown["template"]["published"]["version"] == 1
    assert shown["template"]["published"]["published"]["name"] == "manager"
    await client.runtime.execute(saved(2))
    changed = await client.asks("GET", PATH, by=READER)
    assert changed["template"]["changed"]
    stale = await client.asks("POST", f"{PATH}/publish", 409, json={"content_hash": ONE})
    assert (stale["field"], stale["code"]) == ("content_hash", "stale")
    shown = await client.asks("POST", f"{PATH}/publish")
    assert not shown["template"]["changed"]
    seen = [(one["version"], one["content"]["content_hash"]) for one in shown["versions"]]
    assert seen == [(2, TWO), (1, ONE)]
    assert [one["ended"] is None for one in shown["versions"]] == [True, False]
    refused = await client.asks("DELETE", PATH, 409)
    assert (refused["field"], refused["code"]) == ("event_type", "published")
    shown = await client.asks("POST", f"{PATH}/unpublish")
    assert shown["template"]["published"] is None
    assert all(one["ended"]["name"] == "manager" for one in shown["versions"])
    await client.asks("DELETE", PATH, 204)
    assert (await client.asks("GET", "/templates"))["templates"] == []
    await client.asks("GET", PATH, 404)


async def test_types_with_strokes_and_several_channels_are_listed_page_by_page(
    client: Client,
) -> None:
    body = {"template_id": str(uuid4()), "publish": True}
    for path in ("a/publish", "b", "b?channel=sms", "b?channel=webhook", "c"):
        await client.asks("PUT", f"/templates/{path}", json=body)
    assert await client.asks("POST", "/templates/a/publish/publish", 409)  # not known yet
    first = await client.asks("GET", "/templates?limit=2")
    rest = await client.asks("GET", f"/templates?limit=2&after={first['next']}")
    assert [(one["event_type"], one["channel"]) for one in first["templates"]] == [
        ("a/publish", "email"),
        ("b", "email"),
        ("b", "sms"),
        ("b", "webhook"),
    ]
    assert [one["event_type"] for one in rest["templates"]] == ["c"]
    assert rest["next"] is None
    routes = await client.asks("GET", "/routes?limit=2")
    assert [one["channel"] for one in routes["routes"]] == ["email", "email", "sms", "webhook"]
    unpinned = (await client.asks("GET", "/templates/c"))["template"]
    assert (unpinned["published"]["content"]["content_hash"], unpinned["changed"]) == (None, False)


@pytest.mark.parametrize(
    ("method", "path", "status", "more"),
    [
        ("POST", f"{PATH}/publish", 409, {}),
        ("POST", f"{PATH}/unpublish", 409, {}),
        ("DELETE", PATH, 409, {}),
        ("GET", f"{PATH}?channel=fax", 422, {}),
        ("PUT", PATH, 422, {"json": {"template_id": "x"}}),
        ("PUT", PATH, 422, {"json": {"template_id": str(TEMPLATE), "live": True}}),
        ("POST", f"{PATH}/publish", 422, {"json": {"content_hash": "x"}}),
        ("GET", "/templates?after=%00", 422, {}),
        ("GET", f"/templates/{'x' * 201}", 422, {}),
    ],
)
async def test_what_is_not_there_or_not_valid_is_said_clearly(
    client: Client, method: str, path: str, status: int, more: dict[str, Any]
) -> None:
    problem = await client.asks(method, path, status, **more)
    named = [problem.get("field"), *(one["field"] for one in problem.get("errors", ()))]
    assert any(named), problem


async def test_readers_see_event_templates_and_change_none(client: Client) -> None:
    body = {"template_id": str(TEMPLATE), "publish": True}
    assert (await client.asks("PUT", PATH, 403, by=READER, json=body))["code"] == "not_allowed"
    for path in (f"{PATH}/publish", f"{PATH}/unpublish"):
        await client.asks("POST", path, 403, by=READER)
    await client.asks("DELETE", PATH, 403, by=READER)
    assert (await client.asks("GET", "/templates", by=READER))["templates"] == []


async def test_an_event_shows_the_version_and_content_it_is_sent_with(client: Client) -> None:
    await client.runtime.execute(saved(1))
    await client.asks("PUT", PATH, json={"template_id": str(TEMPLATE), "publish": True})
    event = await take(client.runtime, "1")
    await step(client.runtime, process_realtime)
    shown = (await client.asks("GET", f"/events/{event}"))["event"]
    assert (shown["template_id"], shown["template_version"], shown["content_hash"]) == (
        str(TEMPLATE),
        1,
        ONE,
    )
