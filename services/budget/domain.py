"""What costs are and what a budget allows: formulas, holds and the entries they book.

A hold never takes a budget over its limit. A real cost may: it was spent, so it is booked whole,
and what exceeds the hold is said (``over_hold_minor``); the budget then shows what is left, which
may be negative, and refuses further holds until it is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.budget.money import to_minor
from topics.budget import CostDriver, CostLine, CostStructure, Formula, Volumes

MAX_VOLUME: Final = 100_000_000
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


class HoldStatus(StrEnum):
    """How a hold stands; ``asked`` only inside the transaction that answers."""

    ASKED = "asked"
    HELD = "held"
    REFUSED = "refused"
    RELEASED = "released"
    COMMITTED = "committed"


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


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held for a campaign; ``amount_minor`` is 0 unless the status is ``held``."""

    status: HoldStatus = HoldStatus.ASKED
    amount_minor: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """A hold after a command and the entries to book; both unchanged and empty on a repeat."""

    hold: Hold
    entries: tuple[Entry, ...] = ()
    released_minor: int = 0
    over_hold_minor: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a budget cannot be saved, and the field to mend."""

    reason: str
    field: str


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A structure applied to a volume: what one cost line says."""

    structure: CostStructure
    quantity: int
    amount_minor: int

    @property
    def line(self) -> CostLine:
        """The line as messages carry it."""
        return CostLine(
            category=self.structure.category,
            label=self.structure.label,
            quantity=self.quantity,
            amount_minor=self.amount_minor,
        )


def volume(volumes: Volumes, driver: CostDriver) -> int:
    """Return what a driver counts; a structure without a driver counts one."""
    counted = {
        CostDriver.EMAILS: volumes.emails,
        CostDriver.LETTERS: volumes.letters,
        CostDriver.ORGANISATIONS: volumes.organisations,
        CostDriver.PERSONS: volumes.persons,
    }
    return counted.get(driver, 1)


def cost_lines(
    structures: Iterable[CostStructure],
    volumes: Volumes,
    currency: str,
    *,
    charged: frozenset[UUID] = frozenset(),
) -> tuple[PricedLine, ...]:
    """Return the cost lines of volumes, each rounded half up once to minor units.

    A linear structure that counts nothing makes no line. A fixed one is charged once per campaign:
    those in ``charged`` have been.
    """
    lines = []
    for structure in structures:
        if structure.formula is Formula.FIXED:
            if structure.structure_id not in charged:
                lines.append(PricedLine(structure, 1, structure.amount_minor))
        elif (quantity := volume(volumes, structure.driver)) > 0:
            amount = to_minor(structure.unit_price * quantity, currency)
            lines.append(PricedLine(structure, quantity, amount))
    return tuple(lines)


def total(lines: Iterable[PricedLine]) -> int:
    """Return the sum of lines (minor units)."""
    return sum(line.amount_minor for line in lines)


def plausible(volumes: Volumes) -> bool:
    """Whether no count is beyond what an audience can be."""
    counts = (volumes.emails, volumes.letters, volumes.organisations, volumes.persons)
    return max(counts) <= MAX_VOLUME


def reserve(balance: Balance, hold: Hold, asked_minor: int) -> Decision:
    """Hold an amount, or refuse it when it exceeds what is left; a hold is decided once."""
    if hold.status is not HoldStatus.ASKED:
        return Decision(hold)
    if asked_minor > balance.left_minor:
        return Decision(refuse(hold))
    entry = Entry(EntryKind.RESERVE, Account.RESERVED, asked_minor)
    return Decision(Hold(HoldStatus.HELD, asked_minor), (entry,))


def refuse(hold: Hold) -> Hold:
    """Return a hold that is not made; one that was decided already stays as it is."""
    return replace(hold, status=HoldStatus.REFUSED) if hold.status is HoldStatus.ASKED else hold


def release(hold: Hold) -> Decision:
    """Give a hold back whole; one that was never made can no longer be."""
    if hold.status is HoldStatus.ASKED:
        return Decision(Hold(HoldStatus.RELEASED))
    if hold.status is not HoldStatus.HELD:
        return Decision(hold)
    entry = Entry(EntryKind.RELEASE, Account.RESERVED, -hold.amount_minor)
    return Decision(Hold(HoldStatus.RELEASED), (entry,), released_minor=hold.amount_minor)


def commit(hold: Hold, cost_minor: int) -> Decision:
    """Turn a hold into its real cost, the rest given back; without a hold the cost is booked too.

    Source of the rule: what was spent is spent, whatever was held for it.
    """
    if hold.status is HoldStatus.COMMITTED:
        return Decision(hold)
    used = min(hold.amount_minor, cost_minor)
    rest = hold.amount_minor - used
    entries = (
        Entry(EntryKind.COMMIT, Account.RESERVED, -used),
        Entry(EntryKind.RELEASE, Account.RESERVED, -rest),
        Entry(EntryKind.SPEND, Account.SPENT, cost_minor),
    )
    return Decision(
        Hold(HoldStatus.COMMITTED),
        tuple(entry for entry in entries if entry.amount_minor),
        released_minor=rest,
        over_hold_minor=cost_minor - used,
    )


def allocation(balance: Balance, allocated_minor: int) -> tuple[Entry, ...]:
    """Return the entries that bring the allocation to an amount."""
    change = allocated_minor - balance.allocated_minor
    return (Entry(EntryKind.ALLOCATE, Account.ALLOCATED, change),) if change else ()


def lowers_too_far(balance: Balance, allocated_minor: int) -> bool:
    """Whether a new allocation is lower than the old one and than what is held and spent."""
    taken = balance.reserved_minor + balance.spent_minor
    return allocated_minor < balance.allocated_minor and allocated_minor < taken


def problem_in(structures: Sequence[CostStructure]) -> Problem | None:
    """Return the first contradiction in cost structures, or ``None``."""
    seen: set[UUID] = set()
    for index, structure in enumerate(structures):
        where = f"structures.{index}"
        if structure.structure_id in seen:
            return Problem("two cost structures have the same id", f"{where}.structure_id")
        seen.add(structure.structure_id)
        problem = _fixed_problem(structure) or _linear_problem(structure)
        if problem is not None:
            return replace(problem, field=f"{where}.{problem.field}")
    return None


def _fixed_problem(structure: CostStructure) -> Problem | None:
    if structure.formula is not Formula.FIXED:
        return None
    if structure.driver is not CostDriver.NONE:
        reason = f"“{structure.label}” is fixed, so it counts nothing: its driver must be “none”"
        return Problem(reason, "driver")
    if structure.amount_minor > MAX_ALLOCATION_MINOR:
        reason = f"“{structure.label}” is dearer than a budget can be"
        return Problem(reason, "amount_minor")
    if structure.unit_price:
        return Problem(f"“{structure.label}” is fixed: give an amount, no unit price", "unit_price")
    return None


def _linear_problem(structure: CostStructure) -> Problem | None:
    if structure.formula is not Formula.LINEAR:
        return None
    if structure.driver is CostDriver.NONE:
        reason = (
            f"“{structure.label}” is linear: choose what it counts"
            " (emails, letters, organisations or persons)"
        )
        return Problem(reason, "driver")
    if structure.amount_minor:
        return Problem(f"“{structure.label}” is linear: give a unit price only", "amount_minor")
    return None
