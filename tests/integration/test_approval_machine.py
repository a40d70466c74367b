"""Whatever is asked, answered and withdrawn, doubled, late and replayed: one decision a version."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from services.delivery.app import SERVICE
from services.delivery.domain.approvals import OUTCOME_OF
from services.delivery.workflows import deliveries_in_campaigns
from shared.clock import DrivenClock
from shared.ids import new_id_text
from shared.registry import answer
from shared.service import Runtime
from tests.integration.delivery_harness import (
    MANAGER,
    OTHER,
    REVIEWER,
    actor,
    add_operators,
    operator,
)
from tests.integration.machine import Machine, play
from tests.servers import Servers
from topics.approval_rules import ApprovalRule, ApprovalRules, EscalationRule
from topics.approvals import DelegateApproval, SnoozeApproval
from topics.cloudevents import Envelope
from topics.delivery import (
    ApprovalDecided,
    ApprovalKind,
    ApprovalOutcome,
    ApprovalState,
    DecideApproval,
    Decision,
    RequestApproval,
    WithdrawApproval,
)
from topics.message import Command, Message
from topics.operators import Role

CLOCK = DrivenClock(datetime(2026, 3, 2, 12, tzinfo=UTC))
STRANGER, CHIEF = uuid4(), uuid4()
ANSWERS = frozenset(OUTCOME_OF.values())
HOURS = st.integers(min_value=1, max_value=40)

places = st.integers(min_value=0, max_value=999)
people = st.sampled_from([*[REVIEWER] * 5, CHIEF, MANAGER, OTHER, STRANGER])


class Approvals(Machine):
    """Approvals of three campaigns; commands wait in a bag and are handed over in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.campaigns = [uuid4() for _ in range(3)]
        self.waiting: list[tuple[Command, str]] = []
        self.handed: list[tuple[Command, str]] = []
        self.said: list[ApprovalState | ApprovalDecided] = []

    def hand_over(self, command: Command, identity: str) -> list[Message]:
        """Handle a command as it came from Kafka, its inbox passed by; return what was said."""

        async def handled() -> list[Message]:
            entry = self.runtime.registry.entry(type(command))
            assert entry is not None
            async with self.runtime.uow.begin() as work:
                work.cause = Envelope("/bot", identity, command.ce_type, work.now, b"")
                await answer(entry, command, work)
            return list(work.emitted)

        said = self.run(handled())
        self.note(said)
        return said

    def note(self, said: list[Message]) -> None:
        """Keep what was said of these campaigns; earlier sequences left others with timers."""
        ours = (one for one in said if isinstance(one, ApprovalState | ApprovalDecided))
        self.said += [one for one in ours if one.campaign_id in self.campaigns]

    @rule(
        place=places,
        named=st.booleans(),
        late=st.booleans(),
        kind=st.sampled_from([ApprovalKind.TARGET, ApprovalKind.TARGET, ApprovalKind.START]),
        escalates=st.sampled_from([None, 0, 20]),
    )
    def ask(
        self, place: int, named: bool, late: bool, kind: ApprovalKind, escalates: int | None
    ) -> None:
        escalation = None
        if escalates is not None:
            escalation = EscalationRule(operator_ids=(CHIEF,), hours_before=escalates)
        asked = ApprovalRule(escalation=escalation)
        campaign_id = self.campaigns[place % len(self.campaigns)]
        self.give(
            RequestApproval(
                campaign_id=campaign_id,
                kind=kind,
                rules=ApprovalRules(target=asked, start=asked),
                campaign_number=1042,
                campaign_label="Spring",
                # A start is of the target that was approved; most targets are asked once.
                snapshot_id=campaign_id if place % 3 else uuid4(),
                snapshot_hash="5" * 64,
                count=12,
                reviewer_ids=(REVIEWER, MANAGER) if named else (),
                requested_by=actor(MANAGER),
            ),
            late,
        )

    @rule(
        place=places,
        by=people,
        decision=st.sampled_from(Decision),
        behind=st.sampled_from([0, 0, 0, 1]),
        late=st.booleans(),
    )
    def answer(self, place: int, by: UUID, decision: Decision, behind: int, late: bool) -> None:
        asked = self.approvals()[-3:]
        if asked:
            approval_id, campaign_id, revision, *_ = asked[place % len(asked)]
            self.give(
                DecideApproval(
                    approval_id=approval_id,
                    campaign_id=campaign_id,
                    revision=max(1, revision - behind),
                    decision=decision,
                    reason="because",
                    actor=actor(by),
                ),
                late,
            )

    @rule(place=places, by=people, hours=HOURS, late=st.booleans())
    def snooze(self, place: int, by: UUID, hours: int, late: bool) -> None:
        asked = [row for row in self.approvals() if row[4] == "pending"]
        if asked:
            approval_id, campaign_id, *_ = asked[place % len(asked)]
            self.give(
                SnoozeApproval(
                    approval_id=approval_id,
                    campaign_id=campaign_id,
                    until=CLOCK.now() + timedelta(hours=hours),
                    actor=actor(by),
                ),
                late,
            )

    @rule(place=places, by=people, to=people, late=st.booleans())
    def delegate(self, place: int, by: UUID, to: UUID, late: bool) -> None:
        asked = [row for row in self.approvals() if row[4] == "pending"]
        if asked:
            approval_id, campaign_id, *_ = asked[place % len(asked)]
            self.give(
                DelegateApproval(
                    approval_id=approval_id, campaign_id=campaign_id, to=to, actor=actor(by)
                ),
                late,
            )

    @rule(place=places, late=st.booleans())
    def withdraw(self, place: int, late: bool) -> None:
        campaign = self.campaigns[place % len(self.campaigns)]
        command = WithdrawApproval(campaign_id=campaign, reason="edited", actor=actor(MANAGER))
        self.give(command, late)

    def give(self, command: Command, late: bool) -> None:
        """Hand a command over, or keep it for later, out of its turn."""
        one = command, new_id_text()
        if late:
            self.waiting.append(one)
        else:
            self.handed.append(one)
            self.hand_over(*one)

    @rule(place=places, often=st.integers(1, 3))
    def hand_over_some(self, place: int, often: int) -> None:
        for _ in range(min(often, len(self.waiting))):
            one = self.waiting.pop(place % len(self.waiting))
            self.handed.append(one)
            self.hand_over(*one)

    @rule(place=places)
    def hand_over_again(self, place: int) -> None:
        if self.handed:
            assert self.hand_over(*self.handed[place % len(self.handed)]) == []

    @rule()
    def replay_all(self) -> None:
        before = self.approvals()
        for one in self.handed:
            assert self.hand_over(*one) == []
        assert self.approvals() == before

    @rule(hours=HOURS)
    def wait(self, hours: int) -> None:
        CLOCK.advance(timedelta(hours=hours))

    @rule()
    def work_off(self) -> None:
        async def step(work: Any) -> Any:
            done = await deliveries_in_campaigns(work)
            self.note(work.emitted)
            return done

        self.exhaust(step)

    def approvals(self) -> list[tuple[Any, ...]]:
        return self.read(
            "SELECT approval_id, campaign_id, revision, version, outcome, decided_by, deadline_at,"
            " kind"
            " FROM approvals WHERE campaign_id = ANY ($1::uuid[]) ORDER BY approval_id",
            self.campaigns,
        )

    @invariant()
    def each_version_is_said_once_and_the_last_one_is_the_row(self) -> None:
        states = [one for one in self.said if isinstance(one, ApprovalState)]
        said = Counter((one.approval_id, one.version) for one in states)
        assert set(said.values()) <= {1}
        latest = {one.approval_id: (one.version, one.outcome) for one in states}
        rows = {row[0]: (row[3], row[4]) for row in self.approvals()}
        assert rows == latest
        assert len(states) == sum(version for version, _ in rows.values())

    @invariant()
    def one_decision_ends_an_approval_and_only_a_given_one_is_taken_back(self) -> None:
        ends: dict[UUID, list[ApprovalOutcome]] = {}
        for one in self.said:
            if isinstance(one, ApprovalDecided):
                ends.setdefault(one.approval_id, []).append(one.outcome)
                if one.outcome in ANSWERS:
                    assert one.by.id in {str(REVIEWER), str(CHIEF)}
        for found in ends.values():
            taken_back = [ApprovalOutcome.APPROVED, ApprovalOutcome.WITHDRAWN]
            assert len(found) == 1 or found == taken_back

    @invariant()
    def one_of_a_kind_is_open_a_campaign_and_what_ended_has_no_timers(self) -> None:
        rows = self.approvals()
        pending = [row for row in rows if row[4] == "pending"]
        assert max(Counter((row[1], row[7]) for row in pending).values(), default=0) <= 1
        timers = self.read("SELECT kind, split_part(key, ':', 1), due_at FROM timers")
        open_ones = {str(row[0]) for row in pending}
        of_ours = {str(row[0]) for row in rows}
        assert {key for _, key, _ in timers if key in of_ours} <= open_ones
        deadlines = {key: due for kind, key, due in timers if kind == "approval.deadline"}
        assert all(deadlines[str(row[0])] == row[6] for row in pending)

    @invariant()
    def the_log_tells_of_each_request_and_each_end_once(self) -> None:
        logged = self.read(
            "SELECT approval_id, event FROM approval_log WHERE campaign_id = ANY ($1::uuid[])",
            self.campaigns,
        )
        told = Counter(logged)
        ends = [
            (one.approval_id, str(one.outcome))
            for one in self.said
            if isinstance(one, ApprovalDecided)
        ]
        for row in self.approvals():
            assert told[row[0], "requested"] == 1
            assert told[row[0], "escalated"] <= 1
        assert all(told[end] == 1 for end in ends)


async def known(runtime: Runtime) -> None:
    await add_operators(runtime)
    await runtime.execute(operator(CHIEF, Role.REVIEWER, name="Chi"))


def test_random_sequences_of_commands_end_each_approval_once(servers: Servers) -> None:
    play(Approvals, SERVICE, servers, examples=20, prepare=known, clock=CLOCK)
