"""How fast events come in by each door, beside what a plain producer hands to the broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson

from services.cli.catalogue import find, port_of
from services.web.operators import add_operator
from services.web.tokens import create_token
from shared import kafka
from shared.service import open_runtime
from tests.bench.eventing import HEADERS, KIND, event
from tests.bench.results import Figure
from tests.driving import Rig, rig
from tests.instances import fresh_instance
from tests.servers import Servers
from tests.waiting import eventually
from topics.names import EVENTS_BATCH, EVENTS_REALTIME
from topics.operators import Role

LOGIN: Final = "shop@sample.example"
CALLERS: Final = 16
CALLS: Final = 4_000
LINES: Final = 20_000
RAW: Final = 50_000
BOUND: Final = "the web process's core"


async def intake(servers: Servers, folder: Path) -> list[Figure]:
    """Return events/s by REST (one by one, as lines), SOAP, Kafka, and of a plain producer."""
    async with (
        fresh_instance(servers) as instance,
        rig(instance, folder, services=("web", "events_status")) as made,
    ):
        made.start("web")
        await made.ready("web")
        token = await _token(made)
        port = port_of("web", made.base_port)
        single = await _calls(port, [_rest(token, n) for n in range(CALLS)], b" 202 ")
        lines = await _calls(port, [_lines(token)], b" 202 ", each=LINES)
        soap = await _calls(port, [_soap(token, n) for n in range(CALLS)], b" 200 ")
        raw = await _produce(made)
        taken = await _taken(made)
    return [
        Figure("events.intake_rest_per_s", "events/s", [single], None, BOUND),
        Figure("events.intake_ndjson_per_s", "events/s", [lines], None, BOUND),
        Figure("events.intake_soap_per_s", "events/s", [soap], None, BOUND),
        Figure(
            "events.intake_kafka_per_s", "events/s", [taken], None, "one consumer, rows written"
        ),
        Figure("events.raw_produce_per_s", "events/s", [raw], None, "aiokafka's producer, acked"),
    ]


async def _token(made: Rig) -> str:
    web = find("web")
    runtime = await open_runtime(web, made.instance.settings(web.settings))
    async with runtime.uow.begin() as work:
        shop = await add_operator(work, name="Shop", email=LOGIN, roles=[Role.MANAGER])
        token = await create_token(work, shop, ["events"], work.now + timedelta(hours=1))
    await runtime.pool.close()
    return token


def _request(path: str, body: bytes, **headers: str) -> bytes:
    lines = {"Host": "127.0.0.1", "Content-Length": str(len(body))} | headers
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _data(number: int) -> bytes:
    return orjson.dumps(orjson.loads(event(number)) | {"type": KIND})


def _rest(token: str, number: int) -> bytes:
    return _request(
        "/api/v1/events/realtime",
        _data(number),
        Authorization=f"Bearer {token}",
        Content_Type="application/json",
        Idempotency_Key=uuid4().hex,
    )


def _lines(token: str) -> bytes:
    return _request(
        "/api/v1/events/realtime",
        b"\n".join(_data(number) for number in range(LINES)),
        Authorization=f"Bearer {token}",
        Content_Type="application/x-ndjson",
        Idempotency_Key=uuid4().hex,
    )


def _soap(token: str, number: int) -> bytes:
    body = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:urn="urn:nms:rtEvent"><soapenv:Body><urn:PushEvent>'
        f"<urn:sessiontoken>{LOGIN}/{token}</urn:sessiontoken><urn:domEvent>"
        f'<rtEvent type="{KIND}" email="customer{number}@sample.example" externalId="A-{number}">'
        f"<ctx><order>A-{number}</order><name>Anne {number}</name></ctx></rtEvent></urn:domEvent>"
        "</urn:PushEvent></soapenv:Body></soapenv:Envelope>"
    ).encode()
    action = '"nms:rtEvent#PushEvent"'
    return _request("/nl/jsp/soaprouter.jsp", body, SOAPAction=action, Content_Type="text/xml")


async def _calls(port: int, requests: Sequence[bytes], wanted: bytes, *, each: int = 1) -> float:
    """Return events/s of requests sent over a few connections kept open, one after another each."""
    shares = [requests[i::CALLERS] for i in range(CALLERS)]
    await asyncio.gather(*(_talk(port, share[:20], wanted) for share in shares if len(share) > 20))
    began = time.perf_counter()
    await asyncio.gather(*(_talk(port, share[20:] or share, wanted) for share in shares if share))
    done = sum(len(share[20:] or share) for share in shares)
    return done * each / (time.perf_counter() - began)


async def _talk(port: int, requests: Sequence[bytes], wanted: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert wanted in head.split(b"\r\n", 1)[0], head
        await _rest_of(reader, head.lower())
    writer.close()


async def _rest_of(reader: asyncio.StreamReader, head: bytes) -> None:
    """Read an answer's body, by its length or its chunks."""
    if b"content-length:" in head:
        length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        await reader.readexactly(int(length))
        return
    size = 1
    while size:
        size = int(await reader.readuntil(b"\r\n"), 16)
        await reader.readexactly(size + 2)


async def _produce(made: Rig) -> float:
    """Return how many records a second a plain producer hands over, each acknowledged."""
    producer = kafka.plain_producer(made.settings, client_id="bench")
    await producer.start()
    name = made.settings.kafka_namespace + EVENTS_BATCH.name
    values = [event(number) for number in range(1_000)]
    began = time.perf_counter()
    sent = []
    for number in range(RAW):
        key = uuid4().hex.encode()
        headers = [*HEADERS, ("ce_id", key)]
        sent.append(await producer.send(name, values[number % 1_000], key=key, headers=headers))
    await asyncio.gather(*sent)
    rate = RAW / (time.perf_counter() - began)
    await producer.stop()
    return rate


async def _taken(made: Rig) -> float:
    """Return how many events a second become rows, with the status messages they cause."""
    producer = kafka.plain_producer(made.settings, client_id="bench")
    await producer.start()
    name = made.settings.kafka_namespace + EVENTS_REALTIME.name
    for number in range(LINES * 2):
        key = uuid4().hex.encode()
        await producer.send(name, event(number), key=key, headers=[*HEADERS, ("ce_id", key)])
    await producer.flush()
    await producer.stop()
    made.start("events_status")

    async def count() -> int:
        found: int = await made.value(
            "SELECT count(*) FROM events_status.events WHERE queue = 'realtime'"
        )
        return found

    await eventually(count, seconds=60, what="the first events")
    began, first = time.perf_counter(), await count()
    wanted = LINES * 3 + 2 * CALLS

    async def all_there() -> bool:
        return await count() >= wanted

    await eventually(all_there, seconds=300, what=f"{wanted} events")
    return (wanted - first) / (time.perf_counter() - began)
