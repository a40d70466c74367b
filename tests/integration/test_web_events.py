"""Events pushed over HTTP: keys, items, lines, and a broker that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.events_status.app import SERVICE as EVENTS
from services.events_status.intake import read_event
from services.web.events import door, reading
from services.web.events.publishing import BrokerAway, Publisher
from shared import kafka
from shared.clock import DrivenClock
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.web_edge import Edge, open_edge
from tests.records import records_of
from tests.waiting import eventually
from topics.cloudevents import decode_envelope
from topics.names import EVENTS_BATCH, EVENTS_REALTIME, Topic
from topics.outside import Queue

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
REALTIME, BATCH = "/api/v1/events/realtime", "/api/v1/events/batch"
LINES = {"Content-Type": door.NDJSON}


def event(n: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "order.confirmed", "email": f"ann{n}@example.org", "ctx": {"n": n}} | more


@dataclass(frozen=True, slots=True)
class Story:
    edge: Edge
    headers: dict[str, str]

    async def push(
        self, body: Any, key: str | None = None, path: str = REALTIME, **more: str
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        keyed = {"Idempotency-Key": key} if key else {}
        return await self.edge.client.post(
            path, content=content, headers=self.headers | keyed | more
        )

    async def records(self, topic: Topic = EVENTS_REALTIME) -> list[Any]:
        """Return all records of an intake topic."""
        return await records_of(self.edge.web.settings, topic)

    async def ids(self, topic: Topic = EVENTS_REALTIME) -> list[str]:
        """Return the ids of the events on a topic, read as Message Center reads them."""
        queue = Queue.REALTIME if topic is EVENTS_REALTIME else Queue.BATCH
        return [
            str(read_event(decode_envelope(one.headers, one.value), queue).event_id)
            for one in await self.records(topic)
        ]

    def advance(self, by: timedelta) -> None:
        clock = self.edge.web.clock
        assert isinstance(clock, DrivenClock)
        clock.advance(by)


@pytest.fixture
async def story(open_service: Open) -> AsyncIterator[Story]:
    async with open_edge(open_service, EVENTS, clock=DrivenClock(NOW)) as edge:
        await make_topics(edge.web.settings, EVENTS_REALTIME, EVENTS_BATCH)
        token = await edge.token(edge.administrator, "events", hours=24 * 30)
        yield Story(edge, {"Authorization": f"Bearer {token}"})


async def test_one_event_is_on_its_topic_before_it_is_answered(story: Story) -> None:
    answer = await story.push(event(scheduled="2026-11-26T13:00:00Z"))
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == body["href"] == f"/api/v1/events/{body['event_id']}"
    assert (body["queue"], body["status"]) == ("realtime", "pending")
    assert await story.ids() == [body["event_id"]]
    other = await story.push(event(), path=BATCH)
    assert await story.ids(EVENTS_BATCH) == [other.json()["event_id"]]


async def test_an_event_can_be_followed_where_the_answer_leads(story: Story) -> None:
    body = (await story.push(event())).json()
    (one,) = await story.records()
    (consumer, *_) = story.edge.others["events_status"].consumers
    assert not await consumer.batcher.handle([kafka.as_record(story.edge.web.settings, one)])
    answer = await story.edge.client.get(body["href"], headers=story.headers)
    assert answer.status_code == 200
    assert answer.json()["event"]["status"] == "not_covered"
    assert [one["after"] for one in answer.json()["history"]] == ["pending", "not_covered"]


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        ({"type": "a"}, 422, "email"),
        (event(type=""), 422, "type"),
        (event(emial="x"), 422, None),
        (event(ctx={"a": "x" * 262_144}), 422, "ctx"),
        (event(ctx={"a": "\x00"}), 422, "ctx"),
        (b'{"type": "a", "email": "a@b.example", "ctx": {"n": 99999999999999999999}}', 422, "ctx"),
        (b'{"type": "a", "email": "a@b.example", "ctx": {"n": NaN}}', 400, None),
        (b'{"type": "a", "email": "a@b.example", "ctx": {"n": "\\ud800"}}', 400, None),
        (b'{"a":' * 500 + b"1" + b"}" * 500, 400, None),
        (b"", 400, None),
        (b"7", 422, None),
        ([], 422, None),
        ([{}], 422, None),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_goes_to_kafka(
    story: Story, said: Any, status: int, field: str | None
) -> None:
    answer = await story.push(said)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().get("field") == field
    assert "example" not in answer.text.replace("name@example.org", "")
    assert await story.records() == []


async def test_the_rest_of_an_array_goes_in_with_an_answer_per_item(story: Story) -> None:
    answer = await story.push([event(1), event(2, email="nobody"), event(3)])
    body = answer.json()
    assert (answer.status_code, body["accepted"], body["rejected"]) == (202, 2, 1)
    assert body["events"][1]["error"]["field"] == "email"
    good = [body["events"][place]["event_id"] for place in (0, 2)]
    assert sorted(await story.ids()) == sorted(good)


async def test_the_same_key_and_body_is_the_same_event_once(story: Story) -> None:
    first = await story.push(event(), "k")
    again = await story.push(event(), "k")
    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await story.records()) == 1
    assert (await story.push(event(2), "k")).status_code == 422
    assert (await story.push(event(), "k", path=BATCH)).status_code == 422
    assert len(await story.records()) == 1


async def test_a_key_lives_a_day_or_as_long_as_was_asked(story: Story) -> None:
    first = (await story.push(event(), "day")).json()
    asked = (await story.push(event(), "week", **{door.HOURS: "168"})).json()
    story.advance(timedelta(hours=24))
    assert (await story.push(event(2), "day")).json()["event_id"] != first["event_id"]
    assert (await story.push(event(), "week")).json() == asked
    story.advance(timedelta(hours=144))
    assert (await story.push(event(2), "week")).json()["event_id"] != asked["event_id"]
    assert (await story.push(event(), "long", **{door.HOURS: "169"})).status_code == 400


async def test_a_call_beside_the_first_with_the_same_key_is_told_to_wait(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, publish = asyncio.Event(), Publisher.publish

    async def held(self: Publisher, records: Any) -> None:
        monkeypatch.setattr(Publisher, "publish", publish)
        await gate.wait()
        await publish(self, records)

    monkeypatch.setattr(Publisher, "publish", held)
    first = asyncio.create_task(story.push(event(idempotency_key="e"), "k"))
    rows = "SELECT count(*) FROM event_keys"

    async def begun() -> bool:
        return bool(await story.edge.web.pool.fetchval(rows) == 2)

    await eventually(begun)
    beside = await story.push(event(idempotency_key="e"), "k")
    assert (beside.status_code, beside.headers["retry-after"]) == (409, "2")
    other = await story.push([event(idempotency_key="e"), event(2)])
    alone = await story.push([event(idempotency_key="e")])
    assert (alone.status_code, alone.headers["retry-after"]) == (409, "2")
    assert alone.json()["errors"][0]["error"]["status"] == 409
    gate.set()
    assert (await first).status_code == 202
    assert other.status_code == 202
    assert other.json()["events"][0]["error"]["status"] == 409
    assert len(await story.records()) == 2


async def test_a_call_that_was_lost_is_taken_over_with_the_same_ids(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_self: Publisher, _records: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(Publisher, "publish", lost)
        with pytest.raises(asyncio.CancelledError):
            await story.push(event(), "k")
    base = await story.edge.web.pool.fetchval("SELECT base FROM event_keys")
    assert (await story.push(event(), "k")).status_code == 409
    story.advance(door.LEASE)
    taken = (await story.push(event(), "k")).json()
    assert await story.edge.web.pool.fetchval("SELECT base FROM event_keys") == base
    assert await story.ids() == [taken["event_id"]]


async def test_a_broker_that_is_away_is_a_503_and_the_key_may_come_again_at_once(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_self: Publisher, _records: Any) -> None:
        raise BrokerAway("Kafka did not take the events")

    with monkeypatch.context() as patched:
        patched.setattr(Publisher, "publish", away)
        answer = await story.push(event(), "k")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert (await story.push(event(), "k")).status_code == 202
    assert len(await story.records()) == 1


async def test_keys_of_single_events_hold_over_requests(story: Story) -> None:
    keyed = [event(n, idempotency_key=f"e-{n}") for n in range(3)]
    first = (await story.push(keyed)).json()["events"]
    more = [event(9, idempotency_key="e-9"), *keyed, event(8, idempotency_key="e-1")]
    second = (await story.push(more)).json()["events"]
    assert [one["event_id"] for one in second[1:4]] == [one["event_id"] for one in first]
    assert [one.get("again") for one in second[:4]] == [None, True, True, True]
    assert second[4]["error"] == {
        "status": 422,
        "field": "idempotency_key",
        "reason": "this key was used for something else; use a new one",
    }
    assert len(await story.records()) == 4


async def test_lines_of_any_number_are_answered_one_by_one(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK_LINES", 10)
    lines = [orjson.dumps(event(n)) for n in range(37)]
    lines[5] = b"{not json"
    lines[20] = b'{"type": "a", "email": "' + b"x" * reading.LARGEST_LINE + b'"}'
    body = b"\n\n".join(lines)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    async def push() -> httpx.Response:
        return await story.edge.client.post(
            REALTIME, content=pieces(), headers=story.headers | LINES | {"Idempotency-Key": "all"}
        )

    answer = await push()
    assert (answer.status_code, answer.headers["content-type"]) == (202, door.NDJSON)
    found = [orjson.loads(line) for line in answer.text.splitlines()]
    assert [one["index"] for one in found] == list(range(37))
    wrong = {one["index"]: one["error"]["status"] for one in found if "error" in one}
    assert wrong == {5: 422, 20: 413}
    again = [orjson.loads(line) for line in (await push()).text.splitlines()]
    assert [one.get("event_id") for one in again] == [one.get("event_id") for one in found]
    assert len(await story.records()) == 35
    changed = await story.push(body.replace(b"ann30@", b"bob30@"), "all", **LINES)
    assert changed.status_code == 422


async def test_a_push_needs_a_token_for_events_and_a_body_it_can_read(story: Story) -> None:
    assert (await story.edge.client.post(REALTIME, content=b"{}")).status_code == 401
    reader = await story.edge.headers(None, "read")
    assert (await story.push(event(), **reader)).status_code == 403
    assert (await story.push(event(), **{"Content-Type": "text/xml"})).status_code == 415
    assert (await story.push(b" " * (reading.LARGEST_BODY + 1))).status_code == 413
    assert (await story.push(event(), " ")).status_code == 400
    assert (await story.push(b"\n\n", **LINES)).status_code == 422
