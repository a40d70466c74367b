"""Bounces and complaints: kept before the 250, counted once, told to the ledger."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.bounces.verp import tokens_in
from services.delivery.bounces.workflow import bounces
from services.delivery.claims import Claims
from services.delivery.domain.quarantine import Failure
from services.delivery.domain.runs import RunKind, Verdict
from services.delivery.quarantining import note_failures
from services.delivery.results import write_results
from services.delivery.settings import DeliverySettings
from services.delivery.store.sending import Result
from services.delivery.tracking.workflows import count_indicators
from shared.service import Runtime
from shared.workflows import set_status
from tests.bounce_mails import complaint, dsn, holiday, in_words
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
from tests.integration.delivery_harness import said, sending
from tests.integration.test_delivery_messages import message, outcome, receipt
from tests.waiting import eventually
from topics.bounces import AddressQuarantined, AddressStatus, ErrorReason
from topics.delivery import Channel, DeliveryFinished, DeliveryProgressed, MessageOutcome, Outcome
from topics.targeting import ConsentChanged, RecordConsent
from topics.workflows import WorkflowHeartbeat, WorkflowStatus


@pytest.fixture
async def setting(open_service: Open, tmp_path: Path) -> AsyncIterator[Setting]:
    async with set_up(open_service, tmp_path, HEARTBEAT_SECONDS="0.5") as found:
        yield found


async def test_a_hard_bounce_fails_its_message_and_quarantines_its_address_once(
    setting: Setting,
) -> None:
    runtime = setting.runtime
    case, senders = await sent_to(setting, "gone@x.example", "here@x.example")
    token_address = senders["gone@x.example"]
    assert tokens_in(token_address)
    assert token_address.endswith(f"@{DOMAIN}")
    mail = dsn(token_address, "gone@x.example")
    copies = [mail] * 10 + [dsn(token_address, "gone@x.example", mark=str(i)) for i in range(40)]
    random.Random(7).shuffle(copies)
    async with receiving(setting):
        await send(setting, token_address.upper(), *copies[:25])
        await work_bounces(runtime)
        await send(setting, token_address, *copies[25:])
    await work_bounces(runtime)
    assert await row_of(runtime, case, "gone@x.example") == ("failed", "user_unknown", "550 5.1.1")
    assert await row_of(runtime, case, "here@x.example") == ("sent", "", "250 2.0.0")
    assert await standing(runtime, "gone@x.example") == ("quarantine", 0, 1)
    assert await standing(runtime, "here@x.example") == ("valid", 0, 0)
    [event] = await said(runtime, AddressQuarantined)
    assert event.recipient_key == key_of("gone@x.example")
    assert event.status is AddressStatus.QUARANTINE
    assert event.reason is ErrorReason.USER_UNKNOWN
    assert len(await said(runtime, DeliveryFinished)) == 1
    last = (await said(runtime, DeliveryProgressed))[-1]
    assert (last.counts.sent, last.counts.failed) == (1, 1)
    texts = await runtime.pool.fetch("SELECT text, count FROM bounce_messages")
    assert [tuple(row) for row in texts] == [
        ("550 5.1.1 *: recipient address rejected: user unknown", 1)
    ]
    await sound(runtime)


async def take(setting: Setting, *mails: bytes, to: str = f"b@{DOMAIN}") -> None:
    async with receiving(setting):
        await send(setting, to, *mails)
    await work_bounces(setting.runtime)


async def kinds(setting: Setting) -> list[tuple[str, bool]]:
    rows = await setting.runtime.pool.fetch("SELECT kind, matched FROM inbound_mails ORDER BY seq")
    return [(row["kind"], row["matched"]) for row in rows]


async def test_a_report_without_a_token_must_know_the_address_of_the_message_it_names(
    setting: Setting,
) -> None:
    runtime = setting.runtime
    case, _ = await sent_to(setting, "one@x.example", "two@x.example")
    [mail] = await setting.catcher.to("one@x.example")
    returned = f"Message-ID: {mail['Message-ID']}\n"
    await take(setting, dsn(f"b@{DOMAIN}", "stranger@x.example", returned=returned))
    assert await kinds(setting) == [("failure", False)]
    assert (await row_of(runtime, case, "one@x.example"))[0] == "sent"
    await take(setting, dsn(f"b@{DOMAIN}", "One@x.example", returned=returned))
    assert await kinds(setting) == [("failure", False), ("failure", True)]
    assert (await row_of(runtime, case, "one@x.example"))[0] == "failed"
    assert (await row_of(runtime, case, "two@x.example"))[0] == "sent"
    await sound(runtime)


async def test_a_report_that_names_an_address_alone_is_of_the_latest_message_to_it(
    setting: Setting,
) -> None:
    runtime = setting.runtime
    case, _ = await sent_to(setting, "one@x.example")
    template_id = await receipt(runtime)
    command = message(template_id, "one@x.example", order="1", total="1")
    async with sending(runtime):
        await runtime.execute(command)
        await outcome(runtime, command)
    await take(setting, in_words(f"b@{DOMAIN}", "one@x.example"))
    assert (await row_of(runtime, case, "one@x.example"))[0] == "sent"
    told = [one for one in await said(runtime, MessageOutcome) if one.outcome is Outcome.FAILED]
    assert [(one.message_id, one.reason) for one in told] == [(command.message_id, "user_unknown")]
    await sound(runtime)


async def test_a_forged_token_is_no_address_and_changes_nothing_in_a_header(
    setting: Setting,
) -> None:
    runtime = setting.runtime
    case, senders = await sent_to(setting, "one@x.example")
    own = senders["one@x.example"]
    forged = own.replace("+" + own[2], "+" + ("a" if own[2] != "a" else "b"))
    await take(setting, dsn(forged, "stranger@x.example"))
    assert await kinds(setting) == [("failure", False)]
    assert (await row_of(runtime, case, "one@x.example"))[0] == "sent"


async def test_a_complaint_opts_out_and_denylists_whoever_complained(setting: Setting) -> None:
    runtime = setting.runtime
    case, senders = await sent_to(setting, "one@x.example", "two@x.example")
    mail = complaint(f"fbl@{DOMAIN}", "redacted@x.example", token_of=senders["one@x.example"])
    await take(setting, mail, mail, complaint(f"fbl@{DOMAIN}", "x@x.example", kind="not-spam"))
    assert await kinds(setting) == [("complaint", True), ("notice", False)]
    assert await standing(runtime, "one@x.example") == ("denylisted", 0, 8)
    assert (await row_of(runtime, case, "one@x.example"))[0] == "sent", "it was read"
    [consent] = await said(runtime, RecordConsent)
    assert (consent.recipient_key, consent.opted_out) == (key_of("one@x.example"), True)
    # An opt-in after the complaint is not undone by a copy of it, nor does it end the denylisting.
    await runtime.execute(
        ConsentChanged(recipient_key=consent.recipient_key, opted_out=False, at=datetime.now(UTC))
    )
    await take(setting, complaint(f"other@{DOMAIN}", "a@x.y", token_of=senders["one@x.example"]))
    assert len(await said(runtime, RecordConsent)) == 1
    assert (await standing(runtime, "one@x.example"))[0] == "denylisted"
    await sound(runtime)


async def test_holidays_delays_and_what_nobody_understands_change_nothing(
    setting: Setting,
) -> None:
    runtime = setting.runtime
    case, senders = await sent_to(setting, "one@x.example")
    own = senders["one@x.example"]
    await take(
        setting,
        holiday(own),
        dsn(own, "one@x.example", status="4.4.1", action="delayed"),
        b"Subject: hello\r\n\r\nunsubscribe me\r\n",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x",
        to=own,
    )
    assert await kinds(setting) == [
        ("notice", True),
        ("notice", True),
        ("unknown", True),
        ("unknown", True),
    ]
    assert (await row_of(runtime, case, "one@x.example"))[0] == "sent"
    assert await standing(runtime, "one@x.example") == ("valid", 0, 0)


async def test_a_soft_bounce_is_counted_and_its_message_failed(setting: Setting) -> None:
    runtime = setting.runtime
    case, senders = await sent_to(setting, "full@x.example", "odd@x.example")
    async with receiving(setting):
        full, odd = senders["full@x.example"], senders["odd@x.example"]
        await send(
            setting,
            full,
            dsn(full, "full@x.example", status="5.2.2", said="552 5.2.2 mailbox is full"),
        )
        await send(setting, odd, dsn(odd, "odd@x.example", status="5.0.0", said="599 Nope at 17"))
    await work_bounces(runtime)
    assert await row_of(runtime, case, "full@x.example") == ("failed", "mailbox_full", "552 5.2.2")
    assert await standing(runtime, "full@x.example") == ("with_errors", 1, 5)
    assert await row_of(runtime, case, "odd@x.example") == ("failed", "unqualified", "5.0.0")
    assert await standing(runtime, "odd@x.example") == ("with_errors", 1, 15)
    rows = await runtime.pool.fetch("SELECT text, status FROM bounce_messages ORDER BY text")
    assert [tuple(row) for row in rows] == [
        ("5.0.0 #xxx# nope at #xxx#", "to_qualify"),
        ("552 5.2.2 mailbox is *", "keep"),
    ]
    await sound(runtime)


async def test_a_bounce_that_is_faster_than_the_result_of_the_sending_waits_for_it(
    setting: Setting,
) -> None:
    runtime = setting.runtime
    template_id = await receipt(runtime)
    command = message(template_id, "one@x.example", order="1", total="1")
    await runtime.execute(command)
    settings = cast("DeliverySettings", runtime.settings)
    batch = await Claims(runtime.uow, settings, "test").take_urgent()
    assert batch is not None
    [row] = batch.rows
    assert row.kind is RunKind.TRANSACTIONAL
    await take(setting, dsn(f"b@{DOMAIN}", "one@x.example", returned=_named(command.message_id)))
    assert await said(runtime, MessageOutcome) == []
    async with runtime.uow.begin() as work:
        result = Result(
            run_id=row.run_id,
            member_id=row.member_id,
            number=row.number,
            kind=row.kind,
            verdict=Verdict.SENT,
            code="250",
            outcome=Outcome.SENT,
            reason="",
            next_at=None,
        )
        await write_results(work, [result])
    await work_bounces(runtime)
    told = [one.outcome for one in await said(runtime, MessageOutcome)]
    assert told == [Outcome.SENT, Outcome.FAILED]
    await sound(runtime)


async def test_a_message_that_is_sent_again_may_bounce_again(setting: Setting) -> None:
    runtime = setting.runtime
    case, senders = await sent_to(setting, "full@x.example")
    own = senders["full@x.example"]
    full = {"status": "5.2.2", "said": "552 5.2.2 over quota"}
    mail = dsn(own, "full@x.example", **full)
    async with receiving(setting):
        await send(setting, own, mail)
        await work_bounces(runtime)
        # What "send the failed ones again" comes to, once the message has left once more.
        await runtime.pool.execute(
            "UPDATE ledger SET outcome = 'sent', reason = '', outcome_at = clock_timestamp()"
        )
        await send(setting, own, mail)
        await work_bounces(runtime)
        assert (await row_of(runtime, case, "full@x.example"))[0] == "sent", "the same mail"
        await send(setting, own, dsn(own, "full@x.example", mark="a second one", **full))
    await work_bounces(runtime)
    assert (await row_of(runtime, case, "full@x.example"))[:2] == ("failed", "mailbox_full")
    assert await standing(runtime, "full@x.example") == ("with_errors", 1, 5)
    await sound(runtime)


async def test_indicators_say_what_came_back_also_after_the_end(setting: Setting) -> None:
    runtime = setting.runtime
    names = ("gone", "full", "angry", "here", "refused")
    addresses = [f"{name}@x.example" for name in names]
    setting.catcher.misbehave(
        FaultRule(action=Action.REFUSE_RECIPIENT, recipient="refused@*", code=550)
    )
    case, senders = await sent_to(setting, *addresses)
    await counted(runtime)
    async with receiving(setting):
        for name, mail in (
            ("gone", dsn(senders["gone@x.example"], "gone@x.example")),
            ("full", dsn(senders["full@x.example"], "full@x.example", status="5.2.2", said="full")),
            ("angry", complaint("b@x", "a@x.y", token_of=senders["angry@x.example"])),
        ):
            await send(setting, senders[f"{name}@x.example"], mail)
    row = await runtime.pool.fetchrow(
        "SELECT member_id, recipient_key FROM ledger WHERE reason = 'refused_by_server'"
    )
    assert row is not None
    async with runtime.uow.begin() as work:
        await note_failures(
            work,
            [
                Failure(
                    run_id=case.run_id,
                    member_id=row["member_id"],
                    recipient_key=row["recipient_key"],
                    channel=Channel.EMAIL,
                    code="550 5.1.1",
                    at=work.now,
                )
            ],
        )
    await work_bounces(runtime)
    await counted(runtime)
    figures = await runtime.pool.fetchval(
        "SELECT figures FROM delivery_indicators WHERE delivery_id = $1", case.delivery_id
    )
    names = ("success", "hard_bounces", "soft_bounces", "complaints", "new_quarantines")
    assert [figures[name] for name in names] == [2, 2, 1, 1, 2]
    await sound(runtime)


async def counted(runtime: Runtime) -> None:
    more = True
    while more:
        async with runtime.uow.begin() as work:
            more = (await count_indicators(work)).more


def _named(message_id: object) -> str:
    name = str(message_id).replace("-", "")
    return f"Message-ID: <{name}.{name}@example.org>\n"


async def test_stopped_nothing_is_read_and_started_everything_is(setting: Setting) -> None:
    runtime = setting.runtime
    case, senders = await sent_to(setting, "gone@x.example")
    own = senders["gone@x.example"]
    stop = asyncio.Event()
    async with runtime.uow.begin() as work:
        await set_status(work, "bounces", WorkflowStatus.STOPPED)
    engine = asyncio.create_task(runtime.engine.run(stop))
    async with receiving(setting):
        await send(setting, own, dsn(own, "gone@x.example"))
    before = await heartbeats(runtime)
    await eventually(lambda: more_than(runtime, before + 1), what="the engine going on")
    assert await kinds(setting) == [("", False)]
    async with runtime.uow.begin() as work:
        await set_status(work, "bounces", WorkflowStatus.STARTED)

    async def read() -> bool:
        return await kinds(setting) == [("failure", True)]

    await eventually(read, what="the mail read")
    stop.set()
    await engine
    assert (await row_of(runtime, case, "gone@x.example"))[0] == "failed"


async def heartbeats(runtime: Runtime) -> int:
    return len(await said(runtime, WorkflowHeartbeat))


async def more_than(runtime: Runtime, number: int) -> bool:
    return await heartbeats(runtime) > number


class Killed(Exception):
    pass


async def test_a_step_that_dies_before_its_commit_is_as_if_it_had_not_begun(
    setting: Setting,
) -> None:
    runtime = setting.runtime
    case, senders = await sent_to(setting, "gone@x.example")
    own = senders["gone@x.example"]
    async with receiving(setting):
        await send(setting, own, dsn(own, "gone@x.example"))

    async def killed() -> None:
        async with runtime.uow.begin() as work:
            await bounces(work)
            raise Killed

    with pytest.raises(Killed):
        await killed()
    assert await standing(runtime, "gone@x.example") == ("valid", 0, 0)
    assert (await row_of(runtime, case, "gone@x.example"))[0] == "sent"
    await work_bounces(runtime)
    assert await standing(runtime, "gone@x.example") == ("quarantine", 0, 1)
    assert len(await said(runtime, AddressQuarantined)) == 1
    await sound(runtime)


async def test_a_mail_is_removed_a_while_after_it_was_read(setting: Setting) -> None:
    runtime = setting.runtime
    await take(setting, holiday(f"b@{DOMAIN}"))
    await runtime.pool.execute(
        "UPDATE inbound_mails SET handled_at = $1", datetime.now(UTC) - timedelta(days=29)
    )
    await work_bounces(runtime)
    assert len(await kinds(setting)) == 1
    await runtime.pool.execute(
        "UPDATE inbound_mails SET handled_at = $1", datetime.now(UTC) - timedelta(days=31)
    )
    await work_bounces(runtime)
    assert await kinds(setting) == []
