"""A template is republished while its events flow: each is sent wholly with the version it has.

Message Center and the delivery stand side by side, over Kafka, PostgreSQL and a mail server.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from services.delivery.app import SERVICE as DELIVERY
from services.events_status.app import SERVICE as EVENTS
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.delivery_harness import Catcher, part
from tests.integration.events_story import (
    KIND,
    MANAGER,
    WRITTEN,
    Outside,
    actor,
    broken,
    know_operators,
    statuses,
)
from tests.integration.test_core import running, send
from tests.integration.test_delivery_kafka import EMITTED
from tests.waiting import eventually
from topics.delivery import SaveTemplate
from topics.event_templates import PublishEventTemplate
from topics.events import RouteEventType

TEMPLATE = uuid4()
ROUNDS, EACH = 5, 16


class Center:
    """Message Center and the delivery at work."""

    def __init__(self, events: Runtime, delivery: Runtime) -> None:
        self.events = events
        self.delivery = delivery
        self.outside = Outside(events)

    async def edits(self, version: int) -> None:
        """Have the draft say its number in every part, and Message Center know it."""
        await send(
            self.delivery,
            SaveTemplate(
                template_id=TEMPLATE,
                actor=actor(MANAGER),
                label="Order confirmed",
                subject=f"v{version} {{{{ ctx.n }}}}",
                body=f"<p>v{version} in HTML</p>",
                text=f"v{version} in text",
                from_address=f"v{version}@example.org",
            ),
        )

        async def known() -> bool:
            found = await self.events.pool.fetchval(
                "SELECT version FROM templates WHERE template_id = $1", TEMPLATE
            )
            return bool(found == version)

        await eventually(known, what=f"draft {version} being known")

    async def publishes(self, version: int) -> None:
        await send(self.events, PublishEventTemplate(event_type=KIND, actor=actor(MANAGER)))

        async def live() -> bool:
            found = await self.events.pool.fetchval("SELECT published_version FROM routes")
            return bool(found == version)

        await eventually(live, what=f"version {version}")

    async def sent(self, count: int) -> bool:
        found = await statuses(self.events)
        return Counter(found.values()) == {"sent": count}


@pytest.fixture
async def center(open_service: Open, catcher: Catcher) -> AsyncIterator[Center]:
    events = await open_service(EVENTS)
    delivery = await open_service(
        DELIVERY, SMTP_PORT=str(catcher.port), SENDER_RETRY_BASE_SECONDS="0.1"
    )
    topics = [*events.topics, *delivery.topics]
    await make_topics(events.settings, *topics, *WRITTEN, *EMITTED)
    for one in (events, delivery):
        await know_operators(one)
    async with running(events), running(delivery):
        yield Center(events, delivery)


async def flow(center: Center, name: str, stop: asyncio.Event) -> int:
    """Push events, one after another, until told to stop and there were enough."""
    number = 0
    while number < EACH or not stop.is_set():
        await center.outside.event(f"{name}-{number}", ctx={"n": f"{name}-{number}"})
        number += 1
    return number


async def test_each_event_is_sent_wholly_with_the_version_it_was_given(
    center: Center, catcher: Catcher
) -> None:
    await center.edits(1)
    await send(
        center.events,
        RouteEventType(event_type=KIND, template_id=TEMPLATE, actor=actor(MANAGER)),
    )
    await center.publishes(1)
    pushed = 0
    for version in range(2, ROUNDS + 1):
        stop = asyncio.Event()
        flowing = asyncio.create_task(flow(center, f"r{version}", stop))
        await center.edits(version)
        await center.publishes(version)
        stop.set()
        pushed += await flowing
    await center.edits(ROUNDS + 1)  # a draft that nobody publishes
    await center.outside.event("last", ctx={"n": "last"})
    await eventually(lambda: center.sent(pushed + 1), what="all events being sent")
    rows = await center.events.pool.fetch(
        "SELECT ce_id, template_id, template_version, content_hash FROM events"
    )
    given = {row["ce_id"]: (row["template_version"], row["content_hash"]) for row in rows}
    assert {row["template_id"] for row in rows} == {TEMPLATE}
    assert given["last"][0] == ROUNDS
    assert len({version for version, _ in given.values()}) >= 2
    assert len(set(given.values())) == len({version for version, _ in given.values()})
    await _compare(center, catcher, given)
    assert await broken(center.events) == []


async def _compare(center: Center, catcher: Catcher, given: dict[str, tuple[int, str]]) -> None:
    """Compare each mail with the version that its event's row has, and with the pinned content."""
    subjects = {
        row["template_hash"]: row["subject"]
        for row in await center.delivery.pool.fetch("SELECT template_hash, subject FROM contents")
    }
    mails = await catcher.to("ann.lee@example.org")
    seen: dict[str, int] = {}
    for mail in mails:
        name, _, ce_id = mail["Subject"].partition(" ")
        version, content = given[ce_id]
        assert subjects[content] == f"v{version} {{{{ ctx.n }}}}"
        assert name == f"v{version}"
        assert f"v{version} in HTML" in part(mail, "html")
        assert f"v{version} in text" in part(mail, "plain")
        assert mail["From"] == f"v{version}@example.org"
        seen[ce_id] = version
    assert len(mails) == len(seen) == len(given)


async def test_a_published_content_outlives_every_run_that_was_made_of_it(
    center: Center, catcher: Catcher
) -> None:
    """Rows of runs go in time, here all of them; a content never: what is published can be sent."""
    await center.edits(1)
    await send(
        center.events,
        RouteEventType(event_type=KIND, template_id=TEMPLATE, actor=actor(MANAGER)),
    )
    await center.publishes(1)
    await center.edits(2)
    await center.delivery.pool.execute("TRUNCATE ledger, runs, queue, attempts CASCADE")
    published: UUID | None = await center.events.pool.fetchval(
        "SELECT content_hash FROM event_template_versions"
    )
    assert await center.delivery.pool.fetchval(
        "SELECT count(*) FROM contents WHERE template_hash = $1", published
    )
    await center.outside.event("1", ctx={"n": "1"})
    await eventually(lambda: center.sent(1), what="the event being sent")
    [mail] = await catcher.to("ann.lee@example.org")
    assert mail["Subject"] == "v1 1"
