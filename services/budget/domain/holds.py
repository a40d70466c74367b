"""Holds on a budget: made, refused, given back, and turned into what was really spent.

A hold never takes a budget over its limit. A real cost may: it was spent, so it is booked whole,
and what exceeds the hold is said (``over_hold_minor``); the budget then shows what is left, which
may be negative, and refuses further holds until it is raised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from services.budget.domain.ledger import Account, Balance, Entry, EntryKind


class HoldStatus(StrEnum):
    """How a hold stands; ``asked`` only inside the transaction that answers."""

    ASKED = "asked"
    HELD = "held"
    REFUSED = "refused"
    RELEASED = "released"
    COMMITTED = "committed"


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
