"""Starting a run and filling its ledger: what is refused, doubled, without address, sent twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.delivery.app import SERVICE
from services.delivery.invariants import broken
from services.delivery.store.ledger import LedgerStore
from services.delivery.store.runs import RunStore
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    MANAGER,
    Case,
    Catcher,
    actor,
    add_operators,
    approved,
    finished,
    member,
    prepare,
    said,
    sending,
    work_off,
)
from tests.waiting import eventually
from topics.delivery import (
    ApprovalDecided,
    ApprovalOutcome,
    ApprovalRequested,
    DeliveryCounts,
    DeliveryFinished,
    DeliveryRefused,
    DeliveryStarted,
    PauseDelivery,
    StopDelivery,
    WithdrawApproval,
)
from topics.supplier import ExtractRows, SupplierNotified, SupplierRefused
from topics.targeting import ConsentChanged


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> AsyncIterator[Runtime]:
    found = await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        EXTRACTION_ROWS="2",
    )
    yield found
    async with found.pool.acquire() as connection:
        assert await broken(connection) == []


async def test_one_address_in_three_chunks_gets_one_message(
    open_service: Open, catcher: Catcher
) -> None:
    runtime = await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        FILL_CHUNKS="1",
    )
    members = [member("same@x.example"), member("one@x.example"), member("Same@x.example ".strip())]
    members += [member("two@x.example"), member("SAME@x.example")]
    case = Case(members)
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start())
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=5, sent=3, ignored=2, emails_sent=3)
    assert len(await catcher.to("same@x.example")) == 1
    doubles = await runtime.pool.fetch(
        "SELECT member_id, address, merge FROM ledger WHERE reason = 'double'"
    )
    assert {row["member_id"] for row in doubles} == {members[2].member_id, members[4].member_id}
    assert {row["address"] for row in doubles} == {None}


async def test_with_doubles_switched_on_each_contact_of_an_address_gets_its_message(
    open_service: Open, catcher: Catcher
) -> None:
    runtime = await open_service(
        SERVICE, SMTP_PORT=str(catcher.port), PROGRESS_SECONDS="0.1", FILL_CHUNKS="1"
    )
    out = await opted_out(runtime, "out@x.example")
    members = [
        member("same@x.example", first_name="Ada"),
        member(out),
        member("SAME@x.example", first_name="Bob"),
        member("one@x.example"),
        member("same@x.example", first_name="Cy"),
        member(out),
    ]
    case = Case(members)
    async with sending(runtime):
        await approved(runtime, case, send_doubles=True)
        await runtime.execute(case.start())
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=6, sent=4, ignored=2, emails_sent=4)
    mails = [(to.lower(), subject) for to, subject in await catcher.listed()]
    assert sorted(subject for to, subject in mails if to == "same@x.example") == [
        "Hello Ada",
        "Hello Bob",
        "Hello Cy",
    ]
    # Each stands under the address's own key, which opt-outs and bounces know.
    rows = await runtime.pool.fetch(
        "SELECT recipient_key, twin, member_id, reason FROM ledger WHERE run_id = $1", case.run_id
    )
    assert {row["recipient_key"] for row in rows} == {one.recipient_key for one in members}
    assert all(row["twin"] == row["member_id"] for row in rows)
    assert {row["reason"] for row in rows} == {"", "opted_out"}
    async with runtime.pool.acquire() as connection:
        assert await broken(connection) == []


async def opted_out(runtime: Runtime, address: str) -> str:
    """Have an address opt out; return it."""
    key = member(address).recipient_key
    assert key is not None
    await runtime.execute(ConsentChanged(recipient_key=key, opted_out=True, at=runtime.clock.now()))
    return address


@pytest.mark.parametrize("send_doubles", [False, True])
async def test_chunks_filled_again_add_no_row_with_or_without_doubles(
    runtime: Runtime, send_doubles: bool
) -> None:
    case = Case([member("a@x.example"), member("a@x.example"), member("b@x.example")])
    async with sending(runtime):
        await approved(runtime, case, send_doubles=send_doubles)
    await runtime.execute(case.start())
    await runtime.execute(PauseDelivery(campaign_id=case.campaign_id, actor=actor(MANAGER)))
    await work_off(runtime)
    before = await ledger_rows(runtime, case)
    async with runtime.uow.begin() as work:
        run = await RunStore(work.connection).lock(case.run_id)
        assert run is not None
        # As after a kill behind the fill's commit, with the progress of before it.
        again = replace(run, next_chunk=0)
        await LedgerStore(work.connection).fill(again, until_chunk=run.chunks, at=work.now)
    assert await ledger_rows(runtime, case) == before
    assert [reason for _, reason in before].count("double") == (0 if send_doubles else 1)


async def ledger_rows(runtime: Runtime, case: Case) -> list[tuple[UUID, str]]:
    rows = await runtime.pool.fetch(
        "SELECT member_id, reason FROM ledger WHERE run_id = $1 ORDER BY position", case.run_id
    )
    return [(row["member_id"], row["reason"]) for row in rows]


async def test_doubles_that_no_approved_content_asked_for_are_seen_by_the_check(
    open_service: Open, catcher: Catcher
) -> None:
    runtime = await open_service(SERVICE, SMTP_PORT=str(catcher.port), PROGRESS_SECONDS="0.1")
    case = Case([member("a@x.example"), member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case, send_doubles=True)
        await runtime.execute(case.start())
        await finished(runtime, case)
    await runtime.pool.execute("UPDATE contents SET send_doubles = false")
    async with runtime.pool.acquire() as connection:
        found = await broken(connection)
    assert len(found) == 2
    assert all(line.startswith("I1 doubles go only where") for line in found)


async def test_a_start_that_comes_twice_and_chunks_that_come_twice_send_once(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("a@x.example"), member("b@x.example"), member("c@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start())
        await runtime.execute(case.start())
        for chunk in case.chunks:
            await runtime.execute(chunk)
        await finished(runtime, case)
        for chunk in case.chunks:
            await runtime.execute(chunk)
        await runtime.execute(case.start())
        await runtime.execute(case.proof())
        await work_off(runtime)
    assert len(await said(runtime, DeliveryStarted)) == 1
    assert len(await said(runtime, DeliveryFinished)) == 1
    for address in ("a@x.example", "b@x.example", "c@x.example", f"proof@{case.domain}"):
        assert len(await catcher.to(address)) == 1
    # The snapshot's people are not kept once their run has ended.
    assert await runtime.pool.fetchval("SELECT count(*) FROM snapshot_chunks") == 0


async def test_a_proof_waits_for_the_last_chunk_of_its_snapshot(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("a@x.example"), member("b@x.example"), member("c@x.example")])
    first, last = case.chunks
    async with sending(runtime):
        await runtime.execute(last)
        await approved_but(runtime, case)
        assert await said(runtime, ApprovalRequested) == []
        await runtime.execute(first)
        await eventually(lambda: catcher.to(f"proof@{case.domain}"))


async def approved_but(runtime: Runtime, case: Case) -> None:
    """Prepare a case and ask for its proof; its snapshot comes separately."""
    await add_operators(runtime)
    await prepare(runtime, case)
    await runtime.execute(case.proof())


async def start_refused(runtime: Runtime, case: Case, **wrong: Any) -> str:
    await runtime.execute(case.start(**wrong))
    await work_off(runtime)
    refused = (await said(runtime, DeliveryRefused))[-1]
    assert refused.command == "StartDelivery"
    assert await runtime.pool.fetchval("SELECT count(*) FROM ledger WHERE NOT urgent") == 0
    return refused.reason


async def test_a_start_over_something_else_than_approved_is_refused(runtime: Runtime) -> None:
    case = Case([member("a@x.example"), member("b@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"content_hash": "0" * 64}, "content is not the one"),
        ({"snapshot_hash": "0" * 64}, "not the snapshot"),
        ({"count": 3}, "2 recipients were approved, 3 are asked for"),
    ]
    for changes, reason in wrong:
        assert reason in await start_refused(runtime, case, **changes)
    assert len(await said(runtime, DeliveryRefused)) == 3


async def test_a_start_after_the_template_was_edited_is_refused(runtime: Runtime) -> None:
    case = Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
    await runtime.execute(case.template(subject="Something else"))
    ended = (await said(runtime, ApprovalDecided))[-1]
    assert (ended.outcome, ended.reason) == (ApprovalOutcome.WITHDRAWN, "its template was edited")
    assert "its template was edited" in await start_refused(runtime, case)


async def test_a_template_edit_that_changes_no_content_keeps_the_approval(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.template(label="Another label"))
        await runtime.execute(case.start())
        await finished(runtime, case)
    assert len(await catcher.to("a@x.example")) == 1


async def test_a_start_without_approval_is_refused(runtime: Runtime) -> None:
    case = Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
    await runtime.execute(
        WithdrawApproval(campaign_id=case.campaign_id, reason="no budget", actor=actor(MANAGER))
    )
    assert "withdrawn (no budget)" in await start_refused(runtime, case)


async def test_a_start_over_an_old_snapshot_is_refused(runtime: Runtime) -> None:
    case = Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
    await runtime.pool.execute(
        "UPDATE snapshots SET first_at = first_at - $1::interval", timedelta(days=8)
    )
    assert "over 7 days old" in await start_refused(runtime, case)


async def test_a_withdrawal_during_a_run_halts_it(runtime: Runtime, catcher: Catcher) -> None:
    case = Case([member("a@x.example"), member("b@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
    await runtime.execute(case.start())
    await work_off(runtime)
    await runtime.execute(
        WithdrawApproval(campaign_id=case.campaign_id, reason="a mistake", actor=actor(MANAGER))
    )
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=2, ignored=2)
    assert await catcher.to("a@x.example") == []


def letters_case() -> Case:
    members = [member(None, first_name=name) for name in ("Ada", "Bea", "Cyd")]
    return Case([*members, member("e@x.example")], supplier_service_id=uuid4())


async def with_letters_out(runtime: Runtime, case: Case) -> None:
    await approved(runtime, case)
    await runtime.execute(case.start())
    await eventually(
        lambda: runtime.pool.fetchval("SELECT letters_next = 2 FROM runs WHERE kind = 'campaign'")
    )


async def test_people_without_e_mail_go_to_the_supplier_and_count_once_it_has_them(
    runtime: Runtime,
) -> None:
    case = letters_case()
    async with sending(runtime):
        await with_letters_out(runtime, case)
        asked = await said(runtime, ExtractRows)
        assert [(one.index, one.chunks, len(one.rows)) for one in asked] == [(0, 2, 2), (1, 2, 1)]
        rows = [row for one in asked for row in one.rows]
        assert {row.recipient for row in rows} == {"Ada Example", "Bea Example", "Cyd Example"}
        assert {row.recipient_id for row in rows} == {m.member_id for m in case.members[:3]}
        assert {row.town for row in rows} == {"Lyon"}
        notified = SupplierNotified(
            campaign_id=case.campaign_id,
            run_id=case.run_id,
            service_id=case.supplier_service_id or uuid4(),
            file_id=uuid4(),
            rows=3,
        )
        await runtime.execute(notified)
        await runtime.execute(notified)
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=4, sent=4, emails_sent=1, letters_sent=3)


async def test_letters_the_supplier_refuses_fail_with_its_reason(runtime: Runtime) -> None:
    case = letters_case()
    async with sending(runtime):
        await with_letters_out(runtime, case)
        await runtime.execute(
            SupplierRefused(
                subject_id=case.campaign_id,
                run_id=case.run_id,
                command="ExtractRows",
                reason="no such service",
            )
        )
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=4, sent=1, failed=3, emails_sent=1)
    reason = await runtime.pool.fetchval("SELECT reason FROM ledger WHERE outcome = 'failed'")
    assert reason == "supplier_refused: no such service"


async def test_a_stop_waits_for_letters_the_supplier_has(runtime: Runtime) -> None:
    case = letters_case()
    async with sending(runtime):
        await with_letters_out(runtime, case)
        await runtime.execute(
            StopDelivery(campaign_id=case.campaign_id, reason="over", actor=actor(MANAGER))
        )
        await runtime.execute(
            SupplierNotified(
                campaign_id=case.campaign_id,
                run_id=case.run_id,
                service_id=case.supplier_service_id or uuid4(),
                file_id=uuid4(),
                rows=3,
            )
        )
        end = await finished(runtime, case)
    assert end.counts.letters_sent == 3


async def test_without_a_supplier_people_without_e_mail_are_ignored(runtime: Runtime) -> None:
    case = Case([member(None), member("e@x.example"), member("o@x.example", opted_out=True)])
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start())
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=3, sent=1, ignored=2, emails_sent=1)
    reasons = await runtime.pool.fetch("SELECT reason FROM ledger WHERE outcome = 'ignored'")
    assert {row["reason"] for row in reasons} == {"no_address", "opted_out"}
