"""What plans, programs, campaigns, deliveries and tasks cost, and where that stands in a budget.

Three costs: provisional (typed by hand), calculated, and real (typed by hand, once known).
Source of the rules: Adobe Campaign Classic, "Controlling costs".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.budget.domain.ledger import Account, Levels
from topics.expenses import CommitmentLevel, EntryStatus, ExpenseKind, TypedCost


class Stage(StrEnum):
    """How far what costs has come."""

    OPEN = "open"
    """Being edited; not analysed; a task that is scheduled or in progress."""
    ANALYSED = "analysed"
    """A delivery whose target is known."""
    FINISHED = "finished"
    CANCELLED = "cancelled"


ACCOUNT_OF: Final = {
    CommitmentLevel.PLANNED: Account.PLANNED,
    CommitmentLevel.RESERVED: Account.RESERVED,
    CommitmentLevel.COMMITTED: Account.COMMITTED,
}


@dataclass(frozen=True, slots=True)
class Expense:
    """One thing that costs, charged to one budget; amounts in minor units of its currency.

    Attributes:
        estimated_minor: what a delivery whose target is known would cost, until money is held.
        held_minor: what live holds of a delivery hold; their money is booked by them.
        computed_minor: the sum of its cost lines: volumes delivered, days done.
        paid_minor: the part that paid invoices are for.
        booked: what it has on each level of its budget now.
    """

    kind: ExpenseKind
    object_id: UUID
    budget_id: UUID
    label: str = ""
    campaign_id: UUID | None = None
    program_id: UUID | None = None
    plan_id: UUID | None = None
    status: EntryStatus = EntryStatus.SPECIFIED
    level: CommitmentLevel = CommitmentLevel.PLANNED
    stage: Stage = Stage.OPEN
    provisional: TypedCost | None = None
    real: TypedCost | None = None
    estimated_minor: int | None = None
    held_minor: int = 0
    computed_minor: int | None = None
    paid_minor: int = 0
    booked: Levels = field(default_factory=Levels)

    @property
    def counts(self) -> bool:
        """Whether what was typed for it counts."""
        return self.status is EntryStatus.SPECIFIED

    @property
    def provisional_minor(self) -> int | None:
        """The provisional cost, when it counts."""
        return self.provisional.amount_minor if self.provisional and self.counts else None

    @property
    def real_minor(self) -> int | None:
        """The real cost, when it counts."""
        return self.real.amount_minor if self.real and self.counts else None

    @property
    def calculated_minor(self) -> int | None:
        """The calculated cost of a delivery or task: real, else computed, else provisional."""
        if self.real_minor is not None:
            return self.real_minor
        if self.stage is Stage.FINISHED and self.kind is ExpenseKind.TASK:
            return self.computed_minor or 0
        if self.stage is Stage.CANCELLED:
            return self.computed_minor or 0
        known = (self.computed_minor, self.estimated_minor)
        if self.kind is ExpenseKind.DELIVERY and (
            self.held_minor or any(one is not None for one in known)
        ):
            return self.held_minor + sum(one or 0 for one in known)
        return self.provisional_minor


def position(expense: Expense, parts_minor: int = 0) -> Levels:
    """Return what an expense should have on each level of its budget.

    What invoices were paid for is invoiced, whatever else is known. A campaign has only what its
    deliveries and tasks (``parts_minor``, on all levels) have not: its provisional cost is an
    envelope that they use up. Plans and programs have nothing, for their campaigns have it.
    """
    if expense.kind is ExpenseKind.DELIVERY:
        return _of_delivery(expense)
    if expense.kind is ExpenseKind.TASK:
        return _of_task(expense)
    if expense.kind is ExpenseKind.CAMPAIGN:
        return _of_campaign(expense, parts_minor)
    return Levels(invoiced_minor=expense.paid_minor)


def _of_delivery(expense: Expense) -> Levels:
    planned = expense.estimated_minor or 0
    untouched = expense.estimated_minor is None and expense.computed_minor is None
    if untouched and expense.stage is Stage.OPEN:
        planned = expense.provisional_minor or 0
    # A delivery that was spent for keeps its typed real cost while the rest of it goes out.
    again = expense.stage is Stage.ANALYSED and expense.computed_minor is not None
    real = expense.real_minor if again or expense.stage is Stage.FINISHED else None
    spent = (expense.computed_minor or 0) if real is None else real
    return Levels(
        planned_minor=planned,
        spent_minor=max(0, spent - expense.paid_minor),
        invoiced_minor=expense.paid_minor,
    )


def _of_task(expense: Expense) -> Levels:
    cost = expense.calculated_minor or 0 if expense.counts else 0
    rest = max(0, cost - expense.paid_minor)
    if expense.stage is Stage.OPEN:
        on = Levels(**{f"{ACCOUNT_OF[expense.level]}_minor": rest})
        return replace(on, invoiced_minor=expense.paid_minor)
    return Levels(spent_minor=rest, invoiced_minor=expense.paid_minor)


def _of_campaign(expense: Expense, parts_minor: int) -> Levels:
    if expense.stage in {Stage.FINISHED, Stage.CANCELLED}:
        return Levels(spent_minor=max(0, (expense.real_minor or 0) - parts_minor))
    return Levels(planned_minor=max(0, (expense.provisional_minor or 0) - parts_minor))


@dataclass(frozen=True, slots=True)
class Costs:
    """The three costs of something, where they are known (minor units)."""

    provisional_minor: int | None = None
    calculated_minor: int | None = None
    real_minor: int | None = None


NOTHING: Final = Costs()


def typed(own: Iterable[Expense]) -> Costs:
    """Return what was typed for one thing itself, over the budgets it is charged to."""
    entries = tuple(own)
    return Costs(
        provisional_minor=_sum(one.provisional_minor for one in entries),
        real_minor=_sum(one.real_minor for one in entries),
    )


def of_campaign(own: Costs, parts: Iterable[Expense], *, finished: bool) -> Costs:
    """Return a campaign's costs from what was typed for it and its deliveries and tasks.

    While it is not finished its calculated cost is its own provisional one; without, the sum of
    its parts' provisional costs, and of their calculated ones where nothing was typed.
    """
    known = [Costs(p.provisional_minor, p.calculated_minor, p.real_minor) for p in parts]
    expected = _sum(_first(one.provisional_minor, one.calculated_minor) for one in known)
    calculated = _sum(one.calculated_minor for one in known)
    return Costs(
        _first(own.provisional_minor, _sum(one.provisional_minor for one in known)),
        _first(own.real_minor, calculated if finished else _first(own.provisional_minor, expected)),
        _first(own.real_minor, _sum(one.real_minor for one in known)),
    )


def rolled_up(own: Costs, parts: Iterable[Costs]) -> Costs:
    """Return a program's or plan's costs: the sums of its parts, its own where they have none."""
    known = tuple(parts)
    calculated = _sum(_first(one.calculated_minor, one.provisional_minor) for one in known)
    return Costs(
        _first(own.provisional_minor, _sum(one.provisional_minor for one in known)),
        _first(own.real_minor, calculated, own.provisional_minor),
        _first(own.real_minor, _sum(one.real_minor for one in known)),
    )


def _sum(amounts: Iterable[int | None]) -> int | None:
    known = [one for one in amounts if one is not None]
    return sum(known) if known else None


def _first(*amounts: int | None) -> int | None:
    return next((one for one in amounts if one is not None), None)
