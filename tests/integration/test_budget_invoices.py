"""Orders, invoices and rates against a real database."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from services.budget.app import SERVICE
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.test_budget_holds import (
    MAILING,
    a_commit,
    a_hold,
    check_invariants,
    compute,
    only,
    saved,
)
from tests.integration.test_budget_levels import as_message, levels
from topics.expenses import ExpenseKind
from topics.invoices import (
    InvoiceLine,
    InvoiceMoved,
    InvoiceRefused,
    InvoiceSaved,
    InvoiceStatus,
    MoveInvoice,
    OrderLine,
    OrderSaved,
    RateRefused,
    RateSaved,
    SaveInvoice,
    SaveOrder,
    SaveRate,
)
from topics.message import system_actor

DAY = date(2026, 3, 14)
SYSTEM = system_actor("budget")


@pytest.fixture
async def budget(open_service: Open) -> Runtime:
    return await open_service(SERVICE)


async def a_finished_campaign(runtime: Runtime) -> tuple[UUID, UUID]:
    """Return a budget and a campaign that cost it 13.00."""
    budget_id = await saved(runtime, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    await runtime.execute(hold)
    await runtime.execute(a_commit(hold, emails=100))
    await compute(runtime)
    return budget_id, hold.campaign_id


def a_line(amount: int, campaign_id: UUID | None = None, **fields: object) -> InvoiceLine:
    base: dict[str, object] = {"label": "Printing", "amount_minor": amount}
    if campaign_id is not None:
        base |= {"kind": ExpenseKind.DELIVERY, "object_id": campaign_id}
    return InvoiceLine.model_validate(base | fields)


def an_invoice(budget_id: UUID, *lines: InvoiceLine, **changes: object) -> SaveInvoice:
    fields: dict[str, object] = {
        "invoice_id": uuid4(),
        "number": "2026-17",
        "supplier": "Imprimerie du Rhône",
        "budget_id": budget_id,
        "total_minor": sum(line.amount_minor for line in lines),
        "lines": lines,
        "invoiced_on": DAY,
        "actor": SYSTEM,
    }
    return SaveInvoice.model_validate(fields | changes)


def a_move(invoice: SaveInvoice, to: InvoiceStatus = InvoiceStatus.PAID) -> MoveInvoice:
    return MoveInvoice(invoice_id=invoice.invoice_id, to=to, on=DAY, actor=SYSTEM)


async def test_what_is_paid_goes_from_spent_to_invoiced_once(budget: Runtime) -> None:
    budget_id, campaign_id = await a_finished_campaign(budget)
    invoice = an_invoice(budget_id, a_line(1000, campaign_id), a_line(250))
    only(InvoiceSaved, await budget.execute(invoice))
    assert await levels(budget, budget_id) == {"spent": 1300}
    answers = await asyncio.gather(*(budget.execute(a_move(invoice)) for _ in range(5)))
    told = {only(InvoiceMoved, one).charged_minor for one in answers}
    assert told == {1250}
    assert await levels(budget, budget_id) == {"spent": 300, "invoiced": 1250}
    await check_invariants(budget)


async def test_an_invoice_is_charged_at_the_rate_of_the_day_it_is_paid(budget: Runtime) -> None:
    budget_id, campaign_id = await a_finished_campaign(budget)
    invoice = an_invoice(budget_id, a_line(1000, campaign_id), currency="USD")
    await budget.execute(invoice)
    refused = only(InvoiceRefused, await budget.execute(a_move(invoice)))
    assert refused.reason == "no rate from USD to EUR is known on 2026-03-14: save one first"
    assert await levels(budget, budget_id) == {"spent": 1300}
    rate = SaveRate(base="EUR", quote="USD", valid_from=DAY, rate=Decimal("1.25"), actor=SYSTEM)
    only(RateSaved, await budget.execute(rate))
    moved = only(InvoiceMoved, await budget.execute(a_move(invoice)))
    assert (moved.charged_minor, moved.currency) == (800, "EUR")
    assert await levels(budget, budget_id) == {"spent": 500, "invoiced": 800}


async def test_an_old_rate_read_again_does_not_undo_a_later_one(budget: Runtime) -> None:
    old = SaveRate(base="EUR", quote="USD", valid_from=DAY, rate=Decimal(2), actor=SYSTEM)
    await as_message(budget, old, "old")
    await as_message(budget, old.model_copy(update={"rate": Decimal(3)}), "new")
    await as_message(budget, old, "old")
    assert await budget.pool.fetchval("SELECT rate FROM rates") == 3
    same = old.model_copy(update={"quote": "EUR"})
    assert only(RateRefused, await budget.execute(same)).field == "quote"


@pytest.mark.parametrize("to", [InvoiceStatus.PAID, InvoiceStatus.CANCELLED])
async def test_an_invoice_that_is_paid_or_cancelled_no_longer_changes(
    budget: Runtime, to: InvoiceStatus
) -> None:
    budget_id, campaign_id = await a_finished_campaign(budget)
    invoice = an_invoice(budget_id, a_line(1000, campaign_id))
    await budget.execute(invoice)
    await budget.execute(a_move(invoice, to))
    before = await levels(budget, budget_id)
    assert "no longer change" in only(InvoiceRefused, await budget.execute(invoice)).reason
    other = InvoiceStatus.CANCELLED if to is InvoiceStatus.PAID else InvoiceStatus.PAID
    assert (
        "no longer change"
        in only(InvoiceRefused, await budget.execute(a_move(invoice, other))).reason
    )
    assert await levels(budget, budget_id) == before
    await check_invariants(budget)


async def test_a_suppliers_number_is_taken_once_unless_it_was_cancelled(budget: Runtime) -> None:
    budget_id = await saved(budget)
    first, second = an_invoice(budget_id, a_line(10)), an_invoice(budget_id, a_line(10))
    await budget.execute(first)
    refused = only(InvoiceRefused, await budget.execute(second))
    assert refused.field == "number"
    await budget.execute(a_move(first, InvoiceStatus.CANCELLED))
    only(InvoiceSaved, await budget.execute(second))


async def test_what_is_wrong_with_an_invoice_is_refused_by_its_field(budget: Runtime) -> None:
    budget_id, campaign_id = await a_finished_campaign(budget)
    wrong = {
        "total_minor": an_invoice(budget_id, a_line(10), total_minor=11),
        "budget_id": an_invoice(uuid4(), a_line(10)),
        "lines.0.object_id": an_invoice(budget_id, a_line(10, uuid4())),
        "lines.0.order_id": an_invoice(budget_id, a_line(10, order_id=uuid4())),
        "lines.1.kind": an_invoice(
            budget_id, a_line(10, campaign_id), a_line(10, kind=ExpenseKind.TASK)
        ),
    }
    for field, command in wrong.items():
        assert only(InvoiceRefused, await budget.execute(command)).field == field
    assert await budget.pool.fetchval("SELECT count(*) FROM invoices") == 0


async def test_an_order_has_lines_that_sum_to_it_and_invoices_that_name_it(
    budget: Runtime,
) -> None:
    budget_id = await saved(budget)
    order = SaveOrder(
        order_id=uuid4(),
        number="PO-1",
        supplier="Imprimerie du Rhône",
        budget_id=budget_id,
        total_minor=30,
        lines=(OrderLine(label="Paper", amount_minor=10), OrderLine(label="Ink", amount_minor=20)),
        actor=SYSTEM,
    )
    short = order.model_copy(update={"total_minor": 31})
    assert only(InvoiceRefused, await budget.execute(short)).field == "total_minor"
    for _ in range(2):
        only(OrderSaved, await budget.execute(order))
    twin = order.model_copy(update={"order_id": uuid4()})
    assert only(InvoiceRefused, await budget.execute(twin)).field == "number"
    only(
        InvoiceSaved,
        await budget.execute(an_invoice(budget_id, a_line(30, order_id=order.order_id))),
    )
