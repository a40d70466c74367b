"""Event templates as rows: drafts, published versions, what an event is sent with."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from services.events_status.app import SERVICE
from services.events_status.workflows import process_realtime
from shared.registry import answer
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.events_story import (
    KIND,
    MANAGER,
    READER,
    actor,
    broken,
    held_back,
    know_operators,
    statuses,
)
from tests.integration.test_events_status_rows import step, take
from topics.cloudevents import Envelope
from topics.delivery import Channel, SendMessage, TemplateState
from topics.event_templates import (
    DeleteEventTemplate,
    EventTemplateDeleted,
    EventTemplatePublished,
    EventTemplateRefused,
    EventTemplateUnpublished,
    PublishEventTemplate,
    UnpublishEventTemplate,
)
from topics.events import EventTypeRouted, RouteEventType, RouteRefused
from topics.message import Command, Message

TEMPLATE = uuid4()
NAMED: dict[str, Any] = {"event_type": KIND, "actor": actor(MANAGER)}
PUBLISH = PublishEventTemplate(**NAMED)
UNPUBLISH = UnpublishEventTemplate(**NAMED)
DELETE = DeleteEventTemplate(**NAMED)


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(SERVICE)
    await know_operators(opened)
    return opened


def saved(
    version: int, *, template: UUID = TEMPLATE, channel: Channel = Channel.EMAIL
) -> TemplateState:
    return TemplateState(
        template_id=template,
        version=version,
        label="Order confirmed",
        language="en",
        subject="Thanks",
        content_hash=f"{version:064}",
        channel=channel,
    )


def draft(template: UUID | None = TEMPLATE, **more: Any) -> RouteEventType:
    return RouteEventType(**NAMED | {"template_id": template, "publish": False} | more)


async def said(runtime: Runtime, command: Command) -> Message:
    [one] = await runtime.execute(command)
    return one


async def refusal(runtime: Runtime, command: Command) -> tuple[str | None, str]:
    one = await said(runtime, command)
    assert isinstance(one, EventTemplateRefused)
    assert one.command == type(command).__name__
    return one.field, one.reason


async def routed(runtime: Runtime, ce_id: str, **more: Any) -> SendMessage | None:
    """Take an event in and route it; return its message."""
    async with held_back(runtime):
        await take(runtime, ce_id, **more)
    _, emitted = await step(runtime, process_realtime)
    found = [one for one in emitted if isinstance(one, SendMessage)]
    return found[0] if found else None


async def versions(runtime: Runtime) -> list[tuple[Any, ...]]:
    rows = await runtime.pool.fetch(
        "SELECT channel, version, ltrim(content_hash, '0') AS content, ended_at IS NULL AS live"
        " FROM event_template_versions ORDER BY channel, version"
    )
    return [tuple(row) for row in rows]


async def test_a_draft_covers_no_event_until_it_is_published_and_then_as_it_was(
    runtime: Runtime,
) -> None:
    await runtime.execute(saved(1))
    linked = await said(runtime, draft())
    assert isinstance(linked, EventTypeRouted)
    assert (linked.template_id, linked.version) == (TEMPLATE, None)
    assert await routed(runtime, "early") is None
    published = await said(runtime, PUBLISH)
    assert isinstance(published, EventTemplatePublished)
    assert (published.version, published.content_hash) == (1, f"{1:064}")
    await runtime.execute(saved(2))
    message = await routed(runtime, "pinned")
    assert message is not None
    assert (message.template_id, message.content_hash) == (TEMPLATE, f"{1:064}")
    await runtime.execute(PUBLISH)
    message = await routed(runtime, "after")
    assert message is not None
    assert message.content_hash == f"{2:064}"
    rows = await runtime.pool.fetch(
        "SELECT ce_id, template_version, ltrim(content_hash, '0') FROM events ORDER BY seq"
    )
    assert [tuple(row) for row in rows] == [
        ("early", None, None),
        ("pinned", 1, "1"),
        ("after", 2, "2"),
    ]
    assert (await statuses(runtime))["early"] == "not_covered"
    assert await versions(runtime) == [("email", 1, "1", False), ("email", 2, "2", True)]
    assert await broken(runtime) == []


async def test_publishing_what_is_published_makes_no_other_version(runtime: Runtime) -> None:
    await runtime.execute(saved(1))
    await runtime.execute(draft(publish=True))
    for _ in range(2):
        published = await said(runtime, PUBLISH)
        assert isinstance(published, EventTemplatePublished)
        assert published.version == 1
    routed_again = await said(runtime, draft(publish=True))
    assert isinstance(routed_again, EventTypeRouted)
    assert routed_again.version == 1
    assert len(await versions(runtime)) == 1


async def test_what_is_unpublished_covers_nothing_and_is_published_again_as_another_version(
    runtime: Runtime,
) -> None:
    await runtime.execute(saved(1))
    await runtime.execute(draft(publish=True))
    assert await refusal(runtime, DELETE) == (
        "event_type",
        "version 1 is published; unpublish it first",
    )
    ended = await said(runtime, UNPUBLISH)
    assert isinstance(ended, EventTemplateUnpublished)
    assert ended.version == 1
    assert await routed(runtime, "1") is None
    assert await refusal(runtime, UNPUBLISH) == ("event_type", "is not published")
    await runtime.execute(PUBLISH)
    assert await routed(runtime, "2") is not None
    assert await versions(runtime) == [("email", 1, "1", False), ("email", 2, "1", True)]


async def test_a_deleted_draft_is_gone_and_its_versions_are_never_given_again(
    runtime: Runtime,
) -> None:
    await runtime.execute(saved(1))
    await runtime.execute(draft(publish=True))
    assert await routed(runtime, "1") is not None
    await runtime.execute(UNPUBLISH)
    assert isinstance(await said(runtime, DELETE), EventTemplateDeleted)
    for command in (PUBLISH, UNPUBLISH, DELETE):
        field, reason = await refusal(runtime, command)
        assert (field, "there is no event template" in reason) == ("event_type", True)
    await runtime.execute(draft(publish=True))
    assert [one[1] for one in await versions(runtime)] == [1, 2]
    assert await broken(runtime) == []


async def test_a_draft_that_is_unknown_or_changed_meanwhile_is_not_published(
    runtime: Runtime,
) -> None:
    await runtime.execute(draft())
    field, reason = await refusal(runtime, PUBLISH)
    assert (field, "is not known here" in reason) == ("template_id", True)
    await runtime.execute(saved(1))
    await runtime.execute(saved(2))
    seen = PublishEventTemplate(**NAMED, content_hash=f"{1:064}")
    field, reason = await refusal(runtime, seen)
    assert (field, "any more" in reason) == ("content_hash", True)
    assert await versions(runtime) == []
    await runtime.execute(seen.model_copy(update={"content_hash": f"{2:064}"}))
    assert await versions(runtime) == [("email", 1, "2", True)]


async def test_a_link_made_before_its_template_is_known_is_pinned_when_it_is(
    runtime: Runtime,
) -> None:
    await runtime.execute(draft(publish=True))
    message = await routed(runtime, "1")
    assert message is not None
    assert message.content_hash is None
    await runtime.execute(saved(1))
    await runtime.execute(saved(2))
    message = await routed(runtime, "2")
    assert message is not None
    assert message.content_hash == f"{1:064}"
    assert await versions(runtime) == [("email", 1, "1", True)]
    assert await broken(runtime) == []


async def test_a_version_of_before_there_were_contents_is_pinned_by_publishing_alone(
    runtime: Runtime,
) -> None:
    """What migration 0004 makes of a link: version 1, of whatever content its template holds."""
    await runtime.execute(draft(publish=True))
    await runtime.pool.execute("UPDATE event_template_versions SET awaits_content = false")
    await runtime.execute(saved(1))
    message = await routed(runtime, "1")
    assert message is not None
    assert message.content_hash is None
    await runtime.execute(PUBLISH)
    assert await versions(runtime) == [("email", 1, None, False), ("email", 2, "1", True)]


async def test_each_channel_has_a_template_of_its_own(runtime: Runtime) -> None:
    mails, texts = uuid4(), uuid4()
    await runtime.execute(saved(1, template=mails))
    await runtime.execute(saved(2, template=texts, channel=Channel.SMS))
    await runtime.execute(draft(mails, publish=True))
    by_sms: dict[str, Any] = {"email": None, "phone": "+33612345678"}
    assert await routed(runtime, "1", **by_sms) is None
    await runtime.execute(draft(texts, publish=True, channel="sms"))
    found = [await routed(runtime, "2", **by_sms), await routed(runtime, "3")]
    assert [one.template_id for one in found if one] == [texts, mails]
    await runtime.execute(UNPUBLISH)
    assert await routed(runtime, "4", **by_sms) is not None


async def test_a_template_of_another_channel_is_refused(runtime: Runtime) -> None:
    await runtime.execute(saved(1, channel=Channel.SMS))
    refused = await said(runtime, draft())
    assert isinstance(refused, RouteRefused)
    assert refused.reason == "is a template for sms, not for email"
    unknown = uuid4()
    await runtime.execute(draft(unknown))
    await runtime.execute(saved(1, template=unknown, channel=Channel.SMS))
    assert (await refusal(runtime, PUBLISH))[0] == "template_id"


async def test_another_template_is_a_draft_until_it_is_published(runtime: Runtime) -> None:
    other = uuid4()
    await runtime.execute(saved(1))
    await runtime.execute(saved(2, template=other))
    await runtime.execute(draft(publish=True))
    await runtime.execute(draft(other))
    message = await routed(runtime, "1")
    assert message is not None
    assert message.template_id == TEMPLATE
    await runtime.execute(PUBLISH)
    message = await routed(runtime, "2")
    assert message is not None
    assert message.template_id == other
    assert await broken(runtime) == []


async def test_a_command_replayed_later_changes_nothing_nor_does_one_that_was_refused(
    runtime: Runtime,
) -> None:
    await runtime.execute(saved(1))
    await runtime.execute(draft(publish=True))
    await _as_message(runtime, "delete", DELETE)  # refused: it is published
    await _as_message(runtime, "unpublish", UNPUBLISH)
    await _as_message(runtime, "delete", DELETE)
    await _as_message(runtime, "publish", PUBLISH)
    await _as_message(runtime, "unpublish", UNPUBLISH)
    assert await versions(runtime) == [("email", 1, "1", False), ("email", 2, "1", True)]
    assert await routed(runtime, "1") is not None


async def _as_message(runtime: Runtime, ce_id: str, command: Command) -> None:
    entry = runtime.registry.entry(type(command))
    assert entry is not None
    async with runtime.uow.begin() as work:
        work.cause = Envelope("/test", ce_id, command.ce_type, None, b"")
        await answer(entry, command, work)


@pytest.mark.parametrize("command", [PUBLISH, UNPUBLISH, DELETE])
async def test_only_who_manages_event_types_may_change_one(
    runtime: Runtime, command: Command
) -> None:
    await runtime.execute(saved(1))
    await runtime.execute(draft())
    unable = command.model_copy(update={"actor": actor(READER)})
    assert "may not" in (await refusal(runtime, unable))[1]
    assert await runtime.pool.fetchval("SELECT count(*) FROM route_changes") == 1
