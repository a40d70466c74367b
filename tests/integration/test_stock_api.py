"""Stock over HTTP, as web passes calls on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest

from services.stock.app import SERVICE
from shared import identity
from shared.http import create_app
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.test_stock_lines import a_file, a_reservation, work_off
from topics.message import Actor, Via
from topics.operators import OperatorState, Role

MANAGER, REVIEWER, NOBODY = uuid4(), uuid4(), uuid4()


@pytest.fixture
async def stock(open_service: Open) -> Runtime:
    runtime = await open_service(SERVICE)
    for operator_id, roles in ((MANAGER, (Role.MANAGER,)), (REVIEWER, (Role.REVIEWER,))):
        await runtime.execute(
            OperatorState(operator_id=operator_id, version=1, name="Operator", roles=roles)
        )
    return runtime


@pytest.fixture
async def client(stock: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(stock))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://stock/api/v1/stock"
    ) as opened:
        yield opened


def as_(runtime: Runtime, operator_id: UUID) -> dict[str, str]:
    actor = Actor(id=str(operator_id), via=Via.WEB)
    now = runtime.clock.now()
    token = identity.issue(runtime.settings.secret, actor, audience="stock", now=now)
    return {identity.HEADER: token}


def a_body(**changes: object) -> dict[str, object]:
    return {"stock": "Paper", "label": "Envelopes C5", "initial": 10} | changes


async def test_a_line_is_saved_ordered_shown_and_listed(
    stock: Runtime, client: httpx.AsyncClient
) -> None:
    caller = as_(stock, MANAGER)
    created = await client.post("/lines", json=a_body(), headers=caller)
    assert created.status_code == 201, created.text
    url = f"/lines/{created.json()['line_id']}"
    body = {"order_id": str(uuid4()), "quantity": 5, "due_on": "2020-01-01"}
    for _ in range(2):
        ordered = await client.post(f"{url}/orders", json=body, headers=caller)
        assert (ordered.status_code, ordered.json()["on_order"]) == (201, 5)
    await work_off(stock)
    shown = (await client.get(url, headers=as_(stock, REVIEWER))).json()
    assert (shown["in_stock"], shown["available"], shown["on_order"]) == (15, 15, 0)
    orders = (await client.get(f"{url}/orders", headers=caller)).json()["items"]
    assert [one["received_at"] is not None for one in orders] == [True]
    listed = (await client.get("/lines", headers=caller)).json()
    assert listed == {"items": [shown], "next": None}


async def test_lines_with_an_alert_are_listed_apart_and_page_by_page(
    stock: Runtime, client: httpx.AsyncClient
) -> None:
    caller = as_(stock, MANAGER)
    for number in range(4):
        body = a_body(label=f"Line {number}", alert_level=10 * (number % 2))
        await client.post("/lines", json=body, headers=caller)
    await work_off(stock)
    low = (await client.get("/lines", params={"alert": True}, headers=caller)).json()
    assert [one["label"] for one in low["items"]] == ["Line 1", "Line 3"]
    first = (await client.get("/lines", params={"limit": 3}, headers=caller)).json()
    rest = await client.get("/lines", params={"limit": 3, "after": first["next"]}, headers=caller)
    assert [one["label"] for one in first["items"] + rest.json()["items"]] == [
        f"Line {number}" for number in range(4)
    ]


async def test_the_ledger_and_the_goods_of_a_campaign_add_up(
    stock: Runtime, client: httpx.AsyncClient
) -> None:
    caller = as_(stock, MANAGER)
    created = (await client.post("/lines", json=a_body(), headers=caller)).json()
    reservation = a_reservation(UUID(created["line_id"]), 8)
    await stock.execute(reservation)
    await stock.execute(a_file(reservation, 12))
    await work_off(stock)
    goods = (await client.get(f"/campaigns/{reservation.campaign_id}/goods", headers=caller)).json()
    assert [(one["rest"], one["consumed"], one["short"]) for one in goods] == [(0, 10, 2)]
    ledger = await client.get(f"/lines/{created['line_id']}/ledger", headers=caller)
    assert [(one["kind"], one["quantity"], one["in_stock"]) for one in ledger.json()["items"]] == [
        ("initial", 10, 10),
        ("reserve", 8, 10),
        ("draw", -8, 10),
        ("consume", 10, 0),
    ]


WRONG: tuple[tuple[dict[str, object], int, str | None], ...] = (
    ({"label": ""}, 422, None),
    ({"initial": -1}, 422, None),
    ({"initial": 10**9}, 409, "initial"),
    ({"alert_level": 10**9}, 409, "alert_level"),
)


async def test_a_wrong_field_is_refused_by_its_name(
    stock: Runtime, client: httpx.AsyncClient
) -> None:
    for changes, status, field in WRONG:
        answer = await client.post("/lines", json=a_body(**changes), headers=as_(stock, MANAGER))
        assert (answer.status_code, answer.json().get("field")) == (status, field), changes


async def test_who_may_not_is_told_so(stock: Runtime, client: httpx.AsyncClient) -> None:
    reviewer = as_(stock, REVIEWER)
    answer = await client.post("/lines", json=a_body(), headers=reviewer)
    assert answer.is_client_error
    assert "may not manage stocks" in answer.json()["detail"]
    assert (await client.get("/lines")).status_code == 401
    assert (await client.get("/lines", headers=as_(stock, NOBODY))).status_code == 403
    assert (await client.get(f"/lines/{uuid4()}", headers=reviewer)).status_code == 404
