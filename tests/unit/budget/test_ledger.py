"""Random sequences of budget commands, duplicated, reordered, replayed: the ledger stays true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.budget.domain.expenses import Expense, Stage, position
from services.budget.domain.holds import (
    Decision,
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
from services.budget.domain.ledger import RUNGS, Account, Balance, Entry, EntryKind, Levels
from topics.budget import Overrun
from topics.expenses import ExpenseKind, TypedCost

BUDGET, LIMIT = UUID(int=9), 1000
HOLDS = st.integers(min_value=0, max_value=5)
CAMPAIGNS = st.integers(min_value=0, max_value=1)
AMOUNTS = st.integers(min_value=0, max_value=700)


class Ledger(RuleBasedStateMachine):
    """A budget of 1000 for two campaigns of three holds each, booked as the service books it."""

    def __init__(self) -> None:
        super().__init__()
        self.balance = Balance(LIMIT)
        self.policy = Policy()
        self.holds: defaultdict[int, Hold] = defaultdict(Hold)
        self.expenses: dict[tuple[ExpenseKind, int], Expense] = {}
        self.rows: dict[tuple[str, EntryKind, Account], int] = {}
        self.typed = 0

    @initialize(overrun=st.sampled_from(Overrun), needs_approval=st.booleans())
    def choose_policy(self, overrun: Overrun, needs_approval: bool) -> None:
        self.policy = Policy(overrun, needs_approval)

    # What the service does around its rules.

    def expense(self, kind: ExpenseKind, campaign: int) -> Expense:
        new = Expense(kind, UUID(int=campaign), BUDGET, campaign_id=UUID(int=campaign))
        return self.expenses.get((kind, campaign), new)

    def place(self, expense: Expense, kind: EntryKind) -> tuple[Entry, ...]:
        campaign = expense.object_id.int
        delivery = self.expense(ExpenseKind.DELIVERY, campaign)
        parts = delivery.held_minor + sum(delivery.booked.on(account) for account in RUNGS)
        booked = position(expense, parts)
        self.expenses[expense.kind, campaign] = replace(expense, booked=booked)
        return expense.booked.to(booked, kind)

    def change(self, expense: Expense, kind: EntryKind) -> tuple[Entry, ...]:
        entries = self.place(expense, kind)
        own = self.expenses.get((ExpenseKind.CAMPAIGN, expense.object_id.int))
        if own is not None and expense.kind is ExpenseKind.DELIVERY:
            entries += self.place(own, kind)
        return entries

    def book(self, cause: str, entries: Iterable[Entry]) -> None:
        sums: defaultdict[tuple[EntryKind, Account], int] = defaultdict(int)
        for entry in entries:
            sums[entry.kind, entry.account] += entry.amount_minor
        for (kind, account), amount in sums.items():
            if amount:
                assert (cause, kind, account) not in self.rows, "one cause books an entry once"
                self.rows[cause, kind, account] = amount
                self.balance = self.balance.after([Entry(kind, account, amount)])

    def held(self, number: int, decision: Decision, **changes: Any) -> tuple[Entry, ...]:
        before, self.holds[number] = self.holds[number], decision.hold
        delivery = self.expense(ExpenseKind.DELIVERY, number % 2)
        held = delivery.held_minor + decision.hold.amount_minor - before.amount_minor
        return (
            *decision.entries,
            *self.change(
                replace(delivery, held_minor=held, **changes), KINDS[decision.hold.status]
            ),
        )

    # Commands; each may come again, late, or before what it follows.

    @rule(campaign=CAMPAIGNS, amount=AMOUNTS)
    def estimate(self, campaign: int, amount: int) -> None:
        self.typed += 1
        delivery = self.expense(ExpenseKind.DELIVERY, campaign)
        after = replace(delivery, estimated_minor=amount, stage=Stage.ANALYSED)
        self.book(f"estimate {self.typed}", self.change(after, EntryKind.PLAN))

    @rule(campaign=CAMPAIGNS, amount=AMOUNTS)
    def type_provisional(self, campaign: int, amount: int) -> None:
        self.typed += 1
        own = self.expense(ExpenseKind.CAMPAIGN, campaign)
        after = replace(own, provisional=TypedCost(amount_minor=amount))
        self.book(f"save {self.typed}", self.change(after, EntryKind.PLAN))

    @rule(campaign=CAMPAIGNS, amount=AMOUNTS)
    def type_real(self, campaign: int, amount: int) -> None:
        self.typed += 1
        delivery = self.expense(ExpenseKind.DELIVERY, campaign)
        after = replace(delivery, real=TypedCost(amount_minor=amount))
        self.book(f"save {self.typed}", self.change(after, EntryKind.CORRECT))

    @rule(number=HOLDS, amount=AMOUNTS)
    def reserve(self, number: int, amount: int) -> None:
        decision = reserve(self.balance, self.holds[number], amount, self.policy)
        self.holds[number] = self.holds[number] if decision.entries else decision.hold
        if decision.entries:
            entries = self.held(number, decision, estimated_minor=None, stage=Stage.ANALYSED)
            self.book(f"hold {number}", entries)
            over = self.policy.overrun is Overrun.WARN
            assert over or self.balance.left_minor >= 0, "a hold went past the limit"

    @rule(number=HOLDS, yes=st.booleans())
    def decide(self, number: int, yes: bool) -> None:
        before = self.holds[number]
        decision = approve(before) if yes else decline(before)
        if decision.hold != before:
            self.book(f"hold {number}", self.held(number, decision))

    @rule(number=HOLDS)
    def run(self, number: int) -> None:
        decision = run(self.holds[number])
        if decision.entries:
            self.book(f"hold {number}", self.held(number, decision))

    @rule(number=HOLDS)
    def release(self, number: int) -> None:
        live = self.holds[number].account is not None
        decision = release(self.holds[number])
        if live:
            self.book(f"hold {number}", self.held(number, decision))
        self.holds[number] = decision.hold

    @rule(number=HOLDS, cost=AMOUNTS)
    def spend(self, number: int, cost: int) -> None:
        before = self.holds[number]
        # As the service does: a request waits for its hold and for the approval of it.
        if before.status in {HoldStatus.ASKED, HoldStatus.PENDING, HoldStatus.SPENT}:
            return
        delivery = self.expense(ExpenseKind.DELIVERY, number % 2)
        computed = (delivery.computed_minor or 0) + cost
        decision = spend(before, cost)
        entries = self.held(number, decision, computed_minor=computed, stage=Stage.FINISHED)
        self.book(f"hold {number}", entries)

    @rule(campaign=CAMPAIGNS, amount=AMOUNTS)
    def pay(self, campaign: int, amount: int) -> None:
        self.typed += 1
        delivery = self.expense(ExpenseKind.DELIVERY, campaign)
        after = replace(delivery, paid_minor=delivery.paid_minor + amount)
        self.book(f"pay {self.typed}", self.change(after, EntryKind.INVOICE))

    # What holds after each of them.

    @invariant()
    def the_balance_is_the_sum_of_the_ledger(self) -> None:
        for account in RUNGS:
            booked = sum(amount for (_, _, on), amount in self.rows.items() if on is account)
            assert self.balance.levels.on(account) == booked >= 0

    @invariant()
    def each_level_is_what_expenses_and_holds_have_on_it(self) -> None:
        total = Levels()
        for expense in self.expenses.values():
            total = total.plus(expense.booked)
        for hold in self.holds.values():
            if hold.account is not None:
                total = total.after([Entry(EntryKind.RESERVE, hold.account, hold.amount_minor)])
        assert self.balance.levels == total

    @invariant()
    def a_campaign_holds_what_its_holds_hold(self) -> None:
        for campaign in (0, 1):
            live = sum(h.amount_minor for number, h in self.holds.items() if number % 2 == campaign)
            assert self.expense(ExpenseKind.DELIVERY, campaign).held_minor == live

    @invariant()
    def nothing_is_committed_that_was_not_approved(self) -> None:
        committed = [h for h in self.holds.values() if h.status is HoldStatus.COMMITTED]
        approved = {cause for cause, kind, _ in self.rows if kind is EntryKind.COMMIT}
        assert len([h for h in committed if h.amount_minor]) <= len(approved)
        if self.policy.needs_approval:
            assert not any(h.status is HoldStatus.HELD for h in self.holds.values())


KINDS = {
    HoldStatus.PENDING: EntryKind.RESERVE,
    HoldStatus.HELD: EntryKind.RESERVE,
    HoldStatus.COMMITTED: EntryKind.COMMIT,
    HoldStatus.REFUSED: EntryKind.RELEASE,
    HoldStatus.RELEASED: EntryKind.RELEASE,
    HoldStatus.SPENT: EntryKind.SPEND,
}


def test_a_typed_real_cost_stands_while_the_rest_of_a_delivery_is_held() -> None:
    ledger = Ledger()
    ledger.choose_policy(Overrun.REFUSE, needs_approval=False)
    ledger.type_real(campaign=1, amount=0)
    ledger.release(number=1)
    ledger.spend(number=1, cost=599)
    ledger.reserve(number=3, amount=402)
    assert ledger.balance.left_minor == LIMIT - 402


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
