"""Approvals, typed costs, tasks, invoices and roll-ups over HTTP, as web passes calls on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from services.budget.app import SERVICE
from shared.http import create_app
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.test_budget_api import MANAGER, REVIEWER, as_
from tests.integration.test_budget_holds import (
    MAILING,
    a_commit,
    a_hold,
    check_invariants,
    compute,
    saved,
)
from tests.integration.test_budget_tasks import NOW, WORK_DAY
from topics.operators import OperatorState, Role


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
    base = "http://budget/api/v1/budget"
    async with httpx.AsyncClient(
        transport=transport, base_url=base, headers=as_(budget, MANAGER)
    ) as opened:
        yield opened


async def test_money_that_waits_is_listed_and_approved_by_a_reviewer(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    budget_id = await saved(budget, structures=(MAILING,), needs_approval=True)
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    (waiting,) = (await client.get("/approvals")).json()
    assert (waiting["hold_id"], waiting["amount_minor"]) == (str(hold.hold_id), 1300)
    url = f"/holds/{hold.hold_id}/decisions"
    assert (await client.post(url, json={"approve": True})).status_code == 403
    reviewer = as_(budget, REVIEWER)
    unsaid = await client.post(url, json={"approve": False}, headers=reviewer)
    assert (unsaid.status_code, unsaid.json()["field"]) == (409, "reason")
    assert (await client.post(url, json={"approve": True}, headers=reviewer)).status_code == 204
    assert (await client.get("/approvals")).json() == []
    unknown = await client.post(f"/holds/{uuid4()}/decisions", json={"approve": True})
    assert unknown.status_code == 404
    detail = (await client.get(f"/budgets/{budget_id}")).json()
    assert (detail["committed_minor"], detail["left_minor"]) == (1300, 98_700)


async def test_cost_types_are_chosen_and_typed_costs_listed(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    campaign_id = uuid4()
    choices = {"choices": [{"structure_id": str(MAILING.structure_id), "surcharge_minor": 5}]}
    url = f"/budgets/{budget_id}/campaigns/{campaign_id}/choices"
    assert (await client.put(url, json=choices)).status_code == 200
    assert (await client.get(url)).json()["choices"][0]["surcharge_minor"] == 5
    expense = f"/budgets/{budget_id}/expenses/campaign/{campaign_id}"
    body = {"status": "specified", "provisional": {"amount_minor": 900}}
    assert (await client.put(expense, json=body)).status_code == 204
    (row,) = (await client.get(f"/budgets/{budget_id}/expenses")).json()["items"]
    assert (row["kind"], row["planned_minor"], row["status"]) == ("campaign", 900, "specified")
    await compute(budget)
    rolled = (await client.get(f"/rollups/campaign/{campaign_id}")).json()["items"]
    assert [(one["currency"], one["calculated_minor"]) for one in rolled] == [("EUR", 900)]
    unknown = await client.get(f"/rollups/campaign/{campaign_id}", params={"currency": "USD"})
    assert (unknown.status_code, unknown.json()["field"]) == (409, "currency")
    assert (await client.get(f"/rollups/task/{campaign_id}")).status_code == 404


async def test_expenses_go_on_where_the_page_before_ended(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    budget_id = await saved(budget)
    for _ in range(3):
        await client.put(f"/budgets/{budget_id}/expenses/plan/{uuid4()}", json={})
    first = (await client.get(f"/budgets/{budget_id}/expenses", params={"limit": 2})).json()
    rest = await client.get(
        f"/budgets/{budget_id}/expenses", params={"limit": 2, "after": first["next"]}
    )
    found = [*first["items"], *rest.json()["items"]]
    assert len({one["object_id"] for one in found}) == 3
    assert rest.json()["next"] is None


async def test_a_task_is_saved_moved_and_shown_with_its_lines(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    budget_id = await saved(budget, structures=(WORK_DAY,), allocated_minor=1_000_000)
    body = {
        "task_id": str(uuid4()),
        "label": "Train the team",
        "campaign_id": str(uuid4()),
        "starts_at": NOW.isoformat(),
        "ends_at": (NOW + timedelta(days=5)).isoformat(),
        "budget_id": str(budget_id),
        "entry": "specified",
        "choices": [{"structure_id": str(WORK_DAY.structure_id)}],
        "planned_days": "5",
    }
    for _ in range(2):
        created = await client.post("/tasks", json=body)
        assert created.status_code == 201, created.text
    url = f"/tasks/{body['task_id']}"
    for to in ("in_progress", "finished"):
        moved = await client.post(f"{url}/moves", json={"to": to})
        assert moved.status_code == 200, moved.text
    shown = (await client.get(url)).json()
    assert (shown["status"], shown["calculated_minor"]) == ("finished", 150_000)
    assert [(one["label"], one["quantity"]) for one in shown["lines"]] == [("Trainer", "5.00")]
    listed = (await client.get("/tasks", params={"status": "finished"})).json()
    assert [one["task_id"] for one in listed["items"]] == [body["task_id"]]
    assert (await client.get(f"/tasks/{uuid4()}")).status_code == 404
    wrong = body | {"starts_at": "2026-03-14T08:30:00"}
    assert (await client.post("/tasks", json=wrong)).status_code == 422
    categories = (await client.get(f"/budgets/{budget_id}/categories")).json()
    assert categories == [{"label": "people", "envelope_minor": 0, "spent_minor": 150_000}]


async def test_an_order_and_its_invoice_are_saved_paid_and_shown(
    budget: Runtime, client: httpx.AsyncClient
) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    await budget.execute(a_commit(hold, emails=100))
    await compute(budget)
    order, invoice = f"/orders/{uuid4()}", f"/invoices/{uuid4()}"
    ordered = {"number": "PO-1", "supplier": "Printer", "total_minor": 1300}
    assert (await client.put(order, json=ordered)).status_code == 200
    line = {
        "label": "Printing",
        "amount_minor": 1300,
        "order_id": order.rpartition("/")[2],
        "kind": "delivery",
        "object_id": str(hold.campaign_id),
    }
    body = {
        "number": "2026-17",
        "supplier": "Printer",
        "budget_id": str(budget_id),
        "total_minor": 1300,
        "invoiced_on": "2026-03-14",
        "lines": [line],
    }
    saved_as = await client.put(invoice, json=body)
    assert saved_as.status_code == 200, saved_as.text
    paid = await client.post(f"{invoice}/moves", json={"to": "paid", "on": "2026-03-20"})
    assert (paid.json()["status"], paid.json()["charged_minor"]) == ("paid", 1300)
    assert (await client.get(order)).json()["invoiced_minor"] == 1300
    assert [one["number"] for one in (await client.get("/orders")).json()["items"]] == ["PO-1"]
    listed = (await client.get("/invoices", params={"status": "paid"})).json()
    assert [one["number"] for one in listed["items"]] == ["2026-17"]
    rate = {"base": "EUR", "quote": "USD", "valid_from": "2026-01-01", "rate": "1.1"}
    assert (await client.put("/rates", json=rate)).status_code == 204
    (known,) = (await client.get("/rates")).json()
    assert (known["base"], known["rate"]) == ("EUR", "1.10000000")
    await check_invariants(budget)
