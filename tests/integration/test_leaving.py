"""A service that is told to stop leaves its group: the others need not wait for its session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from services.cli.replaying import members_of
from shared import kafka
from shared.registry import Registry
from shared.service import Runtime, Service
from shared.uow import Work
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.test_core import running, send
from tests.waiting import eventually
from topics.names import TARGETING_COMMANDS
from topics.targeting import CountTarget

SESSION_SECONDS = 60
"""Longer than the test waits."""


async def members(runtime: Runtime, count: int) -> bool:
    try:
        return len(await members_of(runtime.settings, "targeting")) == count
    except kafka.KafkaError:
        return False  # the first group of a new broker waits for its coordinator


async def test_partitions_of_a_replica_that_is_told_to_stop_go_to_the_other_at_once(
    open_service: Open,
) -> None:
    handled: dict[str, list[UUID]] = defaultdict(list)
    registry = Registry()

    @registry.on(CountTarget)
    async def count(command: CountTarget, work: Work) -> None:
        handled[work.settings.muster_instance].append(command.targeting_id)

    service = Service("targeting", registry, Path(__file__).parent / "no_migrations")
    session = str(SESSION_SECONDS * 1000)
    first, second = [
        await open_service(service, MUSTER_INSTANCE=name, KAFKA_SESSION_TIMEOUT_MS=session)
        for name in ("first", "second")
    ]
    await make_topics(first.settings, *first.topics)

    def all_handled(commands: Sequence[CountTarget]) -> bool:
        found = {one for ids in handled.values() for one in ids}
        return found >= {one.targeting_id for one in commands}

    def on_every_partition() -> list[CountTarget]:
        many = 6 * TARGETING_COMMANDS.partitions
        return [CountTarget(campaign_id=uuid4(), targeting_id=uuid4()) for _ in range(many)]

    async with running(second):
        async with running(first):
            await eventually(partial(members, first, 2), what="both replicas in the group")
            await send(first, *(before := on_every_partition()))
            await eventually(partial(all_handled, before), what="what both handle")
        assert await members(second, 1)
        handled.clear()
        await send(second, *(after := on_every_partition()))
        await eventually(partial(all_handled, after), what="what one handles alone")
    assert set(handled) == {"second"}
    assert await members(second, 0)
