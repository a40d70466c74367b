"""How fast messages leave, what is sent again, what is removed: real rows, a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.app import SERVICE
from services.delivery.claims import Claims
from services.delivery.composers import Composers
from services.delivery.domain.pace import Limit
from services.delivery.invariants import broken
from services.delivery.settings import DeliverySettings
from services.delivery.store.pace import PaceStore
from shared.errors import Refused
from shared.http import carry_out
from shared.sealing import WrongSecret
from shared.service import Runtime
from shared.uow import UnitOfWork, Work
from shared.workflows import set_status
from tests.conftest import Open
from tests.integration.delivery_harness import (
    MANAGER,
    OTHER,
    REVIEWER,
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
    AgainScope,
    DeliveryCounts,
    DeliveryFinished,
    DeliveryProgressed,
    PauseDelivery,
    ResumeDelivery,
    SendAgain,
    SetDeliveryPace,
    StopDelivery,
    WithdrawApproval,
)
from topics.targeting import ConsentChanged
from topics.workflows import WorkflowStatus


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> AsyncIterator[Runtime]:
    found = await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        SENDER_RETRY_BASE_SECONDS="0.05",
        SENDER_CONNECTIONS="3",
        SENDER_WINDOW="5",
    )
    yield found
    async with found.pool.acquire() as connection:
        assert await broken(connection) == []


async def ready(runtime: Runtime, case: Case, *, service: bool = True) -> None:
    async with sending(runtime):
        await approved(runtime, case, service=service)
    await runtime.execute(case.start())
    await work_off(runtime)


async def sent(runtime: Runtime, run_id: UUID) -> int:
    count: int = await runtime.pool.fetchval(
        "SELECT count(*) FROM ledger WHERE run_id = $1 AND outcome = 'sent'", run_id
    )
    return count


async def test_a_campaign_limited_to_one_a_minute_does_not_slow_another(runtime: Runtime) -> None:
    slow = Case([member(f"slow{i}@x.example") for i in range(6)], chunk_size=1)
    quick = Case([member(f"quick{i}@x.example") for i in range(60)], chunk_size=10)
    await ready(runtime, slow)
    await runtime.execute(
        SetDeliveryPace(campaign_id=slow.campaign_id, rate_per_minute=1, actor=actor(MANAGER))
    )
    await ready(runtime, quick, service=False)
    async with sending(runtime):
        assert (await finished(runtime, quick)).counts.sent == 60
        await eventually(lambda: sent(runtime, slow.run_id), what="the slow one's first message")
        assert await sent(runtime, slow.run_id) == 1
        claims = "SELECT sum(lease_epoch) FROM slices WHERE run_id = $1"
        claimed = await runtime.pool.fetchval(claims, slow.run_id)
        assert claimed <= 1, "a slice is claimed once a message may leave, not to be given back"
        await runtime.execute(SetDeliveryPace(campaign_id=slow.campaign_id, actor=actor(MANAGER)))
        await runtime.pool.execute("UPDATE slices SET next_at = now()")
        assert (await finished(runtime, slow)).counts.sent == 6


async def test_a_limited_domain_waits_while_the_others_leave(runtime: Runtime) -> None:
    members = [member(f"a{i}@slow.example") for i in range(8)]
    members += [member(f"b{i}@quick.example") for i in range(8)]
    case = Case(members, chunk_size=100)
    await ready(runtime, case)
    async with runtime.uow.begin() as work:
        await PaceStore(work.connection).save(Limit("slow.example", per_minute=3))
    async with sending(runtime):
        await eventually(
            lambda: runtime.pool.fetchval(
                "SELECT count(*) FILTER (WHERE address LIKE '%@quick.example') = 8"
                " AND count(*) FILTER (WHERE address LIKE '%@slow.example') >= 3"
                " FROM ledger WHERE run_id = $1 AND outcome = 'sent'",
                case.run_id,
            ),
            what="the free domain's messages",
        )
        waiting = await runtime.pool.fetch("SELECT next_at FROM queue ORDER BY next_at")
        # A minute may have passed meanwhile; what waits, waits for minutes of its own.
        assert 1 <= len(waiting) <= 5
        assert (
            await runtime.pool.fetchval(
                "SELECT count(*) FROM attempts WHERE run_id = $1", case.run_id
            )
            == 0
        )
        async with runtime.uow.begin() as work:
            assert await PaceStore(work.connection).remove("slow.example")
            assert not await PaceStore(work.connection).remove("slow.example")
        await runtime.pool.execute("UPDATE queue SET next_at = now()")
        assert (await finished(runtime, case)).counts.sent == 16


async def failed_one(runtime: Runtime, catcher: Catcher) -> Case:
    case = Case([member("fails@x.example"), member("fine@x.example")])
    await ready(runtime, case)
    catcher.misbehave(FaultRule(action=Action.REFUSE_RECIPIENT, recipient="fails@*", code=550))
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=2, sent=1, failed=1, emails_sent=1)
    catcher.misbehave()
    return case


def again(case: Case, scope: AgainScope = AgainScope.FAILED, by: UUID = MANAGER) -> SendAgain:
    return SendAgain(
        campaign_id=case.campaign_id,
        delivery_id=case.delivery_id,
        run_id=case.run_id,
        scope=scope,
        actor=actor(by),
    )


async def ends(runtime: Runtime, number: int) -> list[DeliveryFinished]:
    async def probe() -> list[DeliveryFinished]:
        found = await said(runtime, DeliveryFinished)
        return found if len(found) >= number else []

    found: list[DeliveryFinished] = await eventually(probe, what=f"{number} ends")
    return found


async def test_the_failed_are_sent_again_and_nobody_else(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = await failed_one(runtime, catcher)
    await runtime.execute(again(case))
    async with sending(runtime):
        first, last = await ends(runtime, 2)
    assert last.counts == DeliveryCounts(targeted=2, sent=2, emails_sent=2)
    assert last.revision > first.revision
    for address in ("fails@x.example", "fine@x.example"):
        assert len(await catcher.to(address)) == 1


async def test_who_opted_out_since_is_not_sent_again(runtime: Runtime, catcher: Catcher) -> None:
    case = await failed_one(runtime, catcher)
    gone = case.members[0]
    await runtime.execute(
        ConsentChanged(
            recipient_key=gone.recipient_key or "",
            opted_out=True,
            at=await runtime.pool.fetchval("SELECT now()"),
        )
    )
    await runtime.execute(again(case))
    async with sending(runtime):
        _, last = await ends(runtime, 2)
    assert last.counts == DeliveryCounts(targeted=2, sent=1, ignored=1, emails_sent=1)
    assert await catcher.to("fails@x.example") == []


async def test_whom_a_stop_left_out_gets_it_when_asked_and_whoever_got_it_does_not(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member(f"m{i}@x.example") for i in range(6)], chunk_size=3)
    await ready(runtime, case)
    catcher.misbehave(FaultRule(action=Action.REFUSE_RECIPIENT, recipient="m5@*", code=450))
    async with sending(runtime):
        await eventually(lambda: sent(runtime, case.run_id))
        await eventually(
            lambda: runtime.pool.fetchval(
                "SELECT count(*) = 5 FROM ledger WHERE outcome = 'sent' AND NOT urgent"
            )
        )
        await runtime.execute(
            StopDelivery(campaign_id=case.campaign_id, reason="a doubt", actor=actor(MANAGER))
        )
        await ends(runtime, 1)
    catcher.misbehave()
    await runtime.execute(again(case, AgainScope.MISSED))
    async with sending(runtime):
        _, last = await ends(runtime, 2)
    assert last.counts == DeliveryCounts(targeted=6, sent=6, emails_sent=6)
    for i in range(6):
        assert len(await catcher.to(f"m{i}@x.example")) == 1


async def test_sending_again_is_refused_without_right_run_or_approval(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = await failed_one(runtime, catcher)
    with pytest.raises(Refused, match="may not manage campaigns"):
        await carry_out(runtime, again(case, by=REVIEWER))
    other = Case([])
    with pytest.raises(Refused, match="no such run"):
        await carry_out(runtime, again(other))
    await runtime.execute(
        WithdrawApproval(campaign_id=case.campaign_id, reason="wrong", actor=actor(OTHER))
    )
    with pytest.raises(Refused, match="approval is no longer in force"):
        await carry_out(runtime, again(case))


async def test_old_runs_lose_their_rows_and_keep_their_totals(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = await failed_one(runtime, catcher)
    await runtime.pool.execute(
        "UPDATE runs SET finished_at = finished_at - $1::interval", timedelta(days=401)
    )
    await work_off(runtime)
    assert await runtime.pool.fetchval("SELECT count(*) FROM ledger") == 0
    assert await runtime.pool.fetchval("SELECT count(*) FROM attempts") == 0
    counts = await runtime.pool.fetchval("SELECT counts FROM runs WHERE run_id = $1", case.run_id)
    assert (counts["sent"], counts["failed"]) == (1, 1)
    with pytest.raises(Refused, match="rows were removed"):
        await carry_out(runtime, again(case))


async def test_a_pause_says_how_many_may_still_be_in_a_servers_hands(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member(f"m{i}@x.example") for i in range(12)], chunk_size=100)
    await ready(runtime, case)
    catcher.misbehave(FaultRule(action=Action.DELAY, recipient="m3@*", delay_seconds=1.5, times=1))
    async with sending(runtime):
        await eventually(lambda: catcher.to("m2@x.example"), what="the third message")
        answers = await runtime.execute(
            PauseDelivery(campaign_id=case.campaign_id, actor=actor(MANAGER))
        )
        [told] = [one for one in answers if isinstance(one, DeliveryProgressed)]
        assert told.paused
        assert 1 <= told.in_flight <= 5
        assert told.counts.pending >= 12 - 5

        async def at_rest() -> bool:
            return not await runtime.pool.fetchval(
                "SELECT count(*) FROM slices WHERE lease_until IS NOT NULL"
            )

        await eventually(at_rest, what="the window's end")
        left = await sent(runtime, case.run_id)
        assert left <= 5
        await runtime.execute(ResumeDelivery(campaign_id=case.campaign_id, actor=actor(MANAGER)))
        assert (await finished(runtime, case)).counts.sent == 12
    for i in range(12):
        assert len(await catcher.to(f"m{i}@x.example")) == 1


def commits_and_fails_once(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    """Let a claim's transaction commit and its caller hear of a lost connection, once."""
    inner, begin = getattr(Claims, name), UnitOfWork.begin
    left, within = [1], ContextVar("within", default=False)

    async def marked(self: Claims, *arguments: Any, **more: Any) -> Any:
        within.set(True)
        try:
            return await inner(self, *arguments, **more)
        finally:
            within.set(False)

    @asynccontextmanager
    async def unheard(self: UnitOfWork) -> AsyncIterator[Work]:
        async with begin(self) as work:
            yield work
        if within.get() and left[0]:
            left[0] -= 1
            raise ConnectionError

    monkeypatch.setattr(Claims, name, marked)
    monkeypatch.setattr(UnitOfWork, "begin", unheard)
    return left


async def test_results_whose_commit_was_not_heard_of_are_written_again_and_sent_once(
    runtime: Runtime, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case([member(f"m{i}@x.example") for i in range(14)], chunk_size=100)
    await ready(runtime, case)
    catcher.misbehave(
        FaultRule(action=Action.REFUSE_RECIPIENT, recipient="m1@*", code=550),
        FaultRule(action=Action.REFUSE_RECIPIENT, recipient="m2@*", code=451, times=1),
    )
    left = commits_and_fails_once(monkeypatch, "next_window")
    async with sending(runtime):
        end = await finished(runtime, case)
    assert left == [0]
    assert end.counts == DeliveryCounts(targeted=14, sent=13, failed=1, emails_sent=13)
    for i in {*range(14)} - {1}:
        assert len(await catcher.to(f"m{i}@x.example")) == 1


@pytest.mark.parametrize("name", ["take_bulk", "take_urgent"])
async def test_a_claim_whose_commit_was_not_heard_of_leaves_nothing_in_doubt(
    runtime: Runtime, catcher: Catcher, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    left = commits_and_fails_once(monkeypatch, name)
    case = Case([member(f"m{i}@x.example") for i in range(6)], chunk_size=3)
    await ready(runtime, case)
    async with sending(runtime):
        end = await finished(runtime, case)
    assert left == [0]
    assert end.counts == DeliveryCounts(targeted=6, sent=6, emails_sent=6)
    for i in range(6):
        assert len(await catcher.to(f"m{i}@x.example")) == 1
    unclear = "SELECT count(*) FROM attempts WHERE outcome IN ('open', 'ambiguous')"
    assert await runtime.pool.fetchval(unclear) == 0


async def test_with_delivery_mgt_stopped_nothing_leaves_and_all_does_after_a_start(
    runtime: Runtime,
) -> None:
    case = Case([member(f"m{i}@x.example") for i in range(6)], chunk_size=3)
    await ready(runtime, case)
    async with runtime.uow.begin() as work:
        await set_status(work, "deliveryMgt", WorkflowStatus.STOPPED)
    claims = Claims(runtime.uow, cast("DeliverySettings", runtime.settings), "test")
    assert not await claims.due_bulk()
    assert await claims.take_bulk() is None
    await runtime.pool.execute(
        "INSERT INTO queue SELECT run_id, member_id, true, now() FROM ledger"
    )
    assert not await claims.due_urgent()
    assert await claims.take_urgent() is None
    await runtime.pool.execute("DELETE FROM queue")
    async with runtime.uow.begin() as work:
        await set_status(work, "deliveryMgt", WorkflowStatus.STARTED)
    async with sending(runtime):
        assert (await finished(runtime, case)).counts.sent == 6


async def test_what_cannot_be_composed_is_given_back_and_nothing_is_in_doubt(
    runtime: Runtime, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case([member(f"m{i}@x.example") for i in range(6)], chunk_size=3)
    await ready(runtime, case)
    inner, tried = Composers.of, list[int]()

    async def unreadable(self: Composers, *arguments: Any, **more: Any) -> Any:
        tried.append(1)
        if len(tried) < 3:
            raise WrongSecret("sealed under another secret")
        return await inner(self, *arguments, **more)

    monkeypatch.setattr(Composers, "of", unreadable)
    async with sending(runtime):
        assert (await finished(runtime, case)).counts.sent == 6
    for i in range(6):
        assert len(await catcher.to(f"m{i}@x.example")) == 1
    assert await runtime.pool.fetchval("SELECT count(*) FROM attempts WHERE number > 1") == 0
