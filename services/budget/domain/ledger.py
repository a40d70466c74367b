"""A budget's balance: accounts, the entries that move them, and how far it may be lowered.

An amount climbs a ladder: planned, reserved, committed, spent, invoiced; it is on one rung at a
time. What is planned takes nothing from a budget, the rest does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_ALLOCATION_MINOR: Final = 10**15


class Account(StrEnum):
    """The balances of a budget; each is the sum of its entries in the ledger."""

    ALLOCATED = "allocated"
    PLANNED = "planned"
    RESERVED = "reserved"
    COMMITTED = "committed"
    SPENT = "spent"
    INVOICED = "invoiced"


class EntryKind(StrEnum):
    """Why an amount moved; one cause books one entry of a kind on an account at most."""

    ALLOCATE = "allocate"
    PLAN = "plan"
    RESERVE = "reserve"
    RELEASE = "release"
    COMMIT = "commit"
    SPEND = "spend"
    INVOICE = "invoice"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement: a signed amount (minor units) on one account."""

    kind: EntryKind
    account: Account
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Levels:
    """How much is on each rung (minor units): of a whole budget, or of one expense.

    The fields are in the order of ``RUNGS``.
    """

    planned_minor: int = 0
    reserved_minor: int = 0
    committed_minor: int = 0
    spent_minor: int = 0
    invoiced_minor: int = 0

    @property
    def taken_minor(self) -> int:
        """What takes from the allocation: all but what is planned."""
        return self.reserved_minor + self.committed_minor + self.spent_minor + self.invoiced_minor

    def on(self, account: Account) -> int:
        """Return what is on one account."""
        amount: int = getattr(self, f"{account}_minor")
        return amount

    def after(self, entries: Iterable[Entry]) -> Levels:
        """Return the levels with entries booked; what is allocated is none of them."""
        sums = {account: self.on(account) for account in RUNGS}
        for entry in entries:
            if entry.account in sums:
                sums[entry.account] += entry.amount_minor
        return Levels(*sums.values())

    def plus(self, other: Levels) -> Levels:
        """Return the sum of two."""
        return Levels(*(self.on(account) + other.on(account) for account in RUNGS))

    def to(self, other: Levels, kind: EntryKind) -> tuple[Entry, ...]:
        """Return the entries that lead from these levels to others: none when they are equal."""
        changes = ((account, other.on(account) - self.on(account)) for account in RUNGS)
        return tuple(Entry(kind, account, change) for account, change in changes if change)


RUNGS: Final = tuple(account for account in Account if account is not Account.ALLOCATED)


@dataclass(frozen=True, slots=True)
class Balance:
    """What a budget was given and what is on each level (minor units)."""

    allocated_minor: int = 0
    levels: Levels = Levels()

    @property
    def left_minor(self) -> int:
        """What may still be held; negative after an overspend."""
        return self.allocated_minor - self.levels.taken_minor

    def after(self, entries: Iterable[Entry]) -> Balance:
        """Return the balance with entries booked."""
        booked = tuple(entries)
        given = sum(one.amount_minor for one in booked if one.account is Account.ALLOCATED)
        return Balance(self.allocated_minor + given, self.levels.after(booked))

    def lacks(self, asked_minor: int) -> int:
        """Return how much of an amount the budget has not; 0 when it has it all."""
        return 0 if asked_minor <= self.left_minor else asked_minor - max(self.left_minor, 0)


def allocation(balance: Balance, allocated_minor: int) -> tuple[Entry, ...]:
    """Return the entries that bring the allocation to an amount."""
    change = allocated_minor - balance.allocated_minor
    return (Entry(EntryKind.ALLOCATE, Account.ALLOCATED, change),) if change else ()


def lowers_too_far(balance: Balance, allocated_minor: int) -> bool:
    """Whether a new allocation is lower than the old one and than what is taken."""
    taken = balance.levels.taken_minor
    return allocated_minor < balance.allocated_minor and allocated_minor < taken
