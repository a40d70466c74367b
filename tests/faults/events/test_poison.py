"""Poison by every door hurts itself only: a clear no, neighbours that go on, bounded memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import httpx
import orjson
import pytest

from services.web.events.wsdl import ROUTER
from tests.faults.events.center import COVERED, LOGIN, SERVICES, Center
from tests.faults.world import manager
from tests.waiting import eventually
from topics.delivery import SaveTemplate
from topics.events import RouteEventType
from topics.names import EVENTS_BATCH

pytestmark = [
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),
]
BOMB = "order.bomb"
LOOP, END = "{% for one in ctx.a %}", "{% endfor %}"
LOOPS = LOOP * 3 + "x" + END * 3
MOST_KIB = 400_000


def ctx(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


POISONS = {
    "deep": (ctx(150), "ctx"),
    "deeper": (ctx(20_000), "deep|JSON|recursion"),
    "NUL": ('{"order": "a\\u0000"}', "ctx.*NUL"),
    "half a surrogate": ('{"order": "\\ud800"}', "JSON"),
    "no number": ('{"order": NaN}', "JSON|finite"),
    "large": (orjson.dumps({"order": "x" * 300_000}).decode(), "ctx.*at most"),
    "10 MB": (orjson.dumps({"order": "x" * 10_000_000}).decode(), "bytes"),
    "year 1": ('{}, "scheduled": "0001-01-01T00:00:00+14:00"', "scheduled.*years"),
    "year 9999": ('{}, "expiration": "9999-12-31T23:59:59.9Z"', "expiration.*years"),
}


def written(name: str, inside: str, kind: str = COVERED) -> str:
    """Return a pushed event as it is written, whatever its ctx is."""
    return (
        f'{{"type": "{kind}", "email": "{name}@people.example", "external_id": "{name}",'
        f' "ctx": {inside}}}'
    )


def good(name: str) -> str:
    return written(name, '{"order": "7"}')


def names(count: int) -> list[str]:
    return [f"good-{uuid4().hex[:12]}" for _ in range(count)]


async def all_sent(made: Center, wanted: Sequence[str]) -> None:
    async def sent() -> bool:
        rows = await made.rig.rows(
            "SELECT status FROM events_status.events WHERE external_id = ANY ($1::text[])",
            list(wanted),
        )
        return [row["status"] for row in rows] == ["sent"] * len(wanted)

    await eventually(sent, what="the neighbours being sent")


async def push(
    client: httpx.AsyncClient, body: str, kind: str = "application/json"
) -> httpx.Response:
    return await client.post(
        "/api/v1/events/realtime", content=body.encode(), headers={"Content-Type": kind}
    )


@pytest.mark.parametrize("poison", POISONS)
async def test_poison_in_an_array_or_a_line_leaves_its_neighbours(
    made: Center, poison: str
) -> None:
    inside, says = POISONS[poison]
    bad, neighbours = written("poison", inside), names(4)
    async with made.client() as client:
        alone = await push(client, bad)
        assert alone.status_code in {400, 413, 422}, alone.text
        array = await push(client, f"[{good(neighbours[0])}, {bad}, {good(neighbours[1])}]")
        if poison == "10 MB":
            assert array.status_code == 413
            await push(client, f"[{good(neighbours[0])}, {good(neighbours[1])}]")
        else:
            assert array.status_code == 202, array.text
            kinds = ["event_id" in one for one in array.json()["events"]]
            assert kinds == [True, False, True]
            assert re.search(says, str(array.json()["events"][1])), array.text
        lines = await push(
            client,
            "\n".join((good(neighbours[2]), bad, good(neighbours[3]))),
            "application/x-ndjson",
        )
        told = [orjson.loads(line) for line in lines.text.splitlines()]
        assert ["event_id" in one for one in told] == [True, False, True]
        assert re.search(says, str(told[1])), told
    await all_sent(made, neighbours)


async def test_poison_on_an_intake_topic_leaves_its_neighbours(made: Center) -> None:
    neighbours, key = names(2), b"one"
    before = await made.rig.value("SELECT count(*) FROM events_status.dead_letters")
    binary = [
        *(("ce_specversion", b"1.0"), ("ce_source", b"/poison"), ("ce_type", COVERED.encode())),
        ("content-type", b"application/json"),
    ]
    structured = [("content-type", b"application/cloudevents+json")]
    sent = 0

    async def neighbour(name: str) -> None:
        value = orjson.dumps({"email": f"{name}@people.example", "external_id": name})
        value = value.replace(b"}", b',"ctx":{"order":"7"}}')
        headers = [*binary, ("ce_id", name.encode())]
        await made.rig.send_raw(EVENTS_BATCH, key, headers, value)

    await neighbour(neighbours[0])
    for poison, (inside, _) in POISONS.items():
        if poison == "10 MB":
            continue  # no broker takes it from its producer
        data = f'{{"email": "p@people.example", "ctx": {inside}}}'
        whole = (
            f'{{"specversion": "1.0", "id": "poison", "source": "/poison", "type": "{COVERED}",'
            f' "data": {data}}}'
        )
        headers = [*binary, ("ce_id", f"poison {poison}".encode())]
        await made.rig.send_raw(EVENTS_BATCH, key, headers, data.encode())
        await made.rig.send_raw(EVENTS_BATCH, key, structured, whole.encode())
        sent += 2
    await neighbour(neighbours[1])
    await all_sent(made, neighbours)
    after = await made.rig.value("SELECT count(*) FROM events_status.dead_letters")
    assert after - before == sent


async def test_poison_by_soap_is_a_fault_or_an_answer_of_its_own(made: Center) -> None:
    neighbours = names(2)

    def event(name: str, inside: str) -> str:
        return (
            f'<rtEvent type="{COVERED}" email="{name}@people.example" externalId="{name}">'
            f"<ctx>{inside}</ctx></rtEvent>"
        )

    async def call(*events: str) -> httpx.Response:
        body = (
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
            ' xmlns:u="urn:nms:rtEvent"><e:Body><u:PushEvents>'
            f"<u:sessiontoken>{LOGIN}/{made.token}</u:sessiontoken>"
            f"<u:domEventCollection><events>{''.join(events)}</events></u:domEventCollection>"
            "</u:PushEvents></e:Body></e:Envelope>"
        )
        async with made.client() as client:
            return await client.post(ROUTER, content=body.encode("utf-8", "surrogatepass"))

    order = "<order>7</order>"
    first, last = event(neighbours[0], order), event(neighbours[1], order)
    for inside in ("<a>" * 150 + "</a>" * 150, f"<a>{'x' * 300_000}</a>"):
        answer = await call(first, event("poison", inside), last)
        assert answer.status_code == 200, answer.text
        assert 'index="1" id="0" error="ctx' in answer.text
        first, last = event(names(1)[0], order), event(names(1)[0], order)
    whole = ("<a>" * 400 + "</a>" * 400, "a\x00b", "\ud800", "&#0;", "x" * 10_000_000)
    for inside in whole:
        answer = await call(event("poison", inside))
        assert (answer.status_code, "SOAP-ENV:Client" in answer.text) == (500, True)
    await all_sent(made, neighbours)


async def test_a_template_bomb_goes_off_by_itself(made: Center) -> None:
    template_id, bomb, neighbours = uuid4(), f"bomb-{uuid4().hex[:12]}", names(10)
    await made.door.execute(
        SaveTemplate(
            template_id=template_id,
            actor=manager,
            label="Bomb",
            subject="Bomb",
            body=f"<p>{LOOPS}</p>",
            text="Bomb",
            from_address="offers@muster.example",
        )
    )
    await made.rig.send(RouteEventType(event_type=BOMB, template_id=template_id, actor=manager))
    await eventually(
        lambda: made.rig.value(
            "SELECT count(*) FROM events_status.event_template_versions"
            " WHERE event_type = $1 AND content_hash IS NOT NULL",
            BOMB,
        ),
        what="the bomb's template",
    )
    loaded = orjson.dumps({"a": list(range(2_000))}).decode()
    events = [*(good(name) for name in neighbours[:5]), written(bomb, loaded, BOMB)]
    events += [good(name) for name in neighbours[5:]]
    async with made.client() as client:
        answer = await push(client, f"[{', '.join(events)}]")
        assert answer.json()["accepted"] == 11
    await all_sent(made, neighbours)

    await eventually(
        lambda: made.rig.value(
            "SELECT status = 'delivery_error' AND reason LIKE '%takes too much time%'"
            " FROM events_status.events WHERE external_id = $1",
            bomb,
        ),
        what="the bomb's own end",
    )


def peak_kib(pid: int) -> int:
    """Return the most memory that a process ever had, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


async def test_what_poison_takes_is_bounded(made: Center) -> None:
    for service in SERVICES:
        peak = peak_kib(made.rig.workers[service, 1].process.pid)
        assert peak < MOST_KIB, f"{service} took {peak // 1024} MiB"
