"""How single recipients end: opted out, deferred, refused, lost, paused, stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.ambiguous import assume_sent, listed, resend
from services.delivery.app import SERVICE
from services.delivery.claims import Claims, Share
from services.delivery.invariants import broken
from services.delivery.settings import DeliverySettings
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
    PauseDelivery,
    ResumeDelivery,
    StopDelivery,
)
from topics.targeting import ConsentChanged

Settle = AsyncIterator[Runtime]


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> Settle:
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


async def outcomes(runtime: Runtime, run_id: UUID) -> dict[str, tuple[str, str, str]]:
    """Return address → (outcome, reason, code) of a run's rows."""
    rows = await runtime.pool.fetch(
        "SELECT address, outcome, reason, code FROM ledger WHERE run_id = $1", run_id
    )
    return {row["address"]: (row["outcome"], row["reason"], row["code"]) for row in rows}


async def ready(runtime: Runtime, case: Case) -> None:
    """Bring a case to an approved, filled run that no sender works on yet."""
    async with sending(runtime):
        await approved(runtime, case)
    await runtime.execute(case.start())
    await work_off(runtime)


async def test_somebody_who_opts_out_after_the_start_gets_nothing(
    runtime: Runtime, catcher: Catcher
) -> None:
    leaver, other = member("leaver@x.example"), member("stays@x.example")
    case = Case([leaver, other])
    await ready(runtime, case)
    await runtime.execute(
        ConsentChanged(
            recipient_key=leaver.recipient_key or "", opted_out=True, at=datetime.now(UTC)
        )
    )
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=2, sent=1, ignored=1, emails_sent=1)
    assert await catcher.to("leaver@x.example") == []
    found = await outcomes(runtime, case.run_id)
    assert found["leaver@x.example"] == ("ignored", "opted_out", "")


async def test_the_latest_word_on_consent_counts_whatever_order_it_comes_in(
    runtime: Runtime, catcher: Catcher
) -> None:
    back, gone = member("back@x.example"), member("gone@x.example")
    case = Case([back, gone])
    await ready(runtime, case)
    now = datetime.now(UTC)
    for one, opted_out, minutes in ((back, True, 1), (back, False, 2), (gone, True, 2)):
        at = now + timedelta(minutes=minutes)
        key = one.recipient_key or ""
        await runtime.execute(ConsentChanged(recipient_key=key, opted_out=opted_out, at=at))
        late = ConsentChanged(recipient_key=key, opted_out=not opted_out, at=now)
        await runtime.execute(late)
    async with sending(runtime):
        await finished(runtime, case)
    assert len(await catcher.to("back@x.example")) == 1
    assert await catcher.to("gone@x.example") == []


async def test_a_deferred_message_goes_out_later_under_the_same_message_id(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("slow@x.example"), member("lost@x.example"), member("quick@x.example")])
    await ready(runtime, case)
    catcher.misbehave(
        FaultRule(action=Action.REFUSE_RECIPIENT, recipient="slow@*", code=451, times=2),
        FaultRule(action=Action.REFUSE_MESSAGE, recipient="quick@*", code=452, times=1),
    )
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts.sent == 3
    for address in ("slow@x.example", "quick@x.example", "lost@x.example"):
        assert len(await catcher.to(address)) == 1
    tried = await runtime.pool.fetch(
        "SELECT a.outcome, a.code FROM attempts a JOIN ledger l USING (run_id, member_id)"
        " WHERE l.address = 'slow@x.example' ORDER BY number"
    )
    assert [tuple(row) for row in tried] == [
        ("deferred", "451 4.0.0"),
        ("deferred", "451 4.0.0"),
        ("sent", "250 2.0.0"),
    ]


async def test_a_refused_message_fails_with_the_servers_code_and_harms_no_other(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("gone@x.example"), member("here@x.example"), member("full@x.example")])
    await ready(runtime, case)
    catcher.misbehave(
        FaultRule(action=Action.REFUSE_RECIPIENT, recipient="gone@*", code=550),
        FaultRule(action=Action.REFUSE_MESSAGE, recipient="full@*", code=552),
    )
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=3, sent=1, failed=2, emails_sent=1)
    found = await outcomes(runtime, case.run_id)
    assert found["gone@x.example"] == ("failed", "refused_by_server", "550 5.0.0")
    assert found["full@x.example"] == ("failed", "refused_by_server", "552 5.0.0")


async def test_a_message_deferred_past_its_deadline_fails(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("never@x.example")])
    await ready(runtime, case)
    await runtime.pool.execute("UPDATE runs SET retry_until = now() WHERE run_id = $1", case.run_id)
    catcher.misbehave(FaultRule(action=Action.REFUSE_RECIPIENT, recipient="never@*", code=450))
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts.failed == 1
    found = await outcomes(runtime, case.run_id)
    assert found["never@x.example"] == ("failed", "deferred_too_long", "450 4.0.0")


async def ambiguous_run(runtime: Runtime, catcher: Catcher, action: Action) -> Case:
    case = Case([member("lost@x.example"), member("fine@x.example")])
    await ready(runtime, case)
    catcher.misbehave(FaultRule(action=action, recipient="lost@*", times=1))
    async with sending(runtime):
        await eventually(
            lambda: runtime.pool.fetchval(
                "SELECT count(*) = 1 FROM ledger WHERE run_id = $1 AND outcome = 'sent'"
                " AND EXISTS (SELECT 1 FROM ledger WHERE outcome = 'ambiguous')",
                case.run_id,
            )
        )
    assert await said(runtime, DeliveryFinished) == []
    return case


async def test_a_message_whose_answer_was_lost_is_ambiguous_until_taken_for_sent(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = await ambiguous_run(runtime, catcher, Action.DROP_AFTER_KEEP)
    async with runtime.pool.acquire() as connection:
        [doubt] = await listed(connection, run_id=case.run_id)
    assert (doubt.address, doubt.attempts) == ("lost@x.example", 1)
    async with runtime.uow.begin() as work:
        assert await assume_sent(work, run_id=case.run_id, member_id=doubt.member_id) == 1
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=2, sent=2, emails_sent=2)
    assert len(await catcher.to("lost@x.example")) == 1


async def test_an_ambiguous_message_is_sent_again_when_a_person_says_so(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = await ambiguous_run(runtime, catcher, Action.DROP_AFTER_KEEP)
    async with runtime.uow.begin() as work:
        assert await resend(work, run_id=case.run_id) == 1
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts.sent == 2
    first, again = await catcher.to("lost@x.example")
    assert first["Message-ID"] == again["Message-ID"]
    kept = await runtime.pool.fetch(
        "SELECT number, outcome FROM attempts WHERE run_id = $1 ORDER BY number", case.run_id
    )
    assert [tuple(row) for row in kept] == [(1, "ambiguous"), (2, "sent")]


async def test_a_lease_that_runs_out_makes_its_messages_ambiguous(
    open_service: Open, catcher: Catcher
) -> None:
    runtime = await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        SENDER_LEASE_SECONDS="0.6",
        SMTP_TIMEOUT_SECONDS="0.3",
    )
    case = Case([member("a@x.example"), member("b@x.example")])
    await ready(runtime, case)
    settings = cast("DeliverySettings", runtime.settings)
    share = await Claims(runtime.uow, settings, "a sender that dies").take_bulk()
    assert isinstance(share, Share)
    assert share.window == 1 + 1
    async with sending(runtime):
        await eventually(
            lambda: runtime.pool.fetchval(
                "SELECT count(*) = 2 FROM ledger WHERE run_id = $1 AND outcome = 'ambiguous'",
                case.run_id,
            )
        )
        assert await catcher.to("a@x.example") == []
        async with runtime.uow.begin() as work:
            assert await assume_sent(work, run_id=case.run_id) == 2
        end = await finished(runtime, case)
    assert end.counts.sent == 2
    rows = await runtime.pool.fetch(
        "SELECT owner, outcome FROM attempts WHERE run_id = $1", case.run_id
    )
    assert {tuple(row) for row in rows} == {("a sender that dies", "ambiguous")}


async def test_nothing_leaves_while_paused_and_the_rest_leaves_after(runtime: Runtime) -> None:
    case = Case([member(f"p{i}@x.example") for i in range(5)])
    await ready(runtime, case)
    answers = await runtime.execute(
        PauseDelivery(campaign_id=case.campaign_id, actor=actor(MANAGER))
    )
    [progress] = [one for one in answers if isinstance(one, DeliveryProgressed)]
    assert progress.paused
    assert progress.counts.pending == 5
    settings = cast("DeliverySettings", runtime.settings)
    claims = Claims(runtime.uow, settings, "test")
    assert not await claims.due_bulk()
    assert await claims.take_bulk() is None
    await runtime.execute(ResumeDelivery(campaign_id=case.campaign_id, actor=actor(MANAGER)))
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts.sent == 5


async def test_a_stop_ends_what_has_not_left(runtime: Runtime, catcher: Catcher) -> None:
    case = Case([member(f"s{i}@x.example") for i in range(5)])
    await ready(runtime, case)
    await runtime.execute(
        StopDelivery(campaign_id=case.campaign_id, reason="validity over", actor=actor(MANAGER))
    )
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=5, ignored=5)
    found = await outcomes(runtime, case.run_id)
    assert set(found.values()) == {("ignored", "stopped: validity over", "")}
    assert await catcher.to("s0@x.example") == []
