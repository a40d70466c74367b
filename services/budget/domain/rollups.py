"""What campaigns, programs and plans cost altogether, in one currency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.budget.domain.expenses import Costs, Expense, of_campaign, rolled_up, typed
from services.budget.domain.ledger import Levels
from topics.expenses import ExpenseKind

PARTS = frozenset({ExpenseKind.DELIVERY, ExpenseKind.TASK})


@dataclass(frozen=True, slots=True)
class Rollup:
    """The three costs of something, and what it has on each level of its budgets."""

    costs: Costs = field(default_factory=Costs)
    levels: Levels = field(default_factory=Levels)


def campaign(expenses: Iterable[Expense], held: Levels, *, finished: bool) -> Rollup:
    """Return a campaign's roll-up from its own expenses, its parts' and what its holds hold."""
    entries = tuple(expenses)
    own = typed(one for one in entries if one.kind is ExpenseKind.CAMPAIGN)
    parts = (one for one in entries if one.kind in PARTS)
    return Rollup(
        of_campaign(own, parts, finished=finished),
        _sum([*(one.booked for one in entries), held]),
    )


def above(own: Iterable[Expense], tasks: Iterable[Expense], parts: Iterable[Rollup]) -> Rollup:
    """Return a program's or plan's roll-up from what was typed for it, its tasks and its parts."""
    direct, below = tuple(tasks), tuple(parts)
    of_tasks = of_campaign(Costs(), direct, finished=False)
    costs = [one.costs for one in below] + ([of_tasks] if direct else [])
    levels = [one.levels for one in below] + [one.booked for one in direct]
    return Rollup(rolled_up(typed(own), costs), _sum(levels))


def _sum(levels: Iterable[Levels]) -> Levels:
    total = Levels()
    for one in levels:
        total = total.plus(one)
    return total
