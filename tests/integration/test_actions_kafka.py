"""The actions service as it runs: commands and snapshots over Kafka, jobs in its tasks."""

from __future__ import annotations

import random
from uuid import uuid4

from services.actions.app import SERVICE
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.actions_story import Story
from tests.integration.test_core import running, send
from tests.unit.actions.samples import MANAGER, a_generation, a_member, a_model, chunks_of
from tests.waiting import eventually
from topics.actions import ActionMove, Filing, MoveActions
from topics.names import ACTIONS_EVENTS, ACTIONS_STATE, WORKFLOWS_STATE


async def count(runtime: Runtime, status: str) -> int:
    number: int = await runtime.pool.fetchval(
        "SELECT count(*) FROM actions WHERE status = $1", status
    )
    return number


async def test_messages_doubled_and_shuffled_over_topics_have_one_effect(
    open_service: Open,
) -> None:
    runtime = await open_service(SERVICE)
    await make_topics(
        runtime.settings,
        *runtime.topics,
        *(ACTIONS_EVENTS, ACTIONS_STATE, WORKFLOWS_STATE),
    )
    story, call = Story(runtime), a_model(filing=Filing.PER_CONTACT)
    await story.prepare(call)
    snapshot_id = uuid4()
    chunks = chunks_of(story.campaign_id, snapshot_id, [a_member(n) for n in range(900)], size=50)
    command = a_generation(story.campaign_id, snapshot_id, len(chunks), call.model_id)
    messages = [*chunks, command] * 2
    random.Random(4).shuffle(messages)
    async with running(runtime):
        await send(runtime, *messages)
        await eventually(
            lambda: runtime.pool.fetchval("SELECT status = 'done' FROM generation_jobs")
        )
        assert await count(runtime, "waiting") == 900
        cancel = MoveActions(
            campaign_id=story.campaign_id, move=ActionMove.CANCEL, actor=MANAGER, action_ids=None
        )
        await send(runtime, cancel, cancel, ids=["the same", "the same"])
        await eventually(lambda: runtime.pool.fetchval("SELECT cancelled = 900 FROM totals"))
        await story.check()
