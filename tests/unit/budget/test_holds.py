"""Holds against a limit: every order and repetition of commands keeps the ledger true."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.budget.domain.holds import Decision, Hold, HoldStatus, commit, release, reserve
from services.budget.domain.ledger import (
    Account,
    Balance,
    Entry,
    EntryKind,
    allocation,
    lowers_too_far,
)

LIMIT = 1000


@dataclass
class Book:
    """A budget of 1000 with its holds and its ledger, driven by the domain alone."""

    balance: Balance = field(default_factory=lambda: Balance(allocated_minor=LIMIT))
    holds: dict[int, Hold] = field(default_factory=dict)
    ledger: dict[tuple[int, EntryKind], Entry] = field(default_factory=dict)

    def apply(self, name: str, hold_id: int, amount: int) -> None:
        hold = self.holds.get(hold_id, Hold())
        decision = self._decide(name, hold, amount)
        for entry in decision.entries:
            key = (hold_id, entry.kind)
            assert key not in self.ledger, "one cause books one entry of a kind"
            self.ledger[key] = entry
        before, self.balance = self.balance, self.balance.after(decision.entries)
        self.holds[hold_id] = decision.hold
        if name == "reserve" and decision.entries:
            assert self.balance.left_minor >= 0, f"a hold went past the limit from {before}"

    def _decide(self, name: str, hold: Hold, amount: int) -> Decision:
        if name == "reserve":
            return reserve(self.balance, hold, amount)
        if name == "release":
            return release(hold)
        # As the service does: a request waits for its hold.
        return commit(hold, amount) if hold.status is not HoldStatus.ASKED else Decision(hold)

    def sum_of(self, account: Account) -> int:
        return sum(e.amount_minor for e in self.ledger.values() if e.account is account)


commands = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "release", "commit"]),
        st.integers(min_value=0, max_value=5),
        st.integers(min_value=0, max_value=700),
    ),
    max_size=60,
)


@given(commands=commands)
def test_whatever_comes_in_whatever_order_the_ledger_sums_to_the_balance(
    commands: list[tuple[str, int, int]],
) -> None:
    book = Book()
    for command in commands:
        book.apply(*command)
        assert book.balance.reserved_minor == book.sum_of(Account.RESERVED)
        assert book.balance.spent_minor == book.sum_of(Account.SPENT)
        held = sum(hold.amount_minor for hold in book.holds.values())
        assert book.balance.reserved_minor == held
        assert min(book.balance.reserved_minor, book.balance.spent_minor) >= 0


@given(commands=commands)
def test_repeating_every_command_changes_nothing(commands: list[tuple[str, int, int]]) -> None:
    book = Book()
    for command in commands:
        book.apply(*command)
        once = (book.balance, dict(book.holds), dict(book.ledger))
        if book.holds[command[1]].status is not HoldStatus.ASKED:
            book.apply(*command)
            assert (book.balance, book.holds, book.ledger) == once


@given(
    commands=commands.map(lambda all_: [one for one in all_ if one[0] != "commit"]),
)
def test_holds_alone_never_exceed_the_limit(commands: list[tuple[str, int, int]]) -> None:
    book = Book()
    for command in commands:
        book.apply(*command)
        assert 0 <= book.balance.reserved_minor <= LIMIT


@pytest.mark.parametrize(
    ("asked", "status"), [(999, "held"), (1000, "held"), (1001, "refused"), (0, "held")]
)
def test_a_hold_stops_exactly_at_the_limit(asked: int, status: str) -> None:
    assert reserve(Balance(allocated_minor=LIMIT), Hold(), asked).hold.status == status


def test_a_cost_under_the_hold_gives_the_rest_back() -> None:
    decision = commit(Hold(HoldStatus.HELD, 500), 300)
    assert (decision.released_minor, decision.over_hold_minor) == (200, 0)
    after = Balance(LIMIT, 500, 0).after(decision.entries)
    assert after == Balance(LIMIT, 0, 300)


def test_a_cost_over_the_hold_is_booked_whole_and_said() -> None:
    decision = commit(Hold(HoldStatus.HELD, 500), 1200)
    assert (decision.released_minor, decision.over_hold_minor) == (0, 700)
    after = Balance(LIMIT, 500, 0).after(decision.entries)
    assert after == Balance(LIMIT, 0, 1200)
    assert after.left_minor == -200


def test_a_cost_after_the_hold_was_given_back_is_booked_too() -> None:
    decision = commit(Hold(HoldStatus.RELEASED), 40)
    assert decision.entries == (Entry(EntryKind.SPEND, Account.SPENT, 40),)
    assert decision.over_hold_minor == 40


def test_a_hold_given_back_before_it_was_made_can_no_longer_be_made() -> None:
    early = release(Hold())
    assert early.entries == ()
    late = reserve(Balance(allocated_minor=LIMIT), early.hold, 10)
    assert (late.hold.status, late.entries) == (HoldStatus.RELEASED, ())


def test_an_overspent_budget_holds_nothing_more_not_even_nothing() -> None:
    balance = Balance(allocated_minor=100, spent_minor=120)
    assert reserve(balance, Hold(), 0).hold.status is HoldStatus.REFUSED


@pytest.mark.parametrize(
    ("allocated", "too_far"),
    [(1500, False), (1000, False), (999, False), (700, False), (699, True)],
)
def test_an_allocation_can_be_lowered_to_what_is_held_and_spent(
    allocated: int, too_far: bool
) -> None:
    assert lowers_too_far(Balance(LIMIT, 300, 400), allocated) is too_far


def test_an_overspent_budget_can_be_raised_by_less_than_it_lacks() -> None:
    assert not lowers_too_far(Balance(100, 0, 200), 150)


def test_a_change_of_allocation_is_one_entry_and_no_change_none() -> None:
    balance = Balance(allocated_minor=100)
    assert balance.after(allocation(balance, 70)).allocated_minor == 70
    assert allocation(balance, 100) == ()
