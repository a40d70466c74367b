"""Invoices: their lines, and to what those are charged."""

from __future__ import annotations

from fractions import Fraction
from uuid import UUID

import pytest

from services.budget.domain.invoices import Charge, charges, line_problem, sum_problem
from topics.expenses import ExpenseKind
from topics.invoices import InvoiceLine

INVOICE, CAMPAIGN = UUID(int=1), UUID(int=2)


def a_line(amount: int, kind: ExpenseKind | None = None) -> InvoiceLine:
    object_id = CAMPAIGN if kind else None
    return InvoiceLine(label="Printing", amount_minor=amount, kind=kind, object_id=object_id)


@pytest.mark.parametrize(("total", "sound"), [(30, True), (31, False), (29, False)])
def test_the_lines_sum_to_the_total(total: int, sound: bool) -> None:
    problem = sum_problem([a_line(10), a_line(20)], total)
    assert (problem is None) is sound


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (a_line(1, ExpenseKind.DELIVERY), None),
        (a_line(1, ExpenseKind.TASK), None),
        (a_line(1), None),
        (a_line(1, ExpenseKind.PLAN), "lines.0.kind"),
        (a_line(1).model_copy(update={"object_id": CAMPAIGN}), "lines.0.kind"),
        (a_line(1).model_copy(update={"kind": ExpenseKind.TASK}), "lines.0.kind"),
    ],
)
def test_a_line_is_for_a_delivery_a_task_or_neither(line: InvoiceLine, field: str | None) -> None:
    problem = line_problem([line])
    assert (problem.field if problem else None) == field


def test_lines_for_the_same_thing_are_one_charge_and_the_rest_is_the_invoices_own() -> None:
    lines = [
        a_line(10, ExpenseKind.DELIVERY),
        a_line(5, ExpenseKind.DELIVERY),
        a_line(7, ExpenseKind.TASK),
        a_line(3),
        a_line(4),
    ]
    assert charges(INVOICE, lines, "EUR", "EUR", Fraction(1)) == (
        Charge(ExpenseKind.DELIVERY, CAMPAIGN, 15),
        Charge(ExpenseKind.INVOICE, INVOICE, 7),
        Charge(ExpenseKind.TASK, CAMPAIGN, 7),
    )


def test_each_line_is_converted_by_itself() -> None:
    lines = [a_line(1, ExpenseKind.TASK), a_line(1, ExpenseKind.TASK)]
    (charge,) = charges(INVOICE, lines, "EUR", "USD", Fraction(3, 2))
    assert charge.amount_minor == 4
