"""The delivery service from a template to a finished run, through PostgreSQL and SMTP."""

from __future__ import annotations

import pytest

from services.delivery.app import SERVICE
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    Case,
    Catcher,
    approved,
    finished,
    member,
    part,
    said,
    sending,
)
from topics.delivery import DeliveryCounts, DeliveryProgressed


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> Runtime:
    return await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        SENDER_RETRY_BASE_SECONDS="0.05",
    )


async def test_an_approved_delivery_reaches_every_address_once_and_finishes(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("a@x.example"), member("b@x.example"), member("A@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start())
        end = await finished(runtime, case)
    assert end.counts == DeliveryCounts(targeted=3, sent=2, ignored=1, emails_sent=2)
    [proof] = await catcher.to(f"proof@{case.domain}")
    assert proof["Subject"] == "[PROOF 1] Hello Ada"
    [mail] = await catcher.to("a@x.example")
    assert "For Moulin &lt;Neuf&gt;, C-1042" in part(mail, "html")
    assert "For Moulin <Neuf>, C-1042" in part(mail, "plain")
    progress = await said(runtime, DeliveryProgressed)
    assert [one.revision for one in progress] == list(range(1, len(progress) + 1))
    assert progress[-1].counts == end.counts
