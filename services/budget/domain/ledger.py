"""A budget's balance: accounts, the entries that move them, and how far it may be lowered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_ALLOCATION_MINOR: Final = 10**15


class Account(StrEnum):
    """The balances of a budget; each is the sum of its entries in the ledger."""

    ALLOCATED = "allocated"
    RESERVED = "reserved"
    SPENT = "spent"


class EntryKind(StrEnum):
    """Why an amount moved; one cause books one entry of a kind at most."""

    ALLOCATE = "allocate"
    RESERVE = "reserve"
    RELEASE = "release"
    COMMIT = "commit"
    SPEND = "spend"


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement: a signed amount (minor units) on one account."""

    kind: EntryKind
    account: Account
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Balance:
    """A budget's three accounts (minor units)."""

    allocated_minor: int = 0
    reserved_minor: int = 0
    spent_minor: int = 0

    @property
    def left_minor(self) -> int:
        """What may still be held; negative after an overspend."""
        return self.allocated_minor - self.reserved_minor - self.spent_minor

    def after(self, entries: Iterable[Entry]) -> Balance:
        """Return the balance with entries booked."""
        sums = {
            Account.ALLOCATED: self.allocated_minor,
            Account.RESERVED: self.reserved_minor,
            Account.SPENT: self.spent_minor,
        }
        for entry in entries:
            sums[entry.account] += entry.amount_minor
        return Balance(sums[Account.ALLOCATED], sums[Account.RESERVED], sums[Account.SPENT])


def allocation(balance: Balance, allocated_minor: int) -> tuple[Entry, ...]:
    """Return the entries that bring the allocation to an amount."""
    change = allocated_minor - balance.allocated_minor
    return (Entry(EntryKind.ALLOCATE, Account.ALLOCATED, change),) if change else ()


def lowers_too_far(balance: Balance, allocated_minor: int) -> bool:
    """Whether a new allocation is lower than the old one and than what is held and spent."""
    taken = balance.reserved_minor + balance.spent_minor
    return allocated_minor < balance.allocated_minor and allocated_minor < taken
