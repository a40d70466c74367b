"""Faults with a name: servers that restart, workers that freeze at the worst place."""

from __future__ import annotations

import asyncio
import random
import time
from uuid import uuid4

import pytest

from tests.driving import Worker
from tests.faults.checks import assert_holds
from tests.faults.kinds import Kind
from tests.faults.scenario import BROKER_RESTART, DATABASE_RESTART, Stage, is_frozen
from tests.faults.story import Story
from tests.faults.telling import Teller
from tests.faults.world import props_of
from tests.records import record_of
from tests.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
OTHERS_GO_ON_SECONDS = 15.0


def a_story(stage: Stage) -> Story:
    teller = Teller(stage.world.rig, random.Random(7))
    return Story(stage.world, teller, stage.services)


async def holds(stage: Stage, fault: str, story: Story) -> None:
    await stage.world.rig.drained(*stage.services)
    assert_holds((await stage.judge(fault, story, 0)).broken)


async def test_a_broker_that_restarts_in_mid_run_costs_nothing(stage: Stage) -> None:
    cluster = stage.world.servers.cluster
    if cluster is None:
        pytest.skip("KAFKA_BOOTSTRAP names a broker that is not ours to restart")
    result = await stage.play_restart(BROKER_RESTART, cluster.restart_kafka)
    assert_holds(result.broken)


async def test_a_database_that_restarts_in_mid_run_costs_nothing(stage: Stage) -> None:
    cluster = stage.world.servers.cluster
    if cluster is None:
        pytest.skip("DATABASE_URL names a server that is not ours to restart")
    result = await stage.play_restart(DATABASE_RESTART, cluster.restart_postgres)
    assert_holds(result.broken)


async def frozen(stage: Stage, service: str, point: str, kind: Kind) -> tuple[Worker, Story]:
    """Tell a story until a service freezes at a point, then start a second replica of it."""
    await stage.mend()
    story = a_story(stage)
    stage.world.rig.workers[service, 1].kill()
    worker = stage.world.start(service, MUSTER_FAULT=f"freeze:{point}:2", MUSTER_TEST_KIND=kind)
    await stage.world.rig.ready(service)
    telling = asyncio.create_task(story.tell(campaigns=2, events=3))
    await eventually(lambda: is_frozen(worker), seconds=60, what=f"{service} being frozen")
    stage.world.start(service, replica=2)
    try:
        await others_publish(stage, service)
        await telling
    finally:
        worker.wake()
    return worker, story


async def others_publish(stage: Stage, frozen_service: str) -> None:
    """Ask something of every other service, and wait until its answer is on its topic."""
    began = time.monotonic()
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
    assert time.monotonic() - began < OTHERS_GO_ON_SECONDS


async def alone_again(stage: Stage, service: str) -> None:
    await stage.world.rig.ready(service)
    await asyncio.to_thread(stage.world.rig.workers[service, 2].stop)


async def test_a_worker_frozen_inside_its_transaction_holds_up_nobody_else(stage: Stage) -> None:
    _, story = await frozen(stage, "campaign", "uow.before_commit", Kind.SINGLE)
    await alone_again(stage, "campaign")
    await holds(stage, "a worker frozen in its transaction", story)


async def test_a_relay_frozen_between_send_and_mark_is_fenced_when_it_wakes(stage: Stage) -> None:
    await stage.journal.read()
    copies_before = dict(stage.journal.copies)
    worker, story = await frozen(stage, "campaign", "relay.between_send_and_mark", Kind.RELAY)
    log = stage.world.rig.folder / "campaign-1.log"
    await eventually(
        lambda: "relay.lease_lost" in log.read_text() or "ProducerFenced" in log.read_text(),
        seconds=30,
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
