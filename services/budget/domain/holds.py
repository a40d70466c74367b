"""Holds on a budget: made, approved, refused, given back, and used up by what was really spent.

Unless its owner chose to be warned only, a hold never takes a budget over its limit. A real cost
may: it was spent, so it is booked whole, and what exceeds the hold is said (``over_hold_minor``);
the budget then shows what is left, which may be negative, and refuses further holds until it is
raised. Where a budget needs an approval, money is held at once, so that nobody else is promised it,
and committed by the person who approves; elsewhere a hold is committed when its campaign runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from services.budget.domain.ledger import Account, Balance, Entry, EntryKind
from topics.budget import Overrun


class HoldStatus(StrEnum):
    """How a hold stands; ``asked`` only inside the transaction that answers."""

    ASKED = "asked"
    PENDING = "pending"
    HELD = "held"
    COMMITTED = "committed"
    SPENT = "spent"
    REFUSED = "refused"
    RELEASED = "released"


ACCOUNT_OF: Final = {
    HoldStatus.PENDING: Account.RESERVED,
    HoldStatus.HELD: Account.RESERVED,
    HoldStatus.COMMITTED: Account.COMMITTED,
}
"""Where the money of a live hold is; the other holds have none."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held for a campaign; ``amount_minor`` is 0 unless the hold is live."""

    status: HoldStatus = HoldStatus.ASKED
    amount_minor: int = 0

    @property
    def account(self) -> Account | None:
        """Where its money is; ``None`` when it is not live."""
        return ACCOUNT_OF.get(self.status)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a budget's owner decided of what is asked of it."""

    overrun: Overrun = Overrun.REFUSE
    needs_approval: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A hold after a command and the entries to book; both unchanged and empty on a repeat."""

    hold: Hold
    entries: tuple[Entry, ...] = ()
    released_minor: int = 0
    over_hold_minor: int = 0
    over_minor: int = 0


def reserve(balance: Balance, hold: Hold, asked_minor: int, policy: Policy = Policy()) -> Decision:
    """Hold an amount, or refuse it when it exceeds what is left; a hold is decided once."""
    if hold.status is not HoldStatus.ASKED:
        return Decision(hold)
    over = balance.lacks(asked_minor)
    if asked_minor > balance.left_minor and policy.overrun is Overrun.REFUSE:
        return Decision(refuse(hold))
    entry = Entry(EntryKind.RESERVE, Account.RESERVED, asked_minor)
    status = HoldStatus.PENDING if policy.needs_approval else HoldStatus.HELD
    return Decision(Hold(status, asked_minor), _moving(entry), over_minor=over)


def refuse(hold: Hold) -> Hold:
    """Return a hold that is not made; one that was decided already stays as it is."""
    return replace(hold, status=HoldStatus.REFUSED) if hold.status is HoldStatus.ASKED else hold


def approve(hold: Hold) -> Decision:
    """Commit a hold that waited for its approval; another one stays as it is."""
    return _commit(hold) if hold.status is HoldStatus.PENDING else Decision(hold)


def run(hold: Hold) -> Decision:
    """Commit a hold whose campaign runs; one that waits for its approval stays as it is."""
    return _commit(hold) if hold.status is HoldStatus.HELD else Decision(hold)


def _commit(hold: Hold) -> Decision:
    entries = (
        Entry(EntryKind.COMMIT, Account.RESERVED, -hold.amount_minor),
        Entry(EntryKind.COMMIT, Account.COMMITTED, hold.amount_minor),
    )
    return Decision(Hold(HoldStatus.COMMITTED, hold.amount_minor), _moving(*entries))


def decline(hold: Hold) -> Decision:
    """Refuse a hold that waited for its approval, its money given back."""
    if hold.status is not HoldStatus.PENDING:
        return Decision(hold)
    return _give_back(hold, HoldStatus.REFUSED)


def release(hold: Hold) -> Decision:
    """Give a hold back whole; one that was never made can no longer be."""
    if hold.status is HoldStatus.ASKED:
        return Decision(Hold(HoldStatus.RELEASED))
    if hold.account is None:
        return Decision(hold)
    return _give_back(hold, HoldStatus.RELEASED)


def _give_back(hold: Hold, status: HoldStatus) -> Decision:
    account = ACCOUNT_OF[hold.status]
    entry = Entry(EntryKind.RELEASE, account, -hold.amount_minor)
    return Decision(Hold(status), _moving(entry), released_minor=hold.amount_minor)


def spend(hold: Hold, cost_minor: int) -> Decision:
    """Use a hold up for a real cost and give the rest back; the cost itself is its expense's.

    Source of the rule: what was spent is spent, whatever was held for it.
    """
    if hold.status is HoldStatus.SPENT:
        return Decision(hold)
    used = min(hold.amount_minor, cost_minor)
    rest = hold.amount_minor - used
    entries: tuple[Entry, ...] = ()
    if hold.account is not None:
        entries = _moving(
            Entry(EntryKind.SPEND, hold.account, -used),
            Entry(EntryKind.RELEASE, hold.account, -rest),
        )
    return Decision(
        Hold(HoldStatus.SPENT), entries, released_minor=rest, over_hold_minor=cost_minor - used
    )


def _moving(*entries: Entry) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if entry.amount_minor)
