"""Event templates changed by several at once, and those of before there were versions."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from services.events_status.app import SERVICE
from services.events_status.domain import Published, Route
from services.events_status.publishing import route_event_type
from services.events_status.routes import RouteStore
from shared.migrations import migrate
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import Instance
from tests.integration.events_story import KIND, know_operators
from tests.integration.test_event_templates import PUBLISH, TEMPLATE, draft, saved
from tests.waiting import eventually

AT_ONCE = 6
_LINKED = """
SET search_path = events_status;
INSERT INTO routes (event_type, channel, template_id, changed_by, changed_at)
VALUES ('order.confirmed', 'email', '00000000-0000-0000-0000-000000000001', 'ada', now()),
       ('parcel.sent', 'email', '00000000-0000-0000-0000-000000000001', 'ada', now());
INSERT INTO templates (template_id, version, label, language)
VALUES ('00000000-0000-0000-0000-000000000001', 3, 'Order confirmed', 'en');
"""


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(SERVICE)
    await know_operators(opened)
    return opened


async def live(runtime: Runtime) -> list[tuple[int, bool]]:
    """Return the versions of the type, and which of them is what routing finds."""
    rows = await runtime.pool.fetch(
        "SELECT v.version, v.version = r.published_version AS live, v.ended_at FROM routes r"
        " JOIN event_template_versions v USING (event_type, channel) ORDER BY v.version"
    )
    assert all((row["ended_at"] is None) == row["live"] for row in rows)
    return [(row["version"], row["live"]) for row in rows]


async def test_a_draft_published_by_several_at_once_is_one_version(runtime: Runtime) -> None:
    await runtime.execute(saved(1))
    await runtime.execute(draft())
    await asyncio.gather(*(runtime.execute(PUBLISH) for _ in range(AT_ONCE)))
    assert await live(runtime) == [(1, True)]


async def test_templates_linked_by_several_at_once_are_versions_one_after_another(
    runtime: Runtime,
) -> None:
    await asyncio.gather(*(runtime.execute(draft(uuid4(), publish=True)) for _ in range(AT_ONCE)))
    wanted = [(number, number == AT_ONCE) for number in range(1, AT_ONCE + 1)]
    assert await live(runtime) == wanted


async def test_a_content_that_becomes_known_while_it_is_published_is_pinned(
    runtime: Runtime,
) -> None:
    async with runtime.uow.begin() as work:
        await route_event_type(draft(publish=True), work)
        knowing = asyncio.create_task(runtime.execute(saved(1)))
        await eventually(lambda: _waits(runtime), what="the template's state waiting")
    await knowing
    async with runtime.pool.acquire() as connection:
        found = await RouteStore(connection).published([KIND])
    assert found == {Route(KIND, "email"): Published(TEMPLATE, 1, f"{1:064}")}


async def _waits(runtime: Runtime) -> bool:
    return bool(
        await runtime.pool.fetchval(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
        )
    )


async def test_what_was_linked_before_there_were_versions_is_the_first_and_follows_its_template(
    instance: Instance, tmp_path: Path
) -> None:
    for path in sorted(SERVICE.migrations.glob("000[1-3]_*.sql")):
        shutil.copy(path, tmp_path)
    settings = instance.settings()
    await migrate(settings, {"events_status": tmp_path})
    owner = await asyncpg.connect(instance.database_url)
    try:
        await owner.execute(_LINKED)
        await migrate(settings, {"events_status": SERVICE.migrations})
        store = RouteStore(owner)
        found = await store.published(["order.confirmed", "parcel.sent", "other"])
        assert {(one.event_type, two.version, two.content_hash) for one, two in found.items()} == {
            ("order.confirmed", 1, None),
            ("parcel.sent", 1, None),
        }
        linked = await store.lock(Route("order.confirmed", "email"))
        assert linked is not None
        assert (linked.differs, linked.to_publish, linked.content_hash) == (False, False, None)
        # The state that told of version 3 comes again: its content is known, nothing is pinned.
        await store.save_template(saved(3, template=linked.template_id))
        linked = await store.lock(Route("order.confirmed", "email"))
        assert linked is not None
        assert (linked.differs, linked.to_publish) == (False, True)
    finally:
        await owner.close()
