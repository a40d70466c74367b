"""The catalogue over HTTP and Kafka: states, runs, and controls that show until answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from services.workflows import invariants
from services.workflows.app import SERVICE
from services.workflows.asks import AskStore
from shared import identity
from shared.http import create_app
from shared.ids import new_id
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.test_core import running, send
from tests.integration.workflows_story import STORY, STORY_TOPICS
from tests.waiting import eventually
from topics.campaign import CampaignState, CampaignStatus
from topics.message import Actor, Via
from topics.operators import OperatorState, Role
from topics.workflows import (
    FAILURES_IGNORED,
    Control,
    ControlWorkflow,
    WorkflowHeartbeat,
    WorkflowRunEnded,
    WorkflowState,
    WorkflowStatus,
)

READER, SUPERVISOR = new_id(), new_id()
ROLES = {READER: Role.REVIEWER, SUPERVISOR: Role.SUPERVISOR}


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(SERVICE)
    await know_operators(opened)
    return opened


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(runtime))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://here/api/v1/workflows"
    ) as opened:
        yield opened


async def know_operators(runtime: Runtime) -> None:
    for operator, role in ROLES.items():
        await runtime.execute(
            OperatorState(operator_id=operator, version=1, name=role, roles=(role,))
        )


def actor(operator: UUID, via: Via = Via.WEB) -> Actor:
    return Actor(id=str(operator), via=via)


def as_(runtime: Runtime, operator: UUID) -> dict[str, str]:
    token = identity.issue(
        runtime.settings.secret, actor(operator), audience="workflows", now=runtime.clock.now()
    )
    return {identity.HEADER: token}


def a_state(name: str = "storyMgt", *, version: int = 1, **changes: Any) -> WorkflowState:
    fields = {
        "service": "story",
        "label": "Story jobs",
        "label_fr": "Traitements du récit",
        "package": "Tales",
        "schedule": "every 60 s",
        "status": WorkflowStatus.STARTED,
    }
    return WorkflowState(name=name, version=version, **(fields | changes))


async def read(client: httpx.AsyncClient, runtime: Runtime, path: str) -> Any:
    answer = await client.get(path, headers=as_(runtime, READER))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_control_shows_as_asked_until_the_executing_service_answers(
    runtime: Runtime, client: httpx.AsyncClient, open_service: Open
) -> None:
    await make_topics(runtime.settings, *{*runtime.topics, *STORY_TOPICS})
    story = await open_service(STORY)
    await know_operators(story)
    async with running(runtime):
        async with running(story):
            await eventually(partial(_is, client, runtime, "started", runs=1))
        stop = {"control": "stop"}
        asked = await client.post(
            "/workflows/storyMgt/control", json=stop, headers=as_(runtime, SUPERVISOR)
        )
        assert asked.status_code == 202
        workflow = asked.json()["workflow"]
        assert workflow["asked"]["control"] == "stop"
        assert workflow["asked"]["by"] == str(SUPERVISOR)
        assert workflow["status"] == "started"
        again = await open_service(STORY)
        async with running(again):
            await eventually(partial(_is, client, runtime, "stopped"), what="the stop's answer")
            command = ControlWorkflow(
                name="storyMgt", control=Control.PAUSE, actor=actor(SUPERVISOR, Via.SLACK)
            )
            await send(runtime, command)
            await eventually(partial(_refused, client, runtime), what="the refusal")
        await _check_the_end(client, runtime)


async def _check_the_end(client: httpx.AsyncClient, runtime: Runtime) -> None:
    detail = await read(client, runtime, "/workflows/storyMgt")
    assert detail["workflow"]["waiting"] == "stopped"
    assert detail["workflow"]["controls"] == ["start"]
    assert [(one["control"], one["via"]) for one in detail["asks"]] == [
        ("pause", "slack"),
        ("stop", "web"),
    ]
    assert detail["asks"][0]["refusal"] == "storyMgt is stopped: it cannot pause"
    assert (detail["runs"]["runs"][0]["rows_in"], detail["runs"]["runs"][0]["error"]) == (2, "")
    async with runtime.pool.acquire() as connection:
        assert await invariants.broken(connection) == []


async def _is(client: httpx.AsyncClient, runtime: Runtime, status: str, *, runs: int = 0) -> bool:
    page = await read(client, runtime, "/workflows")
    return any(
        one["status"] == status and one["asked"] is None and one["runs"] >= runs
        for one in page["workflows"]
    ) and bool(runs == 0 or await runtime.pool.fetchval("SELECT count(*) FROM runs"))


async def _refused(client: httpx.AsyncClient, runtime: Runtime) -> bool:
    detail = await read(client, runtime, "/workflows/storyMgt")
    return bool(detail["asks"][0]["refusal"]) and detail["workflow"]["asked"] is None


async def test_control_needs_the_right_and_a_known_name(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    await runtime.execute(a_state())
    path, body = "/workflows/storyMgt/control", {"control": "stop"}
    assert (await client.post(path, json=body)).status_code == 401
    refused = await client.post(path, json=body, headers=as_(runtime, READER))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    headers = as_(runtime, SUPERVISOR)
    assert (
        await client.post("/workflows/x/control", json=body, headers=headers)
    ).status_code == 404
    wrong = await client.post(path, json={"control": "explode"}, headers=headers)
    assert wrong.status_code == 422
    assert await runtime.pool.fetchval("SELECT count(*) FROM asks") == 0
    assert await runtime.pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_an_error_policy_is_asked_of_the_executing_service(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    await runtime.execute(a_state())
    path, body = "/workflows/storyMgt/policy", {"failures_ignored": 0}
    refused = await client.put(path, json=body, headers=as_(runtime, READER))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    headers = as_(runtime, SUPERVISOR)
    for wrong in (-1, 1001):
        answer = await client.put(path, json={"failures_ignored": wrong}, headers=headers)
        assert answer.status_code == 422
    asked = await client.put(path, json=body, headers=headers)
    assert asked.status_code == 202
    assert asked.json()["workflow"]["failures_ignored"] == FAILURES_IGNORED
    sent = await runtime.pool.fetchval("SELECT value FROM outbox")
    assert orjson.loads(sent)["failures_ignored"] == 0
    await runtime.execute(a_state(version=2, failures_ignored=0, failures=1))
    shown = (await read(client, runtime, "/workflows/storyMgt"))["workflow"]
    assert (shown["failures_ignored"], shown["failures"]) == (0, 1)


async def test_supervisors_are_set_and_shown(runtime: Runtime, client: httpx.AsyncClient) -> None:
    await runtime.execute(a_state())
    path, body = "/workflows/storyMgt/supervisors", {"operators": [str(READER)], "groups": ["n"]}
    refused = await client.put(path, json=body, headers=as_(runtime, READER))
    assert refused.status_code == 403
    headers = as_(runtime, SUPERVISOR)
    stranger = {"operators": [str(uuid4())]}
    unknown = await client.put(path, json=stranger, headers=headers)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "unknown")
    done = await client.put(path, json=body, headers=headers)
    assert done.status_code == 200
    assert done.json()["supervisors"] == body
    assert (await client.put(path, json={}, headers=headers)).status_code == 200
    shown = await read(client, runtime, "/workflows/storyMgt")
    assert shown["supervisors"] == {"operators": [], "groups": []}


async def test_an_answer_that_comes_before_its_command_is_not_forgotten(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    await runtime.execute(a_state())
    command = ControlWorkflow(name="storyMgt", control=Control.STOP, actor=actor(SUPERVISOR))
    async with runtime.uow.begin() as work:
        store = AskStore(work.connection)
        await store.answer("c-2", "storyMgt", work.now, refusal="no")
        await store.ask("c-1", command, work.now - timedelta(seconds=2))
        await store.ask("c-2", command, work.now - timedelta(seconds=1))
        await store.answer("c-2", "storyMgt", work.now)
    detail = await read(client, runtime, "/workflows/storyMgt")
    assert detail["workflow"]["asked"] is None
    assert [one["refusal"] for one in detail["asks"]] == ["no", ""]


async def test_an_older_state_changes_nothing_and_a_new_label_of_the_same_version_does(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    await runtime.execute(a_state(version=3, status=WorkflowStatus.PAUSED))
    await runtime.execute(a_state(version=2))
    await runtime.execute(a_state(version=3, status=WorkflowStatus.PAUSED, label="Tales told"))
    (one,) = (await read(client, runtime, "/workflows"))["workflows"]
    assert (one["status"], one["label"], one["waiting"]) == ("paused", "Tales told", "paused")


async def test_workflows_are_listed_with_what_waits_for_them(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    now = runtime.clock.now()
    for name in ("aMgt", "bMgt", "cMgt"):
        await runtime.execute(a_state(name, package="Tales" if name == "bMgt" else "Other"))
    await runtime.execute(
        WorkflowHeartbeat(
            service="story",
            instance="one",
            names=("aMgt",),
            interval_seconds=10,
            at=now - timedelta(seconds=21),
        )
    )
    campaign = a_campaign(now)
    await runtime.execute(campaign)
    older = campaign.model_copy(update={"version": 1, "waiting_workflow": None})
    await runtime.execute(older)
    page = await read(client, runtime, "/workflows?limit=2")
    rest = await read(client, runtime, f"/workflows?after={page['next']}")
    listed = page["workflows"] + rest["workflows"]
    assert [(one["name"], one["waiting"], one["waiting_campaigns"]) for one in listed] == [
        ("aMgt", "late", 1),
        ("bMgt", "late", 0),
        ("cMgt", "late", 0),
    ]
    (service,) = await read(client, runtime, "/services")
    assert service["late_since"] is not None
    tales = (await read(client, runtime, "/workflows?package=Tales"))["workflows"]
    assert [one["name"] for one in tales] == ["bMgt"]


def a_campaign(now: Any) -> CampaignState:
    return CampaignState(
        campaign_id=uuid4(),
        number=1001,
        label="Spring",
        status=CampaignStatus.READY_TO_RUN,
        start_at=now,
        end_at=now,
        zone="UTC",
        manager_id="m",
        waiting_workflow="aMgt",
        created_at=now,
        modified_at=now,
        version=2,
    )


async def test_runs_are_kept_once_paged_and_forgotten_after_their_days(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    now = runtime.clock.now()

    def a_run(days: float) -> WorkflowRunEnded:
        at = now - timedelta(days=days)
        return WorkflowRunEnded(
            name="storyMgt",
            run_id=new_id(),
            scheduled_for=at,
            started_at=at,
            ended_at=at,
            rows_in=int(days),
            rows_out=0,
        )

    runs = [a_run(days) for days in (32, 3, 2, 1)]
    for run in (*runs, runs[1]):
        await runtime.execute(run)
    first = await read(client, runtime, "/workflows/storyMgt/runs?limit=2")
    rest = await read(client, runtime, f"/workflows/storyMgt/runs?limit=2&before={first['next']}")
    assert [run["rows_in"] for run in first["runs"] + rest["runs"]] == [1, 2, 3]
