"""A run ended by an edit, and the one that sends the rest: nobody twice, and everybody counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.ambiguous import resend
from services.delivery.app import SERVICE
from services.delivery.domain.runs import RunKind, Verdict
from services.delivery.invariants import broken
from services.delivery.progress import advance
from services.delivery.results import write_results
from services.delivery.store.sending import Result
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    MANAGER,
    Case,
    Catcher,
    actor,
    approved,
    finished,
    member,
    said,
    sending,
    work_off,
)
from tests.waiting import eventually
from topics.delivery import (
    DeliveryCounts,
    DeliveryFinished,
    DeliveryProgressed,
    DeliveryRefused,
    DeliveryStarted,
    Outcome,
    PauseDelivery,
    StopDelivery,
    WithdrawApproval,
)
from topics.targeting import ConsentChanged, Member


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> AsyncIterator[Runtime]:
    found = await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        SENDER_RETRY_BASE_SECONDS="0.05",
        SENDER_CONNECTIONS="2",
    )
    yield found
    async with found.pool.acquire() as connection:
        assert await broken(connection) == []


def not_now(address: str) -> FaultRule:
    return FaultRule(recipient=address, action=Action.REFUSE_RECIPIENT, code=451)


def end(case: Case) -> StopDelivery:
    return StopDelivery(
        campaign_id=case.campaign_id,
        run_id=case.run_id,
        leave_rest=True,
        reason="template_id was edited",
        actor=actor(MANAGER),
    )


async def end_by_edit(runtime: Runtime, case: Case) -> None:
    """Do what the campaign service does when a suspended campaign is edited."""
    by = actor(MANAGER)
    await runtime.execute(PauseDelivery(campaign_id=case.campaign_id, actor=by))
    await runtime.execute(end(case))
    await runtime.execute(WithdrawApproval(campaign_id=case.campaign_id, reason="edited", actor=by))


def next_case(case: Case, members: Sequence[Member] | None = None) -> Case:
    """Return the campaign's next run: another delivery and snapshot."""
    return Case(members or case.members, domain=case.domain, campaign_id=case.campaign_id)


async def swept(runtime: Runtime, run_id: UUID) -> None:
    while await advance(runtime, run_id):
        pass


async def half_sent(runtime: Runtime, catcher: Catcher, case: Case, later: set[str]) -> None:
    """Start a run of which the messages to some addresses are put off."""
    catcher.misbehave(
        *[FaultRule(recipient=one, action=Action.REFUSE_RECIPIENT, code=451) for one in later]
    )
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start())

        async def others_sent() -> bool:
            rows = await runtime.pool.fetch(
                "SELECT address, outcome FROM ledger WHERE run_id = $1", case.run_id
            )
            open_ones = {row["address"] for row in rows if row["outcome"] == "pending"}
            return len(rows) == len(case.members) and open_ones <= later

        await eventually(others_sent, seconds=20, what="the first half")
        await runtime.execute(PauseDelivery(campaign_id=case.campaign_id, actor=actor(MANAGER)))
    catcher.misbehave()


async def totals(runtime: Runtime, *cases: Case) -> list[DeliveryCounts]:
    """Return the totals last published of each run."""
    every = await said(runtime, DeliveryProgressed)
    return [
        max(
            (one for one in every if one.run_id == case.run_id), key=lambda one: one.revision
        ).counts
        for case in cases
    ]


async def reasons(runtime: Runtime, case: Case) -> dict[UUID, tuple[str, str]]:
    rows = await runtime.pool.fetch(
        "SELECT member_id, outcome, reason FROM ledger WHERE run_id = $1", case.run_id
    )
    return {row["member_id"]: (row["outcome"], row["reason"]) for row in rows}


async def second_run(runtime: Runtime, case: Case) -> DeliveryFinished:
    async with sending(runtime):
        await approved(runtime, case, service=False)
        await runtime.execute(case.start())
        return await finished(runtime, case)


async def test_the_next_run_sends_the_rest_and_both_add_up_to_the_target(
    runtime: Runtime, catcher: Catcher
) -> None:
    got, later = member("got@x.example"), member("later@x.example")
    out = member("out@x.example", opted_out=True)
    case = Case([got, later, out, member(None)])
    await half_sent(runtime, catcher, case, {"later@x.example"})
    await end_by_edit(runtime, case)
    await swept(runtime, case.run_id)
    [before] = await totals(runtime, case)
    assert before == DeliveryCounts(targeted=4, sent=1, ignored=3, emails_sent=1)
    assert (await reasons(runtime, case))[later.member_id] == (
        "ignored",
        "left_over: template_id was edited",
    )

    rest = next_case(case)
    last = await second_run(runtime, rest)
    assert last.counts == DeliveryCounts(targeted=1, sent=1, emails_sent=1)
    assert [len(await catcher.to(f"{who}@x.example")) for who in ("got", "later", "out")] == [
        1,
        1,
        0,
    ]
    await swept(runtime, case.run_id)
    [ended, _] = await totals(runtime, case, rest)
    assert ended == DeliveryCounts(targeted=3, sent=1, ignored=2, emails_sent=1)
    assert (await reasons(runtime, rest))[got.member_id] == ("ignored", "earlier_run")


async def test_one_who_opts_out_between_the_runs_gets_nothing(
    runtime: Runtime, catcher: Catcher
) -> None:
    later = member("later@x.example")
    case = Case([member("got@x.example"), later])
    await half_sent(runtime, catcher, case, {"later@x.example"})
    await end_by_edit(runtime, case)
    await swept(runtime, case.run_id)
    await runtime.execute(
        ConsentChanged(
            recipient_key=later.recipient_key or "", opted_out=True, at=datetime.now(UTC)
        )
    )
    last = await second_run(runtime, next_case(case))
    assert last.counts == DeliveryCounts(targeted=1, ignored=1)
    assert await catcher.to("later@x.example") == []


async def test_the_address_counts_when_the_target_names_another_member_for_it(
    runtime: Runtime, catcher: Catcher
) -> None:
    """Two people of one mailbox: who stood behind the other gets it only if nobody did."""
    got, later = member("got@x.example"), member("later@x.example")
    behind_got, behind_later = member("got@x.example"), member("later@x.example")
    case = Case([got, later, behind_got, behind_later])
    await half_sent(runtime, catcher, case, {"later@x.example"})
    await end_by_edit(runtime, case)
    await swept(runtime, case.run_id)
    newcomer = member("got@x.example")
    last = await second_run(runtime, next_case(case, [behind_got, behind_later, newcomer]))
    assert last.counts == DeliveryCounts(targeted=3, sent=1, ignored=2, emails_sent=1)
    assert len(await catcher.to("got@x.example")) == len(await catcher.to("later@x.example")) == 1


async def test_the_next_run_waits_for_a_message_in_a_servers_hands(
    runtime: Runtime, catcher: Catcher
) -> None:
    later = member("later@x.example")
    case = Case([member("got@x.example"), later])
    await half_sent(runtime, catcher, case, {"later@x.example"})
    await runtime.pool.execute(
        "UPDATE queue SET lease_owner = 'slow', lease_until = now() + interval '1 hour'"
    )
    await runtime.pool.execute(
        "INSERT INTO attempts (run_id, member_id, number, owner, started_at)"
        " SELECT run_id, member_id, attempts + 1, 'slow', now() FROM ledger"
        " WHERE outcome = 'pending'"
    )
    await runtime.pool.execute(
        "UPDATE ledger SET attempts = attempts + 1 WHERE outcome = 'pending'"
    )
    await end_by_edit(runtime, case)
    await swept(runtime, case.run_id)
    rest = next_case(case)
    async with sending(runtime):
        await approved(runtime, rest, service=False)
        await runtime.execute(rest.start())
    await work_off(runtime)
    assert rest.run_id not in {one.run_id for one in await said(runtime, DeliveryStarted)}

    number = await runtime.pool.fetchval(
        "SELECT attempts FROM ledger WHERE run_id = $1 AND outcome = 'pending'", case.run_id
    )
    async with runtime.uow.begin() as work:
        await write_results(work, [late(case, later, number, Verdict.SENT, Outcome.SENT)])
    await swept(runtime, case.run_id)
    async with sending(runtime):
        last = await finished(runtime, rest)
    assert last.counts == DeliveryCounts()
    assert await catcher.to("later@x.example") == []
    assert (await totals(runtime, case))[0] == DeliveryCounts(targeted=2, sent=2, emails_sent=2)


def late(case: Case, to: Member, number: int, verdict: Verdict, outcome: Outcome) -> Result:
    return Result(
        run_id=case.run_id,
        member_id=to.member_id,
        number=number,
        kind=RunKind.CAMPAIGN,
        verdict=verdict,
        code="250",
        outcome=outcome,
        reason="",
        next_at=datetime.now(UTC),
    )


async def in_doubt(runtime: Runtime, catcher: Catcher) -> tuple[Case, Member]:
    """Return a run ended by an edit with one message in doubt, and who it is to."""
    doubted = member("doubted@x.example")
    case = Case([member("got@x.example"), doubted])
    await half_sent(runtime, catcher, case, {"doubted@x.example"})
    await runtime.pool.execute(
        "UPDATE attempts SET outcome = 'ambiguous' WHERE (run_id, member_id, number) IN"
        " (SELECT run_id, member_id, attempts FROM ledger WHERE outcome = 'pending')"
    )
    await runtime.pool.execute("DELETE FROM queue")
    await runtime.pool.execute("UPDATE ledger SET outcome = 'ambiguous' WHERE outcome = 'pending'")
    await end_by_edit(runtime, case)
    await swept(runtime, case.run_id)
    return case, doubted


async def test_what_is_in_doubt_stays_so_is_not_sent_again_and_ends_with_its_late_answer(
    runtime: Runtime, catcher: Catcher
) -> None:
    case, doubted = await in_doubt(runtime, catcher)
    rest = next_case(case)
    last = await second_run(runtime, rest)
    assert last.counts == DeliveryCounts()
    assert (await totals(runtime, case))[0].ambiguous == 1
    assert not [one for one in await said(runtime, DeliveryFinished) if one.run_id == case.run_id]
    number = await runtime.pool.fetchval("SELECT attempts FROM ledger WHERE outcome = 'ambiguous'")
    async with runtime.uow.begin() as work:
        await write_results(work, [late(case, doubted, number, Verdict.SENT, Outcome.SENT)])
    await swept(runtime, case.run_id)
    assert (await finished(runtime, case)).counts.sent == 2
    assert await catcher.to("doubted@x.example") == []


async def test_one_in_doubt_that_is_sent_again_before_the_next_run_belongs_to_its_rest(
    runtime: Runtime, catcher: Catcher
) -> None:
    case, _ = await in_doubt(runtime, catcher)
    async with runtime.uow.begin() as work:
        assert await resend(work, run_id=case.run_id) == 1
    await swept(runtime, case.run_id)
    last = await second_run(runtime, next_case(case))
    assert last.counts == DeliveryCounts(targeted=1, sent=1, emails_sent=1)


async def test_once_the_rest_is_taken_nothing_is_left_over_any_more(
    runtime: Runtime, catcher: Catcher
) -> None:
    case, doubted = await in_doubt(runtime, catcher)
    await second_run(runtime, next_case(case))
    async with runtime.uow.begin() as work:
        assert await resend(work, run_id=case.run_id) == 1
    await swept(runtime, case.run_id)
    outcome, reason = (await reasons(runtime, case))[doubted.member_id]
    assert (outcome, reason.partition(":")[0]) == ("ignored", "stopped")
    assert (await finished(runtime, case)).counts == DeliveryCounts(
        targeted=2, sent=1, ignored=1, emails_sent=1
    )


async def test_the_command_again_or_for_another_run_ends_nothing(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("got@x.example"), member("later@x.example")])
    await half_sent(runtime, catcher, case, {"later@x.example"})
    await end_by_edit(runtime, case)
    await swept(runtime, case.run_id)
    rest = next_case(case)
    async with sending(runtime):
        await approved(runtime, rest, service=False)
        await runtime.execute(rest.start())
        await runtime.execute(end(case))
        await runtime.execute(end(Case(case.members, campaign_id=case.campaign_id)))
        last = await finished(runtime, rest)
    assert last.counts.sent == 1


async def test_a_third_run_leaves_out_whom_the_first_two_have_dealt_with(
    runtime: Runtime, catcher: Catcher
) -> None:
    people = [member(f"{name}@x.example") for name in "abc"]
    first = Case(people)
    await half_sent(runtime, catcher, first, {"b@x.example", "c@x.example"})
    await end_by_edit(runtime, first)
    await swept(runtime, first.run_id)
    second = next_case(first)
    catcher.misbehave(not_now("c@x.example"))
    async with sending(runtime):
        await approved(runtime, second, service=False)
        await runtime.execute(second.start())

        async def b_sent() -> bool:
            return len(await catcher.to("b@x.example")) == 1

        await eventually(b_sent, seconds=20, what="the second run")
    catcher.misbehave()
    await end_by_edit(runtime, second)
    await swept(runtime, second.run_id)
    third = next_case(first, [*people, member("new@x.example")])
    await second_run(runtime, third)
    for case in (first, second):
        await swept(runtime, case.run_id)
    counts = await totals(runtime, first, second, third)
    assert [one.sent for one in counts] == [1, 1, 2]
    assert sum(one.targeted for one in counts) == 4
    assert {
        name: len(await catcher.to(f"{name}@x.example")) for name in ("a", "b", "c", "new")
    } == {
        "a": 1,
        "b": 1,
        "c": 1,
        "new": 1,
    }


async def test_a_run_is_refused_when_nobody_knows_any_more_who_got_the_campaign(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("got@x.example"), member("later@x.example")])
    await half_sent(runtime, catcher, case, {"later@x.example"})
    await end_by_edit(runtime, case)
    await swept(runtime, case.run_id)
    await runtime.pool.execute("DELETE FROM attempts")
    await runtime.pool.execute("DELETE FROM ledger WHERE run_id = $1", case.run_id)
    await runtime.pool.execute("UPDATE runs SET purged_at = now() WHERE run_id = $1", case.run_id)
    rest = next_case(case)
    async with sending(runtime):
        await approved(runtime, rest, service=False)
        await runtime.execute(rest.start())
        await work_off(runtime)
    [refused] = await said(runtime, DeliveryRefused)
    assert refused.reason.startswith("the rows of an earlier run")
    assert len(await catcher.to("got@x.example")) == 1
