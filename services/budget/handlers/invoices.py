"""Orders, invoices and rates: what suppliers are paid, and in which currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.budget.books import Books
from services.budget.domain.expenses import Expense
from services.budget.domain.invoices import (
    ALLOWED,
    Charge,
    charges,
    line_problem,
    sum_problem,
)
from services.budget.domain.ledger import EntryKind
from services.budget.domain.rates import rate_on
from services.budget.holding import UNKNOWN
from services.budget.store.budgets import BudgetStore
from services.budget.store.causes import first_time, handled_before
from services.budget.store.expenses import ExpenseStore
from services.budget.store.invoices import Invoice, InvoiceStore
from shared import faults
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.invoices import (
    InvoiceMoved,
    InvoiceRefused,
    InvoiceSaved,
    InvoiceStatus,
    MoveInvoice,
    OrderSaved,
    RateRefused,
    RateSaved,
    SaveInvoice,
    SaveOrder,
    SaveRate,
)

registry = Registry()


def _refused(command: SaveOrder | SaveInvoice | MoveInvoice, refusal: Refused) -> InvoiceRefused:
    document = command.order_id if isinstance(command, SaveOrder) else command.invoice_id
    return InvoiceRefused(
        document_id=document,
        command=type(command).__name__,
        reason=refusal.reason,
        field=refusal.field,
        actor=command.actor,
    )


@registry.on(SaveOrder, refusal=_refused)
async def save_order(command: SaveOrder, work: Work) -> None:
    """Save what was ordered; an old message again changes nothing."""
    await require(work, command.actor, Right.MANAGE_BUDGETS)
    problem = sum_problem(command.lines, command.total_minor) if command.lines else None
    if problem is not None:
        raise Refused(problem.reason, field=problem.field)
    store = InvoiceStore(work.connection)
    if await store.order_of_number(command.supplier, command.number) not in {
        None,
        command.order_id,
    }:
        raise Refused("this order number of this supplier is known already", field="number")
    if command.budget_id and await BudgetStore(work.connection).find(command.budget_id) is None:
        raise Refused(UNKNOWN, field="budget_id")
    if await first_time(work):
        await store.save_order(command, work.now)
    work.emit(
        OrderSaved(
            order_id=command.order_id,
            number=command.number,
            supplier=command.supplier,
            currency=command.currency,
            total_minor=command.total_minor,
            actor=command.actor,
        )
    )


@registry.on(SaveInvoice, refusal=_refused)
async def save_invoice(command: SaveInvoice, work: Work) -> None:
    """Save an invoice that is not paid; an old message again changes nothing."""
    await require(work, command.actor, Right.MANAGE_BUDGETS)
    store = InvoiceStore(work.connection)
    invoice = await store.lock(command.invoice_id)
    if invoice is None or not await handled_before(work):
        await _check_invoice(command, invoice, store, work)
        await first_time(work)
        await store.save(command, work.now)
    work.emit(
        InvoiceSaved(
            invoice_id=command.invoice_id,
            number=command.number,
            supplier=command.supplier,
            budget_id=command.budget_id,
            currency=command.currency,
            total_minor=command.total_minor,
            actor=command.actor,
        )
    )


async def _check_invoice(
    command: SaveInvoice, invoice: Invoice | None, store: InvoiceStore, work: Work
) -> None:
    if invoice is not None and invoice.status is not InvoiceStatus.RECEIVED:
        raise Refused(f"this invoice is {invoice.status}: it can no longer change")
    problem = sum_problem(command.lines, command.total_minor) or line_problem(command.lines)
    if problem is not None:
        raise Refused(problem.reason, field=problem.field)
    if await store.invoice_of_number(command.supplier, command.number) not in {
        None,
        command.invoice_id,
    }:
        raise Refused("this invoice number of this supplier is known already", field="number")
    if await BudgetStore(work.connection).find(command.budget_id) is None:
        raise Refused(UNKNOWN, field="budget_id")
    await _check_lines(command, store, ExpenseStore(work.connection))


async def _check_lines(command: SaveInvoice, store: InvoiceStore, expenses: ExpenseStore) -> None:
    named = [line.order_id for line in command.lines if line.order_id]
    known = await store.known_orders(named)
    for index, line in enumerate(command.lines):
        if line.order_id is not None and line.order_id not in known:
            raise Refused("there is no such order", field=f"lines.{index}.order_id")
        if line.kind is None or line.object_id is None:
            continue
        if await expenses.find(line.kind, line.object_id, command.budget_id) is None:
            reason = f"the budget has no cost of this {line.kind}"
            raise Refused(reason, field=f"lines.{index}.object_id")


@registry.on(MoveInvoice, refusal=_refused)
async def move_invoice(command: MoveInvoice, work: Work) -> None:
    """Mark an invoice paid, its amount invoiced, or cancelled; the first move is the only one."""
    await require(work, command.actor, Right.MANAGE_BUDGETS)
    store = InvoiceStore(work.connection)
    invoice = await store.lock(command.invoice_id)
    if invoice is None:
        raise Refused("there is no such invoice", field="invoice_id")
    books = await Books.open(work, invoice.budget_id, f"invoice {invoice.invoice_id}")
    if books is None:
        raise Refused(UNKNOWN)
    if invoice.status is not command.to:
        if command.to not in ALLOWED[invoice.status]:
            raise Refused(f"this invoice is {invoice.status}: it can no longer change")
        invoice = await _move(command, invoice, books, store)
    work.emit(
        InvoiceMoved(
            invoice_id=invoice.invoice_id,
            number=invoice.number,
            supplier=invoice.supplier,
            budget_id=invoice.budget_id,
            status=invoice.status,
            charged_minor=invoice.charged_minor,
            currency=books.budget.currency,
            actor=command.actor,
        )
    )


async def _move(
    command: MoveInvoice, invoice: Invoice, books: Books, store: InvoiceStore
) -> Invoice:
    charged: Sequence[Charge] = ()
    if command.to is InvoiceStatus.PAID:
        base, quote = invoice.currency, books.budget.currency
        rate = rate_on(await store.rates(base, quote), base, quote, command.on)
        if rate is None:
            reason = f"no rate from {base} to {quote} is known on {command.on}: save one first"
            raise Refused(reason, field="on")
        lines = await store.lines(invoice.invoice_id)
        charged = charges(invoice.invoice_id, lines, base, quote, rate)
        await store.charge(invoice, charged)
        for one in charged:
            await _charge(one, books)
        await books.close()
        faults.reach("budget.invoiced")
    total = sum(one.amount_minor for one in charged)
    await store.move(invoice.invoice_id, command.to, command.on, total)
    return replace(invoice, status=command.to, charged_minor=total)


async def _charge(charge: Charge, books: Books) -> None:
    found = await books.expense(charge.kind, charge.object_id)
    expense = found or Expense(charge.kind, charge.object_id, books.budget.budget_id)
    paid = replace(expense, paid_minor=expense.paid_minor + charge.amount_minor)
    await books.change(paid, EntryKind.INVOICE)


def _no_rate(command: SaveRate, refusal: Refused) -> RateRefused:
    return RateRefused(
        base=command.base,
        quote=command.quote,
        reason=refusal.reason,
        field=refusal.field,
        actor=command.actor,
    )


@registry.on(SaveRate, refusal=_no_rate)
async def save_rate(command: SaveRate, work: Work) -> None:
    """Keep a rate; what was converted before stays, an old message again changes nothing."""
    await require(work, command.actor, Right.MANAGE_BUDGETS)
    if command.base == command.quote:
        raise Refused("a currency has no rate to itself", field="quote")
    if await first_time(work):
        await InvoiceStore(work.connection).save_rate(command)
    work.emit(
        RateSaved(
            base=command.base,
            quote=command.quote,
            valid_from=command.valid_from,
            rate=command.rate,
            actor=command.actor,
        )
    )
