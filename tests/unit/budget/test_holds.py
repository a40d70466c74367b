"""Holds against a limit: how each is made, approved, refused, given back and used up."""

from __future__ import annotations

import pytest

from services.budget.domain.holds import (
    Hold,
    HoldStatus,
    Policy,
    approve,
    decline,
    release,
    reserve,
    run,
    spend,
)
from services.budget.domain.ledger import (
    Account,
    Balance,
    Entry,
    EntryKind,
    Levels,
    allocation,
    lowers_too_far,
)
from topics.budget import Overrun

LIMIT = 1000
HELD = Hold(HoldStatus.HELD, 500)
PENDING = Hold(HoldStatus.PENDING, 500)


@pytest.mark.parametrize(
    ("asked", "status"), [(999, "held"), (1000, "held"), (1001, "refused"), (0, "held")]
)
def test_a_hold_stops_exactly_at_the_limit(asked: int, status: str) -> None:
    assert reserve(Balance(allocated_minor=LIMIT), Hold(), asked).hold.status == status


def test_a_cost_under_the_hold_gives_the_rest_back() -> None:
    decision = spend(HELD, 300)
    assert (decision.released_minor, decision.over_hold_minor) == (200, 0)
    after = Balance(LIMIT, Levels(reserved_minor=500)).after(decision.entries)
    assert after == Balance(LIMIT)


def test_a_cost_over_the_hold_uses_it_up_and_is_said() -> None:
    decision = spend(HELD, 1200)
    assert (decision.released_minor, decision.over_hold_minor) == (0, 700)
    after = Balance(LIMIT, Levels(reserved_minor=500)).after(decision.entries)
    assert after == Balance(LIMIT)


def test_a_cost_after_the_hold_was_given_back_is_over_it() -> None:
    decision = spend(Hold(HoldStatus.RELEASED), 40)
    assert (decision.hold.status, decision.entries) == (HoldStatus.SPENT, ())
    assert decision.over_hold_minor == 40


def test_a_hold_given_back_before_it_was_made_can_no_longer_be_made() -> None:
    early = release(Hold())
    assert early.entries == ()
    late = reserve(Balance(allocated_minor=LIMIT), early.hold, 10)
    assert (late.hold.status, late.entries) == (HoldStatus.RELEASED, ())


def test_an_overspent_budget_holds_nothing_more_not_even_nothing() -> None:
    balance = Balance(100, Levels(spent_minor=120))
    assert reserve(balance, Hold(), 0).hold.status is HoldStatus.REFUSED


@pytest.mark.parametrize(
    ("allocated", "too_far"),
    [(1500, False), (1000, False), (999, False), (700, False), (699, True)],
)
def test_an_allocation_can_be_lowered_to_what_is_held_and_spent(
    allocated: int, too_far: bool
) -> None:
    assert (
        lowers_too_far(
            Balance(LIMIT, Levels(reserved_minor=200, committed_minor=100, spent_minor=400)),
            allocated,
        )
        is too_far
    )


def test_an_overspent_budget_can_be_raised_by_less_than_it_lacks() -> None:
    assert not lowers_too_far(Balance(100, Levels(spent_minor=200)), 150)


def test_a_change_of_allocation_is_one_entry_and_no_change_none() -> None:
    balance = Balance(allocated_minor=100)
    assert balance.after(allocation(balance, 70)).allocated_minor == 70
    assert allocation(balance, 100) == ()


def moved(entries: tuple[Entry, ...]) -> dict[Account, int]:
    return {entry.account: entry.amount_minor for entry in entries}


@pytest.mark.parametrize(
    ("left", "asked", "over"),
    [(1000, 1000, 0), (1000, 1001, 1), (0, 5, 5), (-50, 5, 5), (-50, 0, 0)],
)
def test_a_budget_that_warns_is_overrun_and_says_by_how_much(
    left: int, asked: int, over: int
) -> None:
    balance = Balance(1000, Levels(spent_minor=1000 - left))
    decision = reserve(balance, Hold(), asked, Policy(Overrun.WARN))
    assert (decision.hold, decision.over_minor) == (Hold(HoldStatus.HELD, asked), over)


def test_money_that_waits_for_approval_is_reserved_and_committed_by_it() -> None:
    asked = reserve(Balance(LIMIT), Hold(), 500, Policy(needs_approval=True))
    assert asked.hold == PENDING
    assert moved(asked.entries) == {Account.RESERVED: 500}
    given = approve(asked.hold)
    assert given.hold == Hold(HoldStatus.COMMITTED, 500)
    assert moved(given.entries) == {Account.RESERVED: -500, Account.COMMITTED: 500}


def test_money_that_is_not_approved_is_given_back() -> None:
    declined = decline(PENDING)
    assert (declined.hold, declined.released_minor) == (Hold(HoldStatus.REFUSED), 500)
    assert moved(declined.entries) == {Account.RESERVED: -500}


def test_a_run_commits_what_is_held_and_nothing_that_waits_for_approval() -> None:
    assert run(HELD).hold == Hold(HoldStatus.COMMITTED, 500)
    assert run(PENDING).hold == PENDING


@pytest.mark.parametrize("status", [one for one in HoldStatus if one is not HoldStatus.PENDING])
def test_only_what_waits_can_be_decided(status: HoldStatus) -> None:
    hold = Hold(status)
    for decision in (approve(hold), decline(hold)):
        assert (decision.hold, decision.entries) == (hold, ())


def test_committed_money_is_used_up_and_given_back_from_where_it_is() -> None:
    committed = Hold(HoldStatus.COMMITTED, 500)
    assert moved(release(committed).entries) == {Account.COMMITTED: -500}
    assert [(e.kind, e.account, e.amount_minor) for e in spend(committed, 300).entries] == [
        (EntryKind.SPEND, Account.COMMITTED, -300),
        (EntryKind.RELEASE, Account.COMMITTED, -200),
    ]


def test_what_is_planned_takes_nothing_from_a_budget() -> None:
    balance = Balance(LIMIT, Levels(planned_minor=900, committed_minor=300, invoiced_minor=100))
    assert balance.left_minor == 600


def test_levels_lead_to_others_by_entries_for_what_differs() -> None:
    before, after = Levels(planned_minor=5, spent_minor=7), Levels(reserved_minor=5, spent_minor=7)
    entries = before.to(after, EntryKind.RESERVE)
    assert moved(entries) == {Account.PLANNED: -5, Account.RESERVED: 5}
    assert before.after(entries) == after
