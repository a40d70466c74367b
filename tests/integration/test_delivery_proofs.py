"""Proofs that fail, and the sender when servers come and go."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.app import SERVICE
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    REVIEWER,
    Case,
    Catcher,
    add_operators,
    approved,
    finished,
    first,
    member,
    prepare,
    said,
    sending,
    work_off,
)
from tests.waiting import eventually
from topics.delivery import (
    ApprovalRequested,
    ApprovalState,
    DeliveryPrepared,
    DeliveryRefused,
    ProofFailed,
    ProofSent,
)


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> Runtime:
    found = await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        SENDER_RETRY_BASE_SECONDS="0.1",
        SENDER_CONNECTIONS="2",
        SMTP_TIMEOUT_SECONDS="60",
    )
    await add_operators(found)
    return found


async def ask_for_proof(runtime: Runtime, case: Case, **template: Any) -> None:
    await prepare(runtime, case, **template)
    for chunk in case.chunks:
        await runtime.execute(chunk)
    await runtime.execute(case.proof(REVIEWER))


UNMADE: list[tuple[dict[str, Any], str, str]] = [
    ({"proof_recipients": ()}, "proof_recipients", "names nobody"),
    ({"subject": "{{ contact.nickname }}"}, "subject", "has no value for nickname"),
    ({"body": "{{ ctx.order }}"}, "body", "has no value for order"),
]


async def test_a_proof_that_cannot_be_made_says_what_to_mend(runtime: Runtime) -> None:
    for template, field, reason in UNMADE:
        await ask_for_proof(runtime, Case([member("a@x.example")]), **template)
        failed = (await said(runtime, ProofFailed))[-1]
        assert failed.field == field
        assert reason in failed.reason
    await ask_for_proof(runtime, Case([]))
    assert "target is empty" in (await said(runtime, ProofFailed))[-1].reason


async def test_a_proof_that_a_server_refuses_fails_and_the_next_one_has_the_next_number(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("a@x.example")])
    catcher.misbehave(FaultRule(action=Action.REFUSE_RECIPIENT, code=550, times=1))
    async with sending(runtime):
        await ask_for_proof(
            runtime, case, language="fr", proof_recipients=(f"p@{case.domain}", f"q@{case.domain}")
        )
        failed = await first(runtime, ProofFailed)
        assert "1 of 2" in failed.reason
        assert await said(runtime, ApprovalRequested) == []
        await runtime.execute(case.proof(REVIEWER))
        assert (await first(runtime, ProofSent)).proof_number == 2
    assert (await catcher.to(f"p@{case.domain}"))[-1]["Subject"] == "[BAT 2] Hello Ada"
    state = (await said(runtime, ApprovalState))[-1]
    # Published, so it names nobody of the target.
    assert state.subject == "[BAT 2] Hello {{ contact.first_name }}"


async def test_a_proof_whose_answer_was_lost_is_sent_again(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("a@x.example")])
    catcher.misbehave(FaultRule(action=Action.DROP_AFTER_KEEP, times=1))
    async with sending(runtime):
        await ask_for_proof(runtime, case)
        await first(runtime, ProofSent)
    assert len(await catcher.to(f"proof@{case.domain}")) == 2


async def test_an_edit_while_the_proof_is_on_its_way_fails_it(runtime: Runtime) -> None:
    case = Case([member("a@x.example")])
    await ask_for_proof(runtime, case)
    await runtime.execute(case.template(subject="Another"))
    assert len({one.content_hash for one in await said(runtime, DeliveryPrepared)}) == 2
    async with sending(runtime):
        failed = await first(runtime, ProofFailed)
    assert "changed meanwhile" in failed.reason


async def test_a_refused_start_can_be_asked_again(runtime: Runtime, catcher: Catcher) -> None:
    case = Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case, service=False)
        await runtime.execute(case.start(snapshot_hash="0" * 64))
        await first(runtime, DeliveryRefused)
        await runtime.execute(case.start())
        await finished(runtime, case)
    assert len(await catcher.to("a@x.example")) == 1


async def test_while_no_server_answers_nothing_is_claimed_and_all_leaves_after(
    runtime: Runtime, open_service: Open
) -> None:
    case = Case([member("a@x.example"), member("b@x.example")])
    async with sending(runtime):
        await approved(runtime, case, service=False)
    calls = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    down = await open_service(SERVICE, SMTP_PORT=str(port), PROGRESS_SECONDS="0.1")
    await down.execute(case.start())
    await work_off(down)
    async with sending(down):
        await eventually(lambda: calls > 1)
        assert await down.pool.fetchval("SELECT count(*) FROM attempts WHERE outcome = 'open'") == 0
    server.close()
    async with sending(runtime):
        end = await finished(runtime, case)
    assert end.counts.sent == 2
    tries = await runtime.pool.fetchval("SELECT max(attempts) FROM ledger")
    assert tries == 1


async def test_two_senders_share_a_run_and_nobody_gets_two(
    runtime: Runtime, catcher: Catcher, open_service: Open
) -> None:
    case = Case([member(f"m{i}@x.example") for i in range(400)], chunk_size=20)
    async with sending(runtime):
        await approved(runtime, case, service=False)
    await runtime.execute(case.start())
    await work_off(runtime)
    other = await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        SENDER_WINDOW="5",
    )
    # Each worker of a process has a name of its own, behind the process's.
    holders = "SELECT count(DISTINCT split_part(lease_owner, '.', 1)) = 2 FROM slices"
    catcher.misbehave(FaultRule(action=Action.DELAY, delay_seconds=0.05))
    async with sending(runtime), sending(other):
        await eventually(lambda: runtime.pool.fetchval(holders), what="slices in the hands of both")
        catcher.misbehave()
        end = await finished(runtime, case)
    assert end.counts.sent == 400
    mails = await catcher.store.after(0, 1_000)
    assert len(mails) == 401


async def test_a_stop_gives_back_what_was_not_called_and_waits_for_no_slow_server(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member(f"m{i}@x.example") for i in range(10)], chunk_size=100)
    async with sending(runtime):
        await approved(runtime, case, service=False)
    await runtime.execute(case.start())
    await work_off(runtime)
    catcher.misbehave(FaultRule(action=Action.DELAY, delay_seconds=60))
    async with sending(runtime):
        await eventually(lambda: catcher.handler.faults.hits[0], what="a call under way")
        began = time.monotonic()
    assert time.monotonic() - began < 8
    rows = await runtime.pool.fetch(
        "SELECT outcome, count(*) AS rows FROM ledger WHERE run_id = $1 GROUP BY outcome",
        case.run_id,
    )
    assert {row["outcome"]: row["rows"] for row in rows} == {"ambiguous": 1, "pending": 9}
    [part] = await runtime.pool.fetch("SELECT window_from, window_to, lease_until FROM slices")
    assert (part["window_from"], part["window_to"], part["lease_until"]) == (1, 1, None)
