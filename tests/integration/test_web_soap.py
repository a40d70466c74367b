"""Events pushed over SOAP: by zeep from the WSDL, and by hand as systems and attackers write it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
import zeep
from lxml import etree

from deploy.embedded.ports import free_port
from services.events_status.app import SERVICE as EVENTS
from services.events_status.domain import Received
from services.events_status.intake import read_event
from services.web.events import numbers
from services.web.events.soap_door import DENIED
from shared import kafka
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.test_web_streams import served
from tests.integration.web_edge import Edge, open_edge
from tests.records import records_of
from topics.cloudevents import decode_envelope
from topics.names import EVENTS_BATCH, EVENTS_REALTIME, Topic
from topics.operators import Role
from topics.outside import Queue

ROUTER = "/nl/jsp/soaprouter.jsp"
FIRST = 2**56 + 1
CTX = "<ctx><client><name>Ann</name></client><line num='1'>key</line></ctx>"


@dataclass(frozen=True, slots=True)
class Story:
    edge: Edge
    url: str
    password: str
    login: str = "shop@example.org"

    async def client(self, schema: str) -> Any:
        """Return zeep's client of a schema, made from the WSDL that is served."""
        return await asyncio.to_thread(
            zeep.Client, f"{self.url}/nl/jsp/schemawsdl.jsp?schema={schema}"
        )

    async def call(self, schema: str, method: str, **parameters: Any) -> Any:
        client = await self.client(schema)
        return await asyncio.to_thread(getattr(client.service, method), **parameters)

    async def logon(self) -> str:
        found = await self.call(
            "xtk:session", "Logon", sessiontoken="", strLogin=self.login, strPassword=self.password
        )
        assert isinstance(found.pstrSessionToken, str)
        return found.pstrSessionToken

    async def post(self, inside: str, action: str = "nms:rtEvent#PushEvent") -> httpx.Response:
        """Send an envelope as it is written by hand."""
        body = (
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
            f' xmlns:urn="urn:nms:rtEvent"><soapenv:Body>{inside}</soapenv:Body></soapenv:Envelope>'
        )
        return await self.raw(body.encode(), action)

    async def raw(self, body: bytes, action: str = "") -> httpx.Response:
        return await self.edge.client.post(
            ROUTER, content=body, headers={"SOAPAction": f'"{action}"', "Content-Type": "text/xml"}
        )

    async def push(self, event: str, token: str | None = None) -> httpx.Response:
        token = f"{self.login}/{self.password}" if token is None else token
        return await self.post(
            f"<urn:PushEvent><urn:sessiontoken>{token}</urn:sessiontoken>"
            f"<urn:domEvent>{event}</urn:domEvent></urn:PushEvent>"
        )

    async def events(self, topic: Topic = EVENTS_REALTIME) -> list[Received]:
        queue = Queue.REALTIME if topic is EVENTS_REALTIME else Queue.BATCH
        return [
            read_event(decode_envelope(one.headers, one.value), queue)
            for one in await records_of(self.edge.web.settings, topic)
        ]


@pytest.fixture
async def story(open_service: Open) -> AsyncIterator[Story]:
    port = free_port()
    async with open_edge(open_service, EVENTS) as edge, served(edge.app, port):
        await make_topics(edge.web.settings, EVENTS_REALTIME, EVENTS_BATCH)
        shop = await edge.operator("Shop", Role.MANAGER)
        yield Story(edge, f"http://127.0.0.1:{port}", await edge.token(shop, "events"))


def element(text: str) -> dict[str, Any]:
    return {"_value_1": [etree.fromstring(text)]}


def event(address: str = "ann@example.org", *, name: str = "rtEvent", **more: str) -> str:
    pairs = "".join(f' {key}="{value}"' for key, value in more.items())
    return f'<{name} type="order.confirmed" email="{address}"{pairs}>{CTX}</{name}>'


async def test_zeep_logs_on_and_pushes_an_event_to_each_queue(story: Story) -> None:
    session = await story.logon()
    pushed = event(
        origin="shop", wishedChannel="0", externalId="1242", mobilePhone="+33620202020",
        emailFormat="2", language="french", country="FR", scheduled="2036-11-26T10:00:00Z",
    )  # fmt: skip
    number = await story.call(
        "nms:rtEvent", "PushEvent", sessiontoken=session, domEvent=element(pushed)
    )
    assert number == FIRST
    (taken,) = await story.events()
    assert (taken.event_type, taken.address, taken.channel) == (
        "order.confirmed",
        "ann@example.org",
        "email",
    )
    assert (taken.external_id, taken.origin, taken.language, taken.country) == (
        "1242",
        "shop",
        "fr",
        "FR",
    )
    assert (taken.email_format, taken.scheduled and taken.scheduled.year) == ("html", 2036)
    assert taken.ctx == {"client": {"name": "Ann"}, "line": {"@num": "1", "#text": "key"}}
    assert await story.edge.web.pool.fetchval("SELECT event_id FROM event_numbers") == (
        taken.event_id
    )
    batch = event(name="batchEvent")
    await story.call("nms:batchEvent", "PushEvent", sessiontoken=session, domEvent=element(batch))
    assert len(await story.events(EVENTS_BATCH)) == 1


async def test_the_number_leads_to_the_event(story: Story) -> None:
    assert str(FIRST) in (await story.push(event())).text
    (one,) = await records_of(story.edge.web.settings, EVENTS_REALTIME)
    (consumer, *_) = story.edge.others["events_status"].consumers
    assert not await consumer.batcher.handle([kafka.as_record(story.edge.web.settings, one)])
    headers = await story.edge.headers()
    answer = await story.edge.client.get(f"/api/v1/events/{FIRST}", headers=headers)
    assert (answer.status_code, answer.json()["event"]["status"]) == (200, "not_covered")
    for unknown in (FIRST + 1, 2**63, 0):
        gone = await story.edge.client.get(f"/api/v1/events/{unknown}", headers=headers)
        assert gone.status_code == 404


async def test_the_good_events_of_a_collection_go_in_and_each_has_its_answer(story: Story) -> None:
    events = f"<Events>{event()}{event('nobody')}{event(name='batchEvent')}{event()}</Events>"
    found = await story.call(
        "nms:rtEvent",
        "PushEvents",
        sessiontoken=await story.logon(),
        domEventCollection=element(events),
    )
    assert found.plId == FIRST
    lines = [dict(one.attrib) for one in found.pdomEvents["_value_1"][0]]
    assert [one["id"] for one in lines] == [str(FIRST), "0", "0", str(FIRST + 1)]
    assert lines[1]["error"].startswith("email: ")
    assert "rtEvent" in lines[2]["error"]
    assert len(await story.events()) == 2


@pytest.mark.parametrize("token", ["", "mst_x", "shop@example.org/mst_x", "x" * 5000])
async def test_who_is_not_known_is_denied(story: Story, token: str) -> None:
    answer = await story.push(event(), token)
    assert answer.status_code == 500
    assert DENIED in answer.text
    with pytest.raises(zeep.exceptions.Fault, match="Error while reading parameters"):
        await story.call("xtk:session", "Logon", sessiontoken="", strLogin="root", strPassword="x")
    assert DENIED in (await story.push(event(), f"other@example.org/{story.password}")).text
    assert await story.events() == []


@pytest.mark.parametrize(
    ("pushed", "said"),
    [
        (event("nobody"), "email: "),
        (event(wishedChannel="41"), "wishedChannel: "),
        (event(emailFormat="7"), "emailFormat: "),
        (event(language="de"), "language: "),
        (event(scheduled="tomorrow"), "scheduled: "),
        (event(registrationToken="x"), "registrationToken: "),
        ('<rtEvent type="a" email="a@b.example"/>', "ctx: "),
        (event() + event(), "domEvent holds one event"),
        (event(name="batchEvent"), "rtEvent"),
        ("", "domEvent holds one event"),
        (f'<rtEvent type="a" email="a@b.example"><ctx>{"<a>" * 110}{"</a>" * 110}</ctx></rtEvent>',
         "100 levels"),
        (f'<rtEvent type="a" email="a@b.example"><ctx>{"x" * 262_145}</ctx></rtEvent>', "ctx: "),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_in_a_fault_and_nothing_is_taken(
    story: Story, pushed: str, said: str
) -> None:
    answer = await story.push(pushed)
    assert answer.status_code == 500
    assert "Error while reading parameters of method 'PushEvent'" in answer.text
    assert said in answer.text
    assert await story.events() == []


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">
<!ENTITY c SYSTEM "file:///etc/passwd">]>
<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>&b;&c;</e:Body></e:Envelope>
"""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<a/>",
        b"<a>",
        BOMB,
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>',
        b"<a>" * 300 + b"</a>" * 300,
        b"\x00\xff\xfe",
        b" " * 9_000_000,
    ],
    ids=["empty", "json", "other", "open", "bomb", "no call", "deep", "bytes", "large"],
)
async def test_what_is_no_call_is_a_fault_of_the_client(story: Story, body: bytes) -> None:
    answer = await story.raw(body)
    assert answer.status_code == 500
    assert "<faultcode>SOAP-ENV:Client</faultcode>" in answer.text
    assert "root:" not in answer.text


async def test_a_call_says_the_same_in_its_header_and_its_body(story: Story) -> None:
    other = await story.post("<urn:PushEvent/>", "nms:batchEvent#PushEvent")
    assert "name different methods" in other.text
    unknown = await story.post("<urn:DeleteAll/>", "")
    assert "There is no method" in unknown.text
    missing = await story.edge.client.get("/nl/jsp/schemawsdl.jsp?schema=nms:recipient")
    assert missing.status_code == 404


async def test_an_event_keeps_its_number(story: Story) -> None:
    known = [UUID(int=1), UUID(int=2)]
    async with story.edge.web.uow.begin() as work:
        first = await numbers.give(work.connection, [*known, known[0]], 3)
        again = await numbers.give(work.connection, [UUID(int=9), *known], 3)
    assert {number >> 56 for number in again.values()} == {3}
    assert {key: again[key] for key in known} == first
    assert len(set(again.values())) == 3


async def test_two_calls_for_an_event_at_once_give_it_one_number(story: Story) -> None:
    async def give() -> dict[UUID, int]:
        async with story.edge.web.uow.begin() as work:
            return await numbers.give(work.connection, [UUID(int=1)], 3)

    async with story.edge.web.uow.begin() as work:
        first = await numbers.give(work.connection, [UUID(int=1)], 3)
        second = asyncio.create_task(give())
        # The second one waits for the first one's row, having looked for it in vain.
        await asyncio.wait([second], timeout=0.5)
    assert await second == first
