"""Single messages for outside events: sent once, first, and answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.app import SERVICE
from services.delivery.claims import Claims
from services.delivery.domain.runs import RunKind
from services.delivery.settings import DeliverySettings
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET
from tests.integration.delivery_harness import (
    Case,
    Catcher,
    add_operators,
    approved,
    member,
    part,
    said,
    sending,
    work_off,
)
from tests.waiting import eventually
from topics.delivery import MessageOutcome, Outcome, SendBatchMessage, SendMessage, TemplateState
from topics.logs import AnswersLogged
from topics.targeting import ConsentChanged

BODY = "<p>Order {{ ctx.order }}: {{ ctx.total }}</p>"


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> Runtime:
    found = await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        SENDER_RETRY_BASE_SECONDS="0.1",
    )
    await add_operators(found)
    return found


async def receipt(runtime: Runtime) -> UUID:
    case = Case([])
    await runtime.execute(case.template(subject="Order {{ ctx.order }}", body=BODY))
    return case.template_id


def message(template_id: UUID, address: str = "buyer@x.example", **ctx: Any) -> SendMessage:
    return SendMessage(
        message_id=uuid4(),
        template_id=template_id,
        address=address,
        recipient_key=recipient_key(SECRET.encode(), "email", address),
        ctx=ctx,
    )


async def outcome(runtime: Runtime, command: SendMessage) -> MessageOutcome:
    async def probe() -> list[MessageOutcome]:
        every = await said(runtime, MessageOutcome)
        return [one for one in every if one.message_id == command.message_id]

    [found] = await eventually(probe, what="the message's outcome")
    assert isinstance(found, MessageOutcome)
    return found


async def test_a_message_asked_twice_is_sent_once_also_to_somebody_who_opted_out(
    runtime: Runtime, catcher: Catcher
) -> None:
    command = message(await receipt(runtime), order="A-7", total="12 <EUR>")
    await runtime.execute(
        ConsentChanged(recipient_key=command.recipient_key, opted_out=True, at=datetime.now(UTC))
    )
    async with sending(runtime):
        await runtime.execute(command)
        await runtime.execute(command)
        assert (await outcome(runtime, command)).outcome is Outcome.SENT
        await runtime.execute(command)
    [mail] = await catcher.to("buyer@x.example")
    assert mail["Subject"] == "Order A-7"
    assert "Order A-7: 12 &lt;EUR&gt;" in part(mail, "html")
    assert mail["List-Unsubscribe"] is None
    assert "/u/" not in part(mail, "html")
    assert len(await said(runtime, MessageOutcome)) == 1


@pytest.mark.parametrize("asked", [None, "html", "text"])
async def test_who_reads_text_gets_a_mail_without_html(
    runtime: Runtime, catcher: Catcher, asked: str | None
) -> None:
    command = message(await receipt(runtime), order="A-7", total="12")
    command = command.model_copy(update={"email_format": asked})
    async with sending(runtime):
        await runtime.execute(command)
        assert (await outcome(runtime, command)).outcome is Outcome.SENT
    [mail] = await catcher.to("buyer@x.example")
    assert "Order A-7: 12" in part(mail, "plain")
    kinds = [one.get_content_type() for one in mail.walk()]
    both = ["multipart/alternative", "text/plain", "text/html"]
    assert kinds == (["text/plain"] if asked == "text" else both)


async def test_two_messages_to_one_person_are_two_messages(
    runtime: Runtime, catcher: Catcher
) -> None:
    template_id = await receipt(runtime)
    first, second = (message(template_id, order=n, total="1") for n in ("1", "2"))
    async with sending(runtime):
        await runtime.execute(first)
        await runtime.execute(second)
        await outcome(runtime, first)
        await outcome(runtime, second)
    assert len(await catcher.to("buyer@x.example")) == 2


async def test_what_cannot_be_sent_is_answered_with_the_reason(
    runtime: Runtime, catcher: Catcher
) -> None:
    template_id = await receipt(runtime)
    catcher.misbehave(FaultRule(action=Action.REFUSE_RECIPIENT, recipient="gone@*", code=550))
    unknown = message(uuid4(), order="1", total="1")
    lacking = message(template_id, order="1")
    broken = message(template_id, "no address", order="1", total="1")
    gone = message(template_id, "gone@x.example", order="1", total="1")
    async with sending(runtime):
        for command in (unknown, lacking, broken, gone):
            await runtime.execute(command)
        found = [await outcome(runtime, command) for command in (unknown, lacking, broken, gone)]
    assert {one.outcome for one in found} == {Outcome.FAILED}
    assert [one.reason for one in found] == [
        "unknown_template",
        "personalisation: body: has no value for total",
        "bad_address",
        "refused_by_server",
    ]
    # Only what may go well as it is once something else was mended is worth another try.
    assert [one.not_taken for one in found] == [True, False, False, False]
    [logged] = await said(runtime, AnswersLogged)
    assert [(one.message_id, one.kind) for one in logged.answers] == [(gone.message_id, "refusal")]
    [meaning] = logged.qualifications
    assert (meaning.text, meaning.text[:3]) == (logged.answers[0].text, "550")
    assert "gone@" not in logged.model_dump_json()


async def test_a_message_is_made_of_the_content_it_names_whatever_its_template_holds_by_then(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([])
    saved = [
        one
        for subject in ("Old {{ ctx.order }}", "New {{ ctx.order }}")
        for one in await runtime.execute(case.template(subject=subject, body=BODY))
        if isinstance(one, TemplateState)
    ]
    old, plain, lost = (message(case.template_id, order=n, total="1") for n in "123")
    old = old.model_copy(update={"content_hash": saved[0].content_hash})
    lost = lost.model_copy(update={"content_hash": "f" * 64})
    async with sending(runtime):
        for command in (old, plain, lost):
            await runtime.execute(command)
        found = [await outcome(runtime, command) for command in (old, plain, lost)]
    subjects = {mail["Subject"] for mail in await catcher.to("buyer@x.example")}
    assert subjects == {"Old 1", "New 2"}
    assert [one.reason for one in found] == ["", "", "unknown_content"]


async def test_a_deferred_message_is_tried_again(runtime: Runtime, catcher: Catcher) -> None:
    catcher.misbehave(FaultRule(action=Action.REFUSE_RECIPIENT, code=451, times=2))
    command = message(await receipt(runtime), order="1", total="1")
    async with sending(runtime):
        await runtime.execute(command)
        assert (await outcome(runtime, command)).outcome is Outcome.SENT


def of_batch(command: SendMessage) -> SendBatchMessage:
    return SendBatchMessage(**command.model_dump())


async def test_a_message_of_a_real_time_event_goes_before_batch_ones_that_wait(
    runtime: Runtime,
) -> None:
    template_id = await receipt(runtime)
    waiting = [of_batch(message(template_id, order=str(n), total="1")) for n in range(3)]
    for command in waiting:
        await runtime.execute(command)
    late = message(template_id, "now@x.example", order="9", total="1")
    await runtime.execute(late)
    settings = cast("DeliverySettings", runtime.settings).model_copy(update={"sender_batch": 2})
    claims = Claims(runtime.uow, settings, "test")
    taken = []
    while await claims.due_urgent():
        batch = await claims.take_urgent()
        assert batch is not None
        taken += [row.run_id for row in batch.rows]
    assert taken == [late.message_id, *(one.message_id for one in waiting)]


async def test_a_batch_message_that_is_tried_again_still_waits_behind_real_time_ones(
    runtime: Runtime, catcher: Catcher
) -> None:
    catcher.misbehave(FaultRule(action=Action.REFUSE_RECIPIENT, recipient="slow@*", code=451))
    template_id = await receipt(runtime)
    slow = of_batch(message(template_id, "slow@x.example", order="1", total="1"))
    async with sending(runtime):
        await runtime.execute(slow)

        async def tried() -> bool:
            return bool(await runtime.pool.fetchval("SELECT attempts > 1 FROM ledger"))

        await eventually(tried, what="a second attempt")
    assert await runtime.pool.fetchval("SELECT batch FROM queue")
    await runtime.execute(message(template_id, "now@x.example", order="2", total="1"))
    await runtime.pool.execute("UPDATE queue SET next_at = next_at - interval '1 hour' WHERE batch")
    batch = await Claims(
        runtime.uow, cast("DeliverySettings", runtime.settings), "test"
    ).take_urgent()
    assert batch is not None
    assert [row.address for row in batch.rows] == ["now@x.example", "slow@x.example"]


async def test_single_messages_go_before_those_of_campaigns(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("bulk@x.example")])
    async with sending(runtime):
        await approved(runtime, case, service=False)
    await runtime.execute(case.start())
    await work_off(runtime)
    template_id = await receipt(runtime)
    await runtime.execute(message(template_id, order="1", total="1"))
    claims = Claims(runtime.uow, cast("DeliverySettings", runtime.settings), "test")
    urgent = await claims.take_urgent()
    assert urgent is not None
    assert [row.kind for row in urgent.rows] == [RunKind.TRANSACTIONAL]
    bulk = await claims.take_bulk()
    assert bulk is not None
    assert [row.kind for row in bulk.rows] == [RunKind.CAMPAIGN]
    assert await catcher.to("bulk@x.example") == []
