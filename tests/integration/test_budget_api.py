"""Budgets over HTTP, as web passes calls on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from uuid import UUID, uuid4

import httpx
import pytest

from services.budget.app import SERVICE
from shared import identity
from shared.http import create_app
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.test_budget_holds import MAILING, ROOM, a_commit, a_hold, compute
from topics.message import Actor, Via
from topics.operators import OperatorState, Role

MANAGER, REVIEWER, NOBODY = uuid4(), uuid4(), uuid4()


@pytest.fixture
async def budget(open_service: Open) -> Runtime:
    runtime = await open_service(SERVICE)
    for operator_id, roles in ((MANAGER, (Role.MANAGER,)), (REVIEWER, (Role.REVIEWER,))):
        await runtime.execute(
            OperatorState(operator_id=operator_id, version=1, name="Operator", roles=roles)
        )
    return runtime


@pytest.fixture
async def client(budget: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(budget))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://budget/api/v1/budget"
    ) as opened:
        yield opened


def as_(runtime: Runtime, operator_id: UUID) -> dict[str, str]:
    actor = Actor(id=str(operator_id), via=Via.WEB)
    now = runtime.clock.now()
    token = identity.issue(runtime.settings.secret, actor, audience="budget", now=now)
    return {identity.HEADER: token}


def a_body(**changes: object) -> dict[str, object]:
    structures = [one.model_dump(mode="json") for one in (ROOM, MAILING)]
    return {"label": "Spring", "allocated_minor": 100_000, "structures": structures} | changes


async def test_a_budget_is_saved_shown_and_listed(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    caller = as_(budget, MANAGER)
    created = await client.post("/budgets", json=a_body(), headers=caller)
    assert created.status_code == 201, created.text
    detail = created.json()
    assert (detail["left_minor"], detail["currency"], detail["note"]) == (100_000, "EUR", "")
    assert detail["structures"][1]["unit_price"] == "0.13"
    url = f"/budgets/{detail['budget_id']}"
    assert (await client.get(url, headers=as_(budget, REVIEWER))).json() == detail
    changed = await client.put(url, json=a_body(allocated_minor=5), headers=caller)
    assert changed.json()["left_minor"] == 5
    listed = (await client.get("/budgets", headers=caller)).json()
    assert [one["budget_id"] for one in listed["items"]] == [detail["budget_id"]]


async def test_lists_go_on_where_the_page_before_ended(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    caller = as_(budget, MANAGER)
    for number in range(5):
        await client.post("/budgets", json=a_body(label=f"Budget {number}"), headers=caller)
    found, after = [], None
    while True:
        page = await client.get(
            "/budgets", params={"limit": 2} | ({"after": after} if after else {}), headers=caller
        )
        found += [one["label"] for one in page.json()["items"]]
        after = page.json()["next"]
        if after is None:
            break
    assert found == [f"Budget {number}" for number in range(5)]


async def test_a_post_with_its_own_id_makes_one_budget(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    body = a_body(budget_id=str(uuid4()))
    for _ in range(2):
        answer = await client.post("/budgets", json=body, headers=as_(budget, MANAGER))
        assert answer.status_code == 201
    listed = (await client.get("/budgets", headers=as_(budget, MANAGER))).json()
    assert [one["allocated_minor"] for one in listed["items"]] == [100_000]


async def test_the_ledger_and_the_costs_of_a_campaign_add_up(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    caller = as_(budget, MANAGER)
    created = (await client.post("/budgets", json=a_body(), headers=caller)).json()
    hold = a_hold(UUID(created["budget_id"]), emails=100)
    await budget.execute(hold)
    await budget.execute(a_commit(hold, emails=200))
    waiting = (await client.get(f"/campaigns/{hold.campaign_id}/costs", headers=caller)).json()
    assert (waiting["holds"][0]["waiting"], waiting["spent_minor"]) == (True, 0)
    await compute(budget)
    costs = (await client.get(f"/campaigns/{hold.campaign_id}/costs", headers=caller)).json()
    assert costs["spent_minor"] == sum(line["amount_minor"] for line in costs["lines"]) == 32_600
    assert costs["holds"][0]["note"] == "the real cost is 13.00 EUR over what was held"
    url = f"/budgets/{created['budget_id']}/ledger"
    entries = (await client.get(url, headers=caller)).json()["items"]
    assert [(one["kind"], one["amount_minor"], one["left_minor"]) for one in entries] == [
        ("allocate", 100_000, 100_000),
        ("reserve", 31_300, 68_700),
        ("spend", -31_300, 100_000),
        ("spend", 32_600, 67_400),
    ]


async def test_an_estimate_says_whether_the_money_is_enough(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    caller = as_(budget, MANAGER)
    created = await client.post("/budgets", json=a_body(allocated_minor=31_300), headers=caller)
    url = f"/budgets/{created.json()['budget_id']}/estimates"
    for emails, enough in ((100, True), (101, False)):
        answer = await client.post(url, json={"volumes": {"emails": emails}}, headers=caller)
        assert answer.json()["enough"] is enough
    assert answer.json()["lines"][1] == {
        "category": "mail",
        "label": "E-mails",
        "quantity": 101,
        "amount_minor": 1313,
        "surcharge_minor": 0,
    }


WRONG: tuple[tuple[dict[str, object], int, str | None], ...] = (
    ({"label": ""}, 422, None),
    ({"currency": "euro"}, 422, None),
    ({"allocated_minor": 10**16}, 409, "allocated_minor"),
    ({"starts_on": str(date(2026, 5, 2)), "ends_on": str(date(2026, 5, 1))}, 409, "ends_on"),
)


async def test_a_wrong_field_is_refused_by_its_name(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    for changes, status, field in WRONG:
        answer = await client.post("/budgets", json=a_body(**changes), headers=as_(budget, MANAGER))
        assert (answer.status_code, answer.json().get("field")) == (status, field), changes


async def test_who_may_not_is_told_so(budget: Runtime, client: httpx.AsyncClient) -> None:
    reviewer = as_(budget, REVIEWER)
    answer = await client.post("/budgets", json=a_body(), headers=reviewer)
    assert answer.is_client_error
    assert "may not manage budgets" in answer.json()["detail"]
    assert (await client.get("/budgets")).status_code == 401
    assert (await client.get("/budgets", headers=as_(budget, NOBODY))).status_code == 403
    missing = await client.get(f"/budgets/{uuid4()}", headers=reviewer)
    assert missing.status_code == 404
