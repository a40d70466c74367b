"""Samples of single messages: shown with a sample ctx, and sent to the template's seeds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.app import SERVICE, make_app
from shared import identity
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    MANAGER,
    REVIEWER,
    Case,
    Catcher,
    actor,
    add_operators,
    part,
    said,
    sending,
)
from tests.waiting import eventually
from topics.delivery import Channel, MessageOutcome, SaveTemplate, Seed, TemplateState

BODY = "<style>p{color:red}</style><p>Order {{ ctx.order }}: {{ ctx.lines[0].total }}</p>"
CTX: dict[str, Any] = {"order": "A-7", "lines": [{"total": "12 <EUR>"}]}


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


class Asking:
    """Asks for samples of one template."""

    def __init__(self, runtime: Runtime, http: httpx.AsyncClient, template_id: UUID) -> None:
        self.runtime = runtime
        self.template_id = template_id
        self._http = http

    async def asks(
        self, what: str, status: int = 200, *, by: UUID = MANAGER, **body: Any
    ) -> dict[str, Any]:
        path = f"/templates/{self.template_id}/{what}"
        answer = await self._http.post(path, json=body, headers=self._headers(by))
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def saves(self, **more: Any) -> str:
        """Save the template; return its content's hash."""
        case = Case([], template_id=self.template_id)
        values: dict[str, Any] = {"subject": "Order {{ ctx.order }}", "body": BODY}
        emitted = await self.runtime.execute(case.template(**values | more))
        [state] = [one for one in emitted if isinstance(one, TemplateState)]
        return state.content_hash

    async def recipients(self, test_id: str) -> list[dict[str, Any]]:
        answer = await self._http.get(f"/runs/{test_id}/recipients", headers=self._headers(MANAGER))
        assert answer.status_code == 200, answer.text
        return sorted(answer.json(), key=lambda one: str(one["address"]))

    def _headers(self, by: UUID) -> dict[str, str]:
        settings, now = self.runtime.settings, self.runtime.clock.now()
        token = identity.issue(settings.secret, actor(by), audience="delivery", now=now)
        return {identity.HEADER: token}


@pytest.fixture
async def asking(runtime: Runtime) -> AsyncIterator[Asking]:
    transport = httpx.ASGITransport(app=make_app(runtime))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://here/api/v1/delivery"
    ) as http:
        yield Asking(runtime, http, uuid4())


async def test_a_preview_is_the_message_that_an_event_would_get(asking: Asking) -> None:
    await asking.saves(track_clicks=True, track_opens=True, mirror=True)
    shown = await asking.asks("preview", ctx=CTX, by=REVIEWER)
    assert (shown["subject"], shown["channel"], shown["sms_parts"]) == ("Order A-7", "email", None)
    assert '<p style="color:red' in shown["html"].replace(" ", "").replace("<pstyle", "<p style")
    assert "A-7: 12 &lt;EUR&gt;" in shown["html"]
    assert "Order A-7: 12 <EUR>" in shown["text"]
    assert "/u/" not in shown["html"] + shown["text"]


async def test_a_preview_names_the_field_and_what_is_missing(asking: Asking) -> None:
    await asking.saves()
    for ctx, field, reason in (
        ({"lines": [{"total": "1"}]}, "subject", "has no value for order"),
        ({"order": "1", "lines": [{}]}, "body", "has no value for total"),
        ({"order": "1", "lines": []}, "body", "has no value for something it uses"),
        ({"order": "a\nBcc: x@example.org", "lines": [{"total": "1"}]}, "subject", "a line end"),
    ):
        refused = await asking.asks("preview", 409, ctx=ctx)
        assert (refused["field"], reason in refused["detail"]) == (field, True), refused


async def test_a_preview_shows_any_content_the_template_had(asking: Asking) -> None:
    old = await asking.saves(subject="Old {{ ctx.order }}")
    new = await asking.saves(subject="New {{ ctx.order }}")
    assert (await asking.asks("preview", ctx=CTX))["content_hash"] == new
    shown = await asking.asks("preview", ctx=CTX, content_hash=old)
    assert (shown["subject"], shown["content_hash"]) == ("Old A-7", old)
    refused = await asking.asks("preview", 409, content_hash="f" * 64)
    assert (refused["field"], refused["code"]) == ("content_hash", "unknown")


async def test_a_preview_of_a_text_message_counts_its_parts(asking: Asking) -> None:
    await asking.runtime.execute(
        SaveTemplate(
            template_id=asking.template_id,
            actor=actor(MANAGER),
            label="Parcel",
            subject="",
            body="",
            text="Parcel {{ ctx.order }} " + "x" * 150,
            from_address="",
            channel=Channel.SMS,
        )
    )
    shown = await asking.asks("preview", ctx=CTX)
    assert (shown["subject"], shown["html"], shown["sms_parts"]) == ("", "", 2)
    assert shown["text"].startswith("Parcel A-7 xxx")
    assert (await asking.asks("test", 409, ctx=CTX))["field"] == "channel"


@pytest.mark.parametrize(
    "ctx",
    [
        {"n": "x\x00"},
        {"n": 2**70},
        {"n": "y" * 300_000},
        "text",
    ],
)
async def test_a_sample_takes_what_an_event_could_bring_and_nothing_else(
    asking: Asking, ctx: Any
) -> None:
    await asking.saves()
    refused = await asking.asks("preview", 422, ctx=ctx)
    assert refused["errors"][0]["field"] == "ctx"


async def test_a_template_that_never_ends_is_given_up(asking: Asking) -> None:
    loop = "{% for a in ctx.n %}{% for b in ctx.n %}{% for c in ctx.n %}x{% endfor %}{% endfor %}"
    await asking.saves(body=f"<p>{loop}{{% endfor %}}</p>")
    bomb = {"order": "1", "n": "a" * 20_000}
    refused = await asking.asks("preview", 409, ctx=bomb)
    assert refused["field"] == "body"


async def test_a_test_goes_to_the_seeds_once_and_is_no_event(
    asking: Asking, catcher: Catcher
) -> None:
    seeds = (
        Seed(address="qa@x.example", fields={"contact.first_name": "Ada"}),
        Seed(address="QA@x.example"),
        Seed(address="boss@x.example"),
    )
    old = await asking.saves(seeds=seeds)
    await asking.saves(seeds=seeds, subject="New")
    test_id = str(uuid4())
    catcher.misbehave(FaultRule(action=Action.REFUSE_RECIPIENT, recipient="boss@*", code=550))
    async with sending(asking.runtime):
        for _ in range(2):
            sent = await asking.asks("test", 202, ctx=CTX, content_hash=old, test_id=test_id)
            assert sent == {"test_id": test_id, "recipients": 2}

        async def ended() -> bool:
            state = await asking.runtime.pool.fetchval(
                "SELECT state FROM runs WHERE run_id = $1", UUID(test_id)
            )
            return bool(state == "finished")

        await eventually(ended, what="the end of the test")
    mails = [*await catcher.to("qa@x.example"), *await catcher.to("QA@x.example")]
    [mail] = mails
    assert mail["Subject"] == "[TEST] Order A-7"
    assert "Order A-7: 12 <EUR>" in part(mail, "plain")
    assert mail["List-Unsubscribe"] is None
    rows = await asking.recipients(test_id)
    assert [(row["outcome"], row["reason"], row["seed"]) for row in rows] == [
        ("failed", "refused_by_server", True),
        ("sent", "", True),
    ]
    assert await said(asking.runtime, MessageOutcome) == []


async def test_a_test_that_cannot_be_made_or_is_not_allowed_is_refused_and_sends_nothing(
    asking: Asking,
) -> None:
    await asking.saves()
    assert (await asking.asks("test", 409, ctx=CTX))["field"] == "seeds"
    await asking.saves(seeds=(Seed(address="qa@x.example"),))
    refused = await asking.asks("test", 409, ctx={})
    assert (refused["field"], refused["detail"]) == ("subject", "has no value for order")
    assert (await asking.asks("test", 403, ctx=CTX, by=REVIEWER))["code"] == "not_allowed"
    asking.template_id = uuid4()
    await asking.asks("test", 404, ctx=CTX)
    await asking.asks("preview", 404, ctx=CTX)
    assert await asking.runtime.pool.fetchval("SELECT count(*) FROM runs") == 0
