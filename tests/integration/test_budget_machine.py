"""Whatever commands about money come, doubled, reordered and replayed: ledgers sum, no overrun.

Commands are handed to the service without its inbox, so that only their own keys protect it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    rule,
)

from services.budget.app import SERVICE
from services.budget.invariants import broken
from services.budget.workflows import calculate_costs
from shared.service import Runtime
from tests.integration.machine import Machine, play
from tests.integration.test_budget_holds import MAILING, a_commit, a_release, a_save
from tests.integration.test_budget_levels import (
    ADA,
    BOB,
    a_decision,
    a_state,
    actor,
    an_estimate,
    as_message,
)
from tests.servers import Servers
from topics.budget import (
    FundsRefused,
    FundsReserved,
    Overrun,
    ReserveFunds,
    Volumes,
)
from topics.campaign import CampaignStatus
from topics.message import Message
from topics.operators import OperatorState, Role

LEVELS = ("planned", "reserved", "committed", "spent", "invoiced")

places = st.integers(min_value=0, max_value=999)
emails = st.integers(min_value=0, max_value=400)
states = st.sampled_from(
    (CampaignStatus.RUNNING, CampaignStatus.FINISHED, CampaignStatus.CANCELLED)
)


class Money(Machine):
    """Three budgets; commands wait in a bag and are handed over in any order, any often.

    The first budget refuses to be overrun, the second wants a person's yes besides, the third is
    overrun with a warning.
    """

    def __init__(self) -> None:
        super().__init__()
        self.budgets: list[UUID] = []
        self.holds: list[ReserveFunds] = []
        self.waiting: list[tuple[Message, str]] = []
        self.handed: list[tuple[Message, str]] = []
        self.answers: dict[UUID, set[FundsReserved | FundsRefused]] = defaultdict(set)

    @initialize(allocated=st.integers(1_000, 10_000))
    def save_budgets(self, allocated: int) -> None:
        for more in ({}, {"needs_approval": True}, {"overrun": Overrun.WARN}):
            save = a_save(allocated_minor=allocated, structures=(MAILING,), **more)
            self.budgets.append(save.budget_id)
            self.run(self.runtime.execute(save))

    def later(self, command: Message) -> None:
        self.waiting.append((command, str(uuid4())))

    def hand_over(self, command: Message, message_id: str) -> None:
        self.handed.append((command, message_id))
        self.handle(command, message_id)

    def handle(self, command: Message, message_id: str) -> None:
        for said in self.run(as_message(self.runtime, command, message_id)):
            if isinstance(said, FundsReserved | FundsRefused):
                self.answers[said.hold_id].add(said)

    @rule(place=places, count=emails, estimated=st.booleans())
    def ask(self, place: int, count: int, estimated: bool) -> None:
        hold = ReserveFunds(
            campaign_id=uuid4(),
            campaign_number=7,
            campaign_label="Spring",
            hold_id=uuid4(),
            budget_id=self.budgets[place % len(self.budgets)],
            volumes=Volumes(emails=count),
            requested_by=actor(ADA),
        )
        self.holds.append(hold)
        if estimated:
            self.later(an_estimate(hold, emails=count))
        self.later(hold)

    def one_of(self, place: int) -> ReserveFunds | None:
        return self.holds[place % len(self.holds)] if self.holds else None

    @rule(place=places, yes=st.booleans(), own=st.booleans())
    def decide(self, place: int, yes: bool, own: bool) -> None:
        if (hold := self.one_of(place)) is not None:
            self.later(a_decision(hold, by=ADA if own else BOB, yes=yes))

    @rule(
        count=emails,
        answers=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=4),
    )
    def ask_and_decide_often(self, count: int, answers: list[tuple[bool, bool]]) -> None:
        self.ask(1, count, estimated=False)
        self.hand_over(*self.waiting.pop())
        for yes, own in answers:
            self.decide(len(self.holds) - 1, yes, own)
            self.hand_over(*self.waiting.pop())

    @rule(place=places)
    def give_back(self, place: int) -> None:
        if (hold := self.one_of(place)) is not None:
            self.later(a_release(hold))

    @rule(place=places, count=emails)
    def end(self, place: int, count: int) -> None:
        if (hold := self.one_of(place)) is not None:
            self.later(a_commit(hold, emails=count))

    @rule(place=places, status=states, version=st.integers(1, 9))
    def move(self, place: int, status: CampaignStatus, version: int) -> None:
        if (hold := self.one_of(place)) is not None:
            self.later(a_state(hold.campaign_id, status, version))

    @rule(place=places)
    def hand_over_any(self, place: int) -> None:
        if self.waiting:
            self.hand_over(*self.waiting.pop(place % len(self.waiting)))

    @rule(place=places)
    def hand_over_again(self, place: int) -> None:
        if self.handed:
            self.hand_over(*self.handed[place % len(self.handed)])

    @rule()
    def replay_all(self) -> None:
        before = self.rows()
        for command, message_id in self.handed:
            self.handle(command, message_id)
        assert self.rows() == before

    @rule()
    def work_off(self) -> None:
        self.exhaust(calculate_costs)

    def rows(self) -> list[tuple[Any, ...]]:
        levels = ", ".join(f"{level}_minor" for level in LEVELS)
        return self.read(
            f"SELECT budget_id, {levels} FROM budgets"
            " WHERE budget_id = ANY ($1::uuid[]) ORDER BY budget_id",
            self.budgets,
        )

    @invariant()
    def ledgers_sum_and_no_level_is_below_zero(self) -> None:
        assert self.broken(broken) == []
        for _, *levels in self.rows():
            assert min(levels) >= 0

    @invariant()
    def each_hold_has_one_answer(self) -> None:
        assert all(len(said) == 1 for said in self.answers.values())


async def reviewers(runtime: Runtime) -> None:
    for operator_id in (ADA, BOB):
        await runtime.execute(
            OperatorState(operator_id=operator_id, version=1, name="R", roles=(Role.REVIEWER,))
        )


def test_random_sequences_of_commands_keep_the_money_true(servers: Servers) -> None:
    play(Money, SERVICE, servers, examples=10, prepare=reviewers)
