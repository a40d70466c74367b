"""What no row can hold, and what the rules refuse: answered clearly, never a stack trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter
from pydantic import BaseModel

from shared import identity
from shared.errors import Refused
from shared.http import Caller, Here, carry_out, create_app
from shared.kafka import Record
from shared.registry import Registry
from shared.rights import Right, require
from shared.service import Runtime, Service
from shared.uow import Work
from tests.conftest import Open
from tests.records import record_of
from topics.message import Actor, Via
from topics.names import TARGETING_COMMANDS
from topics.targeting import CountTarget, SaveTargeting, TargetingRefused

WHO = Actor(id=str(uuid4()), via=Via.WEB)
registry = Registry()
router = APIRouter()


def refused(command: SaveTargeting, refusal: Refused) -> TargetingRefused:
    return TargetingRefused(
        targeting_id=command.targeting_id,
        reason=refusal.reason,
        field=refusal.field,
        actor=command.actor,
    )


@registry.on(SaveTargeting, refusal=refused)
async def save(command: SaveTargeting, work: Work) -> None:
    if command.label == "rights":
        await require(work, command.actor, Right.MANAGE_TARGETINGS)
    if command.label == "field":
        raise Refused("choose another", field="label", code="taken")
    await keep(work, command.label)


@registry.on(CountTarget)
async def count(command: CountTarget, work: Work) -> None:
    await keep(work, str(command.targeting_id))


async def keep(work: Work, key: str) -> None:
    await work.connection.execute("INSERT INTO timers VALUES ('x', $1, now(), '{}')", key)


class Body(BaseModel):
    label: str
    number: int = 0


@router.post("/rows")
async def post(body: Body, actor: Caller, runtime: Here) -> dict[str, str]:
    if body.label == "number":
        await runtime.pool.fetchval("SELECT $1::bigint", body.number)
    await carry_out(runtime, SaveTargeting(targeting_id=uuid4(), label=body.label, actor=actor))
    return {}


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    files = Path(__file__).parent / "no_migrations"
    return await open_service(Service("targeting", registry, files, router=router))


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    token = identity.issue(
        runtime.settings.secret, WHO, audience="targeting", now=runtime.clock.now()
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(runtime)),
        base_url="http://targeting/api/v1/targeting",
        headers={identity.HEADER: token},
    ) as made:
        yield made


@pytest.mark.parametrize(
    "body",
    [
        rb'{"label": "a\u0000b"}',
        rb'{"label": "a\ud800b"}',
        b'{"label": "number", "number": ' + b"9" * 30 + b"}",
    ],
)
async def test_a_text_or_number_that_cannot_be_stored_is_a_problem_of_the_request(
    client: httpx.AsyncClient, runtime: Runtime, body: bytes
) -> None:
    answer = await client.post("/rows", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await runtime.pool.fetchval("SELECT count(*) FROM timers") == 0


async def test_a_command_that_a_request_cannot_fill_names_the_field(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/rows", json={"label": "x" * 201})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "label: String should have at most 200 characters"


async def test_a_refusal_keeps_its_code_and_field_on_the_way_out(
    client: httpx.AsyncClient,
) -> None:
    found: list[Any] = []
    for label in ("rights", "field", "good"):
        answer = await client.post("/rows", json={"label": label})
        body = answer.json()
        found.append((answer.status_code, body.get("code"), body.get("field")))
    assert found == [(403, "not_allowed", None), (409, "taken", "label"), (200, None, None)]


def record(offset: int, *, key: str | None, value: bytes, **headers: bytes) -> Record:
    _, given, _ = record_of(CountTarget(campaign_id=uuid4(), targeting_id=uuid4()))
    found = {**dict(given), **headers}
    return Record(TARGETING_COMMANDS.name, 0, offset, key, list(found.items()), value)


async def test_a_message_no_row_can_hold_is_a_dead_letter_and_its_neighbours_are_handled(
    runtime: Runtime,
) -> None:
    def counting(offset: int) -> Record:
        command = CountTarget(campaign_id=uuid4(), targeting_id=uuid4())
        key, _, value = record_of(command)
        return record(offset, key=key.decode(), value=value)

    extra = b'{"a\\u0000b": 1, "campaign_id": "' + str(uuid4()).encode() + b'"}'
    batch = [counting(1), record(2, key="k", value=extra), counting(3)]
    buried = await runtime.consumers[0].batcher.handle(batch)
    assert [one.offset for one in buried] == [2]
    assert await runtime.pool.fetchval("SELECT count(*) FROM timers") == 2
    reason = await runtime.pool.fetchval("SELECT reason FROM dead_letters")
    assert "(unknown): Extra inputs are not permitted" in reason


async def test_a_handlers_text_that_cannot_be_stored_is_a_dead_letter_with_a_clean_reason(
    runtime: Runtime,
) -> None:
    async def store_nul(_: CountTarget, work: Work) -> None:
        await keep(work, "a\x00b")

    broken = Registry()
    broken.on(CountTarget)(store_nul)
    runtime.consumers[0].batcher._registry = broken
    command = CountTarget(campaign_id=uuid4(), targeting_id=uuid4())
    key, headers, value = record_of(command)
    given = Record(TARGETING_COMMANDS.name, 0, 1, key.decode(), headers, value)
    assert await runtime.consumers[0].batcher.handle([given]) == {given}
    row = await runtime.pool.fetchrow("SELECT reason, ce_type FROM dead_letters")
    assert row is not None
    assert row["reason"] == (
        "a text or number that cannot be stored (CharacterNotInRepertoireError)"
    )
    assert await runtime.pool.fetchval("SELECT count(*) FROM retries") == 0
