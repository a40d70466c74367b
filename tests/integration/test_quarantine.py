"""Quarantine: who is left out, how refusals count, how a person releases an address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.app import SERVICE
from services.delivery.domain.quarantine import Failure
from services.delivery.domain.runs import Reason
from services.delivery.erase import erase
from services.delivery.invariants import CHECKS, broken
from services.delivery.quarantining import blocked, note_failures
from services.delivery.store.bounce_messages import BounceMessageStore
from shared.http import create_app
from shared.identity import HEADER, issue
from shared.ids import new_id
from shared.service import Runtime
from tests.bounce_mails import dsn
from tests.conftest import Open
from tests.integration.bounce_story import (
    DOMAIN,
    Setting,
    key_of,
    receiving,
    row_of,
    send,
    sent_to,
    set_up,
    sound,
    standing,
    work_bounces,
)
from tests.integration.delivery_harness import (
    MANAGER,
    REVIEWER,
    Case,
    actor,
    approved,
    finished,
    member,
    said,
    sending,
    work_off,
)
from tests.integration.test_delivery_messages import message, outcome, receipt
from topics.bounces import (
    AddressQuarantined,
    AddressReleased,
    AddressStatus,
    QualificationRefused,
    ReleaseRefused,
)
from topics.delivery import Channel, Outcome

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.fixture
async def setting(open_service: Open, tmp_path: Path) -> AsyncIterator[Setting]:
    async with set_up(open_service, tmp_path) as found:
        yield found


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    return await open_service(SERVICE)


@pytest.fixture
async def client(setting: Setting) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(setting.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as found:
        yield found


async def ask(
    client: httpx.AsyncClient,
    setting: Setting,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    who: UUID = MANAGER,
) -> httpx.Response:
    runtime = setting.runtime
    token = issue(runtime.settings.secret, actor(who), audience="delivery", now=runtime.clock.now())
    return await client.request(
        method, f"/api/v1/delivery{path}", json=body, headers={HEADER: token}
    )


def refusal(key: str, code: str = "550 5.1.1", at: datetime = NOON, **more: Any) -> Failure:
    return Failure(
        run_id=more.pop("run_id", None) or new_id(),
        member_id=more.pop("member_id", None) or uuid4(),
        recipient_key=key,
        channel=Channel.EMAIL,
        code=code,
        at=at,
        **more,
    )


async def note(runtime: Runtime, failures: Sequence[Failure]) -> list[Failure]:
    async with runtime.uow.begin() as work:
        return await note_failures(work, failures)


async def stands(runtime: Runtime, key: str) -> tuple[str, int]:
    row = await runtime.pool.fetchrow(
        "SELECT status, soft_errors FROM quarantine WHERE recipient_key = $1", key
    )
    return (row["status"], row["soft_errors"]) if row else ("valid", 0)


async def test_a_refusal_counts_once_however_often_it_is_told(runtime: Runtime) -> None:
    hard = refusal("hard")
    soft = refusal("soft", "450 4.2.1")
    assert await note(runtime, [hard, soft, hard]) == [hard, soft]
    assert await note(runtime, [soft, hard]) == []
    assert await stands(runtime, "hard") == ("quarantine", 0)
    assert await stands(runtime, "soft") == ("with_errors", 1)
    rows = await runtime.pool.fetch("SELECT text, count FROM bounce_messages ORDER BY text")
    assert [tuple(row) for row in rows] == [("450 4.2.1", 1), ("550 5.1.1", 1)]
    assert len(await said(runtime, AddressQuarantined)) == 1
    await sound(runtime)


async def test_the_sixth_soft_error_a_day_apart_quarantines_whatever_order_it_comes_in(
    runtime: Runtime,
) -> None:
    errors = [refusal("key", "421", NOON + timedelta(days=day)) for day in range(6)]
    for error in (errors[3], errors[0], errors[5], errors[1], errors[4]):
        await note(runtime, [error])
    assert (await stands(runtime, "key"))[0] == "with_errors"
    await note(runtime, [errors[2]])
    assert await stands(runtime, "key") == ("quarantine", 6)
    await sound(runtime)


async def test_a_copy_with_an_earlier_date_is_the_one_that_counts(runtime: Runtime) -> None:
    late = refusal("key", "421", NOON + timedelta(hours=30))
    other = refusal("key", "421", NOON + timedelta(hours=40))
    await note(runtime, [late, other])
    assert await stands(runtime, "key") == ("with_errors", 1)
    assert await note(runtime, [replace(late, at=NOON)]) == []
    assert await stands(runtime, "key") == ("with_errors", 2)


async def test_refusals_of_one_new_address_at_the_same_time_are_all_counted(
    runtime: Runtime,
) -> None:
    keys = [f"key {n}" for n in range(30)]
    days = [
        [refusal(key, "421", NOON + timedelta(days=day)) for key in keys[:: 1 - 2 * (day % 2)]]
        for day in range(6)
    ]
    await asyncio.gather(*(note(runtime, failures) for failures in days))
    assert {await stands(runtime, key) for key in keys} == {("quarantine", 6)}
    await sound(runtime)


async def test_thousands_of_refusals_take_a_number_of_statements_that_does_not_grow(
    runtime: Runtime,
) -> None:
    asked: list[str] = []
    async with runtime.uow.begin() as work:
        work.connection.add_query_logger(lambda query: asked.append(query.query))
        numbers = []
        for count in (2, 5, 5_000):
            before = len(asked)
            await note_failures(work, [refusal(f"{count} {n}") for n in range(count)])
            numbers.append(len(asked) - before)
    # The first call also asks what the types of its columns are.
    assert numbers[1] == numbers[2] < 12
    assert await runtime.pool.fetchval("SELECT count(*) FROM quarantine") == 5_007


async def test_soft_errors_are_forgotten_after_ten_days(runtime: Runtime) -> None:
    now = datetime.now(UTC)
    await note(runtime, [refusal("old", "421", now - timedelta(days=11))])
    await note(runtime, [refusal("new", "421", now - timedelta(days=9))])
    await work_bounces(runtime)
    assert await stands(runtime, "old") == ("valid", 0)
    assert await stands(runtime, "new") == ("with_errors", 1)
    await sound(runtime)


async def test_campaigns_and_single_messages_leave_blocked_addresses_out_and_proofs_do_not(
    setting: Setting,
) -> None:
    runtime = setting.runtime
    case = Case([member("quarantined@x.example"), member("here@x.example")])
    proof = f"proof@{case.domain}"
    await note(runtime, [refusal(key_of("quarantined@x.example")), refusal(key_of(proof))])
    complaint = refusal(key_of("denied@x.example"), "complaint", complaint=True)
    await note(runtime, [complaint])
    async with runtime.pool.acquire() as connection:
        keys = [key_of(f"{name}@x.example") for name in ("quarantined", "denied", "here")]
        found = await blocked(connection, keys, "email")
    assert found == {keys[0]: Reason.QUARANTINE, keys[1]: Reason.DENYLISTED}
    template_id = await receipt(runtime)
    commands = [
        message(template_id, f"{name}@x.example", order="1", total="1")
        for name in ("quarantined", "denied", "here")
    ]
    async with sending(runtime):
        await approved(runtime, case, service=False)
        await runtime.execute(case.start())
        await work_off(runtime)
        counts = (await finished(runtime, case)).counts
        for command in commands:
            await runtime.execute(command)
        told = [await outcome(runtime, command) for command in commands]
    assert (counts.sent, counts.ignored) == (1, 1)
    assert (await row_of(runtime, case, "quarantined@x.example"))[:2] == ("ignored", "quarantine")
    assert [(one.outcome, one.reason) for one in told] == [
        (Outcome.IGNORED, "quarantine"),
        (Outcome.IGNORED, "denylisted"),
        (Outcome.SENT, ""),
    ]
    assert len(await setting.catcher.to(proof)) == 1
    await sound(runtime)


async def test_an_address_that_a_server_refuses_for_good_gets_nothing_more(
    setting: Setting,
) -> None:
    runtime = setting.runtime
    setting.catcher.misbehave(
        FaultRule(action=Action.REFUSE_RECIPIENT, recipient="gone@*", code=551)
    )
    case, _ = await sent_to(setting, "gone@x.example", "here@x.example")
    assert (await row_of(runtime, case, "gone@x.example"))[:2] == ("failed", "refused_by_server")
    assert await standing(runtime, "gone@x.example") == ("quarantine", 0, 1)
    assert await standing(runtime, "here@x.example") == ("valid", 0, 0)
    command = message(await receipt(runtime), "gone@x.example", order="1", total="1")
    async with sending(runtime):
        await runtime.execute(command)
        assert (await outcome(runtime, command)).reason == "quarantine"
    await sound(runtime)


async def test_a_person_releases_an_address_and_its_errors_until_then_count_no_more(
    setting: Setting, client: httpx.AsyncClient
) -> None:
    runtime = setting.runtime
    _, senders = await sent_to(setting, "gone@x.example")
    own = senders["gone@x.example"]
    async with receiving(setting):
        await send(setting, own, dsn(own, "gone@x.example"))
    await work_bounces(runtime)
    [listed] = (await ask(client, setting, "GET", "/quarantine")).json()
    assert (listed["recipient_key"], listed["label"]) == (key_of("gone@x.example"), "User unknown")
    body = {"address": "Gone@x.example", "reason": "they have a new server"}
    assert (await ask(client, setting, "POST", "/quarantine/find", body)).status_code == 422
    answer = await ask(client, setting, "POST", "/quarantine/release", body, who=REVIEWER)
    assert answer.status_code == 403
    answer = await ask(client, setting, "POST", "/quarantine/release", body)
    assert answer.json()["status"] == "valid", answer.text
    again = await ask(client, setting, "POST", "/quarantine/release", body)
    assert again.status_code == 409
    [refused, _] = await said(runtime, ReleaseRefused)
    assert refused.actor.id == str(REVIEWER)
    [released] = await said(runtime, AddressReleased)
    assert released.recipient_key == key_of("gone@x.example")
    async with receiving(setting):
        await send(setting, own, dsn(own, "gone@x.example", mark="a copy"))
    await work_bounces(runtime)
    assert (await standing(runtime, "gone@x.example"))[0] == "valid"
    journal = await runtime.pool.fetch(
        "SELECT before, after, reason, actor FROM quarantine_journal ORDER BY seq"
    )
    assert [tuple(row) for row in journal] == [
        ("valid", "quarantine", "user_unknown", "system:delivery"),
        ("quarantine", "valid", "they have a new server", str(MANAGER)),
    ]
    found = await ask(client, setting, "POST", "/quarantine/find", {"address": "gone@x.example"})
    assert found.json()["status"] == "valid"
    await sound(runtime)


async def test_what_a_person_makes_of_a_text_counts_from_then_on(
    setting: Setting, client: httpx.AsyncClient
) -> None:
    runtime = setting.runtime
    odd: dict[str, Any] = {"code": "550", "text": "550 computer says no to 17"}
    await note(runtime, [refusal("first", **odd)])
    [text] = (await ask(client, setting, "GET", "/bounces/messages?status=to_qualify")).json()
    assert (text["text"], text["count"]) == ("550 computer says no to #xxx#", 1)
    path = f"/bounces/messages/{text['text_id']}"
    wrong = await ask(client, setting, "PUT", path, {"reason": 5, "severity": "hard"})
    assert wrong.status_code == 409
    assert "Mailbox full is soft" in wrong.text
    answer = await ask(client, setting, "PUT", path, {"reason": 1, "severity": "hard"})
    assert (answer.json()["status"], answer.json()["label"]) == ("keep", "User unknown")
    await note(runtime, [refusal("second", **odd)])
    assert await stands(runtime, "first") == ("with_errors", 1)
    assert await stands(runtime, "second") == ("quarantine", 0)
    ignore = {"reason": 25, "severity": "ignored", "status": "ignore"}
    await ask(client, setting, "PUT", path, ignore)
    await note(runtime, [refusal("third", **odd)])
    assert await stands(runtime, "third") == ("valid", 0)
    [after] = (await ask(client, setting, "GET", "/bounces/messages")).json()
    assert (after["status"], after["count"]) == ("ignore", 3)
    missing = await ask(
        client, setting, "PUT", "/bounces/messages/999", {"reason": 1, "severity": "hard"}
    )
    assert missing.status_code == 409
    assert len(await said(runtime, QualificationRefused)) == 2


async def test_the_texts_are_bounded_and_what_people_qualified_stays(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.delivery.store.bounce_messages.MOST_TEXTS", 3)
    words = ["rare", "common", "common", "qualified", "other", "other", "last", "last"]
    await note(runtime, [refusal(f"{n}", "550", text=f"550 {w}") for n, w in enumerate(words)])
    await runtime.pool.execute("UPDATE bounce_messages SET by_person = true WHERE text ~ 'qual'")
    async with runtime.uow.begin() as work:
        assert await BounceMessageStore(work.connection).trim() == 2
    kept = {row["text"] for row in await runtime.pool.fetch("SELECT text FROM bounce_messages")}
    assert "550 qualified" in kept
    assert "550 rare" not in kept


async def test_an_erased_person_is_in_no_mail_and_stays_blocked(setting: Setting) -> None:
    runtime = setting.runtime
    _, senders = await sent_to(setting, "gone@x.example", "here@x.example")
    own = senders["gone@x.example"]
    async with receiving(setting):
        await send(setting, own, dsn(own, "gone@x.example"))
        await work_bounces(runtime)
        await send(setting, f"b@{DOMAIN}", dsn(f"b@{DOMAIN}", "Gone@x.example", mark="not read"))
        await send(setting, f"b@{DOMAIN}", dsn(f"b@{DOMAIN}", "here@x.example"))
    async with runtime.uow.begin() as work:
        await erase(work, key_of("gone@x.example"), "gone@x.example")
    raws = await runtime.pool.fetch("SELECT raw FROM inbound_mails")
    assert ["here@x.example" in row["raw"].decode() for row in raws] == [True]
    keys = await runtime.pool.fetchval("SELECT count(*) FROM failures WHERE recipient_key = $1",
                                       key_of("gone@x.example"))  # fmt: skip
    assert keys == 0
    assert (await standing(runtime, "gone@x.example"))[0] == AddressStatus.QUARANTINE
    await sound(runtime)


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        (
            "I2 a message that bounced is not counted as sent",
            "UPDATE ledger SET outcome = 'sent' WHERE outcome = 'failed'",
        ),
        (
            "I5 nothing is sent long after its address was blocked",
            "UPDATE quarantine SET since = since - interval '1 hour'",
        ),
        ("I8 an address is blocked for a written reason", "DELETE FROM quarantine_journal"),
        (
            "I8 an address with errors has as many as are counted",
            "UPDATE quarantine SET status = 'with_errors', soft_errors = 3",
        ),
    ],
)
async def test_an_invariant_that_is_broken_says_so(setting: Setting, name: str, harm: str) -> None:
    runtime = setting.runtime
    _, senders = await sent_to(setting, "gone@x.example")
    own = senders["gone@x.example"]
    async with receiving(setting):
        await send(setting, own, dsn(own, "gone@x.example"))
    await work_bounces(runtime)
    await sound(runtime)
    assert name in CHECKS
    await runtime.pool.execute(harm)
    async with runtime.uow.begin() as work:
        found = await broken(work.connection)
    assert any(line.startswith(name) for line in found), found
