"""Workers that freeze at the worst place, and wake after their successors took over."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from uuid import uuid4

import pytest

from tests.driving import Worker
from tests.faults.checks import assert_holds
from tests.faults.kinds import Kind
from tests.faults.scenario import Stage, is_frozen
from tests.faults.story import Story
from tests.faults.telling import Teller
from tests.faults.world import props_of
from tests.records import record_of
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
OTHERS_GO_ON_SECONDS = 15.0
SUCCESSOR_GOES_ON_SECONDS = 30.0
_NOTHING_OPEN = """
SELECT count(*) = 0 FROM pg_stat_activity
WHERE datname = current_database() AND application_name = $1 AND xact_start < $2
"""


def a_story(stage: Stage) -> Story:
    teller = Teller(stage.world.rig, random.Random(7))
    return Story(stage.world, teller, stage.services)


async def holds(stage: Stage, fault: str, story: Story) -> None:
    await stage.world.rig.drained(*stage.services)
    assert_holds((await stage.judge(fault, story, 0)).broken)


async def frozen(
    stage: Stage, service: str, point: str, kind: Kind, **more: Any
) -> tuple[Worker, Story, bool]:
    """Tell a story until a service freezes at a point, then start a second replica of it.

    Others go on meanwhile, and the successor once the server has ended what was left open; whether
    anything was is returned too.
    """
    await stage.mend()
    story = a_story(stage)
    stage.world.rig.workers[service, 1].kill()
    worker = stage.world.start(
        service, MUSTER_FAULT=f"freeze:{point}:2", MUSTER_TEST_KIND=kind, **more
    )
    await stage.world.rig.ready(service)
    telling = asyncio.create_task(story.tell(campaigns=2, events=3))
    await eventually(lambda: is_frozen(worker), seconds=60, what=f"{service} being frozen")
    frozen_at = await stage.world.rig.value("SELECT now()")
    left_open = not await stage.world.rig.value(_NOTHING_OPEN, f"muster {service}", frozen_at)
    stage.world.start(service, replica=2)
    try:
        await others_publish(stage, service)
        await eventually(
            lambda: stage.world.rig.value(_NOTHING_OPEN, f"muster {service}", frozen_at),
            seconds=SUCCESSOR_GOES_ON_SECONDS,
            what=f"the end of what {service} had left open",
        )
        await telling
    finally:
        worker.wake()
    return worker, story, left_open


async def others_publish(stage: Stage, frozen_service: str) -> None:
    """Ask something of every other service, and wait until its answer is on its topic."""
    asked = set()
    others = [name for name in stage.services if name not in {frozen_service, "campaign"}]
    for command in props_of(stage.world, others):
        message_id = str(uuid4())
        asked.add(message_id)
        await stage.world.rig.send_raw(command.topic, *record_of(command, message_id=message_id))

    async def answered() -> bool:
        await stage.journal.read()
        return asked <= {cause for _, cause in stage.journal.acted}

    await eventually(answered, seconds=OTHERS_GO_ON_SECONDS, what="the other services' answers")


async def alone_again(stage: Stage, service: str) -> None:
    await stage.world.rig.ready(service)
    await asyncio.to_thread(stage.world.rig.workers[service, 2].stop)


async def test_a_worker_frozen_in_the_middle_of_a_query_holds_up_nobody_else(
    stage: Stage,
) -> None:
    product = {"MUSTER_TEST_OWN_LIMITS": "1", "MUSTER_TEST_UNBOUND": "1"}
    _, story, left_open = await frozen(
        stage, "campaign", "uow.before_commit", Kind.SINGLE, **product
    )
    assert left_open
    await alone_again(stage, "campaign")
    await holds(stage, "a worker frozen in the middle of a query", story)


async def test_a_relay_frozen_between_send_and_mark_is_fenced_when_it_wakes(stage: Stage) -> None:
    await stage.journal.read()
    copies_before = dict(stage.journal.copies)
    worker, story, _ = await frozen(stage, "campaign", "relay.between_send_and_mark", Kind.RELAY)
    log = stage.world.rig.folder / "campaign-1.log"
    await eventually(
        lambda: "relay.lease_lost" in log.read_text() or "ProducerFenced" in log.read_text(),
        what="the woken relay standing back",
    )
    await stage.journal.read()
    copies_then = dict(stage.journal.copies)
    twice = {
        one
        for one, count in copies_then.items()
        if one[0] == "/muster/campaign" and count > max(copies_before.get(one, 0), 1)
    }
    assert 0 < len(twice) <= int(stage.world.rig.settings.relay_batch)
    assert worker.alive
    await alone_again(stage, "campaign")
    await holds(stage, "a relay frozen between send and mark", story)
    assert {one: stage.journal.copies[one] for one in twice} == {
        one: copies_then[one] for one in twice
    }
