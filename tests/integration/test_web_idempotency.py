"""A POST with an Idempotency-Key that comes again: one effect, one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from services.web import keyed
from services.web.idempotency import LARGEST_ANSWER, LARGEST_BODY
from shared.clock import DrivenClock
from tests.conftest import Open
from tests.integration.web_edge import Edge, open_edge
from tests.waiting import eventually

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATH = "/api/v1/stock/orders"


@dataclass
class Upstream:
    """A service that counts its effects and answers as a test tells it."""

    effects: int = 0
    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)
    filler: str = ""
    gate: asyncio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.effects += 1
        if self.gate is not None:
            await self.gate.wait()
        body = {"effect": self.effects} | ({"filler": self.filler} if self.filler else {})
        await JSONResponse(body, self.status, headers=self.headers)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Story:
    edge: Edge
    stock: Upstream
    headers: dict[str, str]

    async def post(
        self, key: str = "one", content: bytes = b"{}", path: str = PATH, **more: str
    ) -> tuple[int, str]:
        answer = await self.edge.client.post(
            path, content=content, headers=self.headers | {"Idempotency-Key": key} | more
        )
        return answer.status_code, answer.text

    async def rows(self) -> int:
        found: int = await self.edge.web.pool.fetchval("SELECT count(*) FROM kept_answers")
        return found

    def advance(self, by: timedelta) -> None:
        clock = self.edge.web.clock
        assert isinstance(clock, DrivenClock)
        clock.advance(by)


@pytest.fixture
async def story(open_service: Open) -> AsyncIterator[Story]:
    stock = Upstream()
    clock = DrivenClock(NOW)
    async with open_edge(open_service, clock=clock, mounted={"stock": stock}) as edge:
        token = await edge.token(edge.administrator, "write", hours=24 * 30)
        yield Story(edge, stock, {"Authorization": f"Bearer {token}"})


async def test_the_same_call_again_has_the_first_answer_and_no_second_effect(story: Story) -> None:
    first = await story.post()
    again = await story.edge.client.post(
        PATH, content=b"{}", headers=story.headers | {"Idempotency-Key": "one"}
    )
    assert first == (201, '{"effect":1}') == (again.status_code, again.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == "application/json"
    assert story.stock.effects == 1


async def test_a_key_belongs_to_one_body_one_path_and_one_token(story: Story) -> None:
    await story.post()
    assert (await story.post(content=b"{ }"))[0] == 422
    assert (await story.post(path=f"{PATH}/other"))[0] == 422
    assert (await story.post(path=f"{PATH}?a=1"))[0] == 422
    assert story.stock.effects == 1
    other = await story.edge.headers(None, "write")
    assert (await story.post(Authorization=other["Authorization"]))[1] == '{"effect":2}'


async def test_a_call_beside_the_first_waits_for_its_end(story: Story) -> None:
    story.stock.gate = asyncio.Event()
    first = asyncio.create_task(story.post())
    await eventually(lambda: story.stock.effects == 1)
    assert (await story.post())[0] == 409
    story.stock.gate.set()
    assert (await first)[0] == 201
    assert (await story.post()) == (201, '{"effect":1}')


async def test_of_ten_calls_at_once_one_has_an_effect(story: Story) -> None:
    answers = await asyncio.gather(*(story.post() for _ in range(10)))
    assert {status for status, _ in answers} <= {201, 409}
    assert story.stock.effects == 1


async def test_a_refusal_is_an_answer_and_a_failure_is_none(story: Story) -> None:
    story.stock.status = 409
    assert await story.post("refused") == await story.post("refused") == (409, '{"effect":1}')
    story.stock.status = 500
    await story.post("failed")
    story.stock.status = 201
    assert await story.post("failed") == (201, '{"effect":3}')


async def test_a_service_that_was_away_may_be_asked_again_with_the_same_key(story: Story) -> None:
    for _ in range(2):
        status, _text = await story.post(path="/api/v1/budget/budgets")
        assert status == 503
    assert await story.rows() == 0


async def test_a_secret_or_a_large_answer_is_not_kept(story: Story) -> None:
    story.stock.headers = {"Cache-Control": "no-store"}
    assert (await story.post("secret"))[0] == 201
    status, text = await story.post("secret")
    assert status == 409
    assert "answered 201" in text
    story.stock.headers, story.stock.filler = {}, "x" * LARGEST_ANSWER
    assert (await story.post("large"))[0] == 201
    assert (await story.post("large"))[0] == 409
    assert story.stock.effects == 2
    assert not await story.edge.web.pool.fetchval("SELECT count(body) FROM kept_answers")


async def test_a_new_token_is_not_among_the_kept_answers(story: Story) -> None:
    admin = await story.edge.token(story.edge.administrator, "admin")
    asked = {
        "operator_id": str(story.edge.administrator),
        "scopes": ["read"],
        "expires_at": (NOW + timedelta(days=1)).isoformat(),
    }
    headers = {"Authorization": f"Bearer {admin}", "Idempotency-Key": "token"}
    first = await story.edge.client.post("/api/v1/web/tokens", json=asked, headers=headers)
    assert first.json()["token"].startswith("mst_")
    again = await story.edge.client.post("/api/v1/web/tokens", json=asked, headers=headers)
    assert again.status_code == 409
    rows = await story.edge.web.pool.fetch("SELECT * FROM kept_answers")
    assert first.json()["token"].rpartition("_")[2] not in str([tuple(row) for row in rows])


async def test_a_call_whose_caller_was_lost_is_taken_over_when_none_can_be_under_way(
    story: Story,
) -> None:
    await story.post()
    await story.edge.web.pool.execute("UPDATE kept_answers SET status = NULL, body = NULL")
    assert (await story.post())[0] == 409
    story.advance(timedelta(seconds=51))
    assert await story.post() == (201, '{"effect":2}')
    assert await story.post() == (201, '{"effect":2}')


async def test_an_answer_is_kept_a_day_and_then_pruned(story: Story) -> None:
    await story.post()
    story.advance(timedelta(hours=23, minutes=59))
    assert await story.post() == (201, '{"effect":1}')
    story.advance(timedelta(minutes=2))
    assert await story.post(content=b"[]") == (201, '{"effect":2}')
    story.advance(timedelta(hours=25))
    stop = asyncio.Event()
    pruning = asyncio.create_task(keyed.prune(story.edge.web, stop))

    async def gone() -> bool:
        return await story.rows() == 0

    await eventually(gone)
    stop.set()
    await pruning


async def test_a_key_and_a_body_have_a_largest_size(story: Story) -> None:
    assert (await story.post("k" * 256))[0] == 400
    assert (await story.post("k" * 255, content=b"x" * (LARGEST_BODY + 1)))[0] == 413
    assert story.stock.effects == 0
    assert await story.rows() == 0


async def test_without_a_key_each_call_has_its_effect(story: Story) -> None:
    for _ in range(2):
        await story.edge.client.post(PATH, content=b"{}", headers=story.headers)
    assert story.stock.effects == 2
