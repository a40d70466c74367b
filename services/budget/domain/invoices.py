"""Invoices: what is wrong with one, and to what its lines are charged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final
from uuid import UUID

from services.budget.domain.rates import converted
from services.budget.domain.structures import Problem
from topics.expenses import ExpenseKind
from topics.invoices import InvoiceLine, InvoiceStatus, OrderLine

ALLOWED: Final[Mapping[InvoiceStatus, frozenset[InvoiceStatus]]] = {
    InvoiceStatus.RECEIVED: frozenset({InvoiceStatus.PAID, InvoiceStatus.CANCELLED}),
    InvoiceStatus.PAID: frozenset(),
    InvoiceStatus.CANCELLED: frozenset(),
}
CHARGEABLE: Final = frozenset({ExpenseKind.DELIVERY, ExpenseKind.TASK})


@dataclass(frozen=True, slots=True)
class Charge:
    """What an invoice charges to one expense, in the currency of its budget (minor units)."""

    kind: ExpenseKind
    object_id: UUID
    amount_minor: int


def sum_problem(lines: Iterable[OrderLine | InvoiceLine], total_minor: int) -> Problem | None:
    """Return that lines do not sum to their total, or ``None``."""
    found = sum(one.amount_minor for one in lines)
    if found == total_minor:
        return None
    return Problem(f"the lines sum to {found}, the total is {total_minor}", "total_minor")


def line_problem(lines: Sequence[InvoiceLine]) -> Problem | None:
    """Return the first line that is charged to half a thing, or to one that cannot be invoiced."""
    for index, line in enumerate(lines):
        where = f"lines.{index}"
        if (line.kind is None) is not (line.object_id is None):
            return Problem("name both what a line is for and its id, or neither", f"{where}.kind")
        if line.kind is not None and line.kind not in CHARGEABLE:
            return Problem("a line is for a delivery or a task", f"{where}.kind")
    return None


def charges(
    invoice_id: UUID, lines: Iterable[InvoiceLine], base: str, quote: str, rate: Fraction
) -> tuple[Charge, ...]:
    """Return what an invoice charges to which expense; each line is converted by itself."""
    sums: defaultdict[tuple[ExpenseKind, UUID], int] = defaultdict(int)
    for line in lines:
        to = (line.kind or ExpenseKind.INVOICE, line.object_id or invoice_id)
        sums[to] += converted(line.amount_minor, base, quote, rate)
    ordered = sorted(sums.items(), key=lambda one: (one[0][0], one[0][1]))
    return tuple(Charge(kind, object_id, amount) for (kind, object_id), amount in ordered)
