"""Outside events in the demo: by Kafka, REST, SOAP and a file, to every end there is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import orjson

from deploy.embedded.mail.faults import Action, FaultRule
from services.cli.demo.cast import Cast
from services.cli.demo.figures import api
from services.cli.demo.mailbox import Mailbox
from services.cli.demo.props import Props
from services.cli.demo.stage import Stage
from services.cli.demo.telling import Stuck, Telling
from services.cli.letters import opened
from services.web.events.door import EventDoor
from services.web.events.files import Drop
from services.web.events.publishing import Publisher
from services.web.events.wsdl import ROUTER
from shared import kafka
from shared.settings import Settings, load
from topics.names import EVENTS_REALTIME
from topics.outside import Queue

CUSTOMER: Final = "marie@client.example"
GONE: Final = FaultRule(
    action=Action.REFUSE_RECIPIENT,
    recipient="gone-*@client.example",
    code=550,
    enhanced="5.1.1",
    text="this customer moved",
)
ORDER, PARCEL, OFFER = "order.confirmed", "parcel.lost", "offer.ends"
CTX: Final = {"order": "A-1042", "total": "99.00 EUR"}
_SOAP: Final = """<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">
<soapenv:Body><PushEvent xmlns="urn:nms:rtEvent"><sessiontoken>{token}</sessiontoken><domEvent>
<rtEvent xmlns="" type="{type}" email="{email}" externalId="{external_id}" wishedChannel="0">
<ctx><parcel>P-7</parcel></ctx></rtEvent></domEvent></PushEvent></soapenv:Body></soapenv:Envelope>
"""


class Outside:
    """Tells of events that other systems send.

    Attributes:
        events: which door each came by, and its external id.
    """

    def __init__(self, stage: Stage, telling: Telling, cast: Cast, props: Props) -> None:
        self._stage = stage
        self._telling = telling
        self._cast = cast
        self._operator_id = UUID(props.manager.id)
        self._run = uuid4().hex[:8]
        self.events: list[tuple[str, str]] = []

    async def tell(self) -> None:
        """Send events by each door, and wait for their ends.

        Raises:
            Stuck: an event did not end as it should.
        """
        async with httpx.AsyncClient() as client:
            mailbox = Mailbox(client, self._stage.variables["MAIL_URL"])
            async with mailbox.misbehaving([GONE]):
                await self._tell()

    async def _tell(self) -> None:
        step = self._telling.step("Outside events, by four doors", 7)
        sent = await self._by_kafka()
        step.advance("Kafka: a CloudEvent of order.confirmed")
        async with api(self._stage, self._operator_id) as client:
            refused, ignored, expired = await self._by_rest(client)
            step.advance("REST: one pushed twice with one key, two as an array")
            lost = await self._by_soap(client)
            step.advance("SOAP: PushEvent of nms:rtEvent")
            await self._hold_back(client)
            step.advance("REST: one for in an hour, Paused and let go on: Pending until then")
        batch = await self._by_file()
        step.advance("a file of two lines, to the batch queue")
        await self._ends(sent, "sent")
        await self._ends(lost, "not_covered")
        await self._ends(expired, "expired")
        step.advance("Sent; Event not covered, never retried; Expired")
        await self._ends(refused, "delivery_error")
        await self._ends(ignored, "ignored")
        for one in batch:
            await self._ends(one, "sent")
        step.advance("Delivery error; Ignored by the delivery; the file's Sent")

    def _external(self, door: str, name: str) -> str:
        external_id = f"{name}-{self._run}"
        self.events.append((door, external_id))
        return external_id

    async def _by_kafka(self) -> str:
        settings = load(Settings)
        external_id = self._external("Kafka", "order")
        ce_id = str(uuid4())
        headers = {
            "ce_specversion": "1.0",
            "ce_id": ce_id,
            "ce_source": "/shop.example",
            "ce_type": ORDER,
            "content-type": "application/json",
        }
        producer = kafka.plain_producer(settings, client_id="shop")
        await producer.start()
        await producer.send_and_wait(
            settings.kafka_namespace + EVENTS_REALTIME.name,
            orjson.dumps({"email": CUSTOMER, "external_id": external_id, "ctx": CTX}),
            key=ce_id.encode(),
            headers=[(name, text.encode()) for name, text in headers.items()],
        )
        await producer.stop()
        return external_id

    async def _by_rest(self, client: httpx.AsyncClient) -> Sequence[str]:
        """Push one twice with its key; two at once, of which one is late already."""
        refused = self._external("REST", "gone")
        ignored = self._external("REST", "quarantine")
        expired = self._external("REST", "late")
        key = {"Idempotency-Key": refused}
        # An address of this run: that of the run before is in quarantine.
        order = self._event(ORDER, f"{refused}@client.example", refused)
        once = await self._push(client, order, key)
        again = await self._push(client, order, key)
        if once != again:
            raise Stuck("one key made two events")
        past = (self._stage.clock.now() - timedelta(minutes=1)).isoformat()
        late = self._event(OFFER, CUSTOMER, expired) | {"expiration": past}
        quarantined = self._event(ORDER, self._cast.unknown.email, ignored)
        await self._push(client, [quarantined, late], {})
        return refused, ignored, expired

    async def _hold_back(self, client: httpx.AsyncClient) -> None:
        """Push an event that is scheduled, hold it back, and let it go on."""
        name = self._external("REST", "reminder")
        later = (self._stage.clock.now() + timedelta(hours=1)).isoformat()
        pushed = await self._push(
            client, self._event(ORDER, CUSTOMER, name) | {"scheduled": later}, {}
        )
        await self._ends(name, "pending")
        for control, status in (("pause", "paused"), ("resume", "pending")):
            path = f"/api/v1/events_status/events/{pushed['event_id']}/{control}"
            answer = await client.post(path, headers={"Idempotency-Key": f"{name}-{control}"})
            if answer.status_code != 200:
                raise Stuck(f"{control} was answered {answer.status_code}: {answer.text}")
            await self._ends(name, status)

    @staticmethod
    def _event(event_type: str, email: str, external_id: str) -> dict[str, Any]:
        return {"type": event_type, "email": email, "external_id": external_id, "ctx": CTX}

    @staticmethod
    async def _push(client: httpx.AsyncClient, body: Any, headers: dict[str, str]) -> Any:
        answer = await client.post("/api/v1/events/realtime", json=body, headers=headers)
        if answer.status_code != 202:
            raise Stuck(f"the push was answered {answer.status_code}: {answer.text}")
        return answer.json()

    async def _by_soap(self, client: httpx.AsyncClient) -> str:
        external_id = self._external("SOAP", "parcel")
        token = client.headers["Authorization"].removeprefix("Bearer ")
        body = _SOAP.format(token=token, type=PARCEL, email=CUSTOMER, external_id=external_id)
        answer = await client.post(
            ROUTER, content=body.encode(), headers={"SOAPAction": '"nms:rtEvent#PushEvent"'}
        )
        if answer.status_code != 200:
            raise Stuck(f"the SOAP call ended in a fault: {answer.text}")
        return external_id

    async def _by_file(self) -> Sequence[str]:
        names = [self._external("file", f"order-{number}") for number in (1, 2)]
        path = self._stage.folder / "orders.csv"
        rows = [f"{ORDER},{CUSTOMER},{name},A-7,12.00 EUR" for name in names]
        await asyncio.to_thread(
            path.write_text, "\n".join(["type,email,external_id,ctx.order,ctx.total", *rows]) + "\n"
        )
        async with opened("web") as web:
            publisher = Publisher(web.settings)
            try:
                drop = Drop(path, path.with_suffix(".rejects.csv"), lambda _: None)
                await drop.push(EventDoor(web, publisher), self._operator_id, Queue.BATCH)
            finally:
                await publisher.close()
        return names

    async def _ends(self, external_id: str, status: str) -> None:
        async def ended() -> bool:
            found = await self._stage.value(
                "SELECT status FROM events_status.events WHERE external_id = $1", external_id
            )
            return bool(found == status)

        await self._telling.until(ended, f"the event {external_id} being {status}")
