"""The Message Center to measure: its services as processes, a template, events by Kafka or REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson
from confluent_kafka import Producer

from shared.ids import new_id
from tests.bench.processes import Sink
from tests.driving import MANAGER, Rig, rig
from tests.instances import fresh_instance
from tests.servers import Servers
from tests.waiting import eventually
from topics.delivery import SaveTemplate
from topics.events import RouteEventType
from topics.message import Actor, Via
from topics.names import EVENTS_REALTIME, Topic

SERVICES: Final = ("events_status", "delivery")
KIND: Final = "order.confirmed"
SOURCE: Final = "/bench/shop"
HEADERS: Final[tuple[tuple[str, str | bytes | None], ...]] = (
    ("ce_specversion", b"1.0"),
    ("ce_source", SOURCE.encode()),
    ("ce_type", KIND.encode()),
    ("content-type", b"application/json"),
)
BY = Actor(id=str(MANAGER), via=Via.CLI)


def event(number: int) -> bytes:
    """Return the data of an event as a shop sends it: an order with three lines."""
    lines = [{"sku": f"S-{number}-{i}", "quantity": i + 1, "price": "12.50"} for i in range(3)]
    return orjson.dumps(
        {
            "email": f"customer{number}@sample.example",
            "external_id": f"A-{number}",
            "origin": "shop",
            "ctx": {"order": f"A-{number}", "name": f"Anne {number}", "lines": lines},
        }
    )


@dataclass
class Center:
    """An instance with the Message Center's services running."""

    rig: Rig
    producer: Producer

    async def ready(self) -> None:
        """Wait until the services are up and events have their template."""
        await self.rig.ready(*SERVICES)
        for name in SERVICES:
            await eventually(
                partial(self.rig.value, f"SELECT count(*) FROM {name}.operators"),
                what="the operators",
            )
        template_id = new_id()
        await self.rig.send(
            SaveTemplate(
                template_id=template_id,
                actor=BY,
                label="Order",
                subject="Order {{ ctx.order }}",
                body="<p>{{ ctx.name }}, thank you for order {{ ctx.order }}.</p>"
                "<ul>{% for line in ctx.lines %}<li>{{ line.sku }}</li>{% endfor %}</ul>",
                text="Order {{ ctx.order }}: thank you.",
                from_name="Shop",
                from_address="shop@sender.example",
            )
        )
        await eventually(
            lambda: self.rig.value("SELECT count(*) FROM events_status.templates"),
            what="the template",
        )
        await self.rig.send(RouteEventType(event_type=KIND, template_id=template_id, actor=BY))
        await eventually(
            lambda: self.rig.value("SELECT count(*) FROM events_status.routes"), what="the route"
        )

    def push(self, number: int, *, topic: Topic = EVENTS_REALTIME) -> str:
        """Hand an event to the Kafka client; return its id."""
        ce_id = uuid4().hex
        name = self.rig.settings.kafka_namespace + topic.name
        headers = [*HEADERS, ("ce_id", ce_id.encode())]
        self.producer.produce(name, value=event(number), key=ce_id, headers=headers)
        return ce_id

    async def flush(self) -> None:
        """Wait until the broker has all."""
        await asyncio.to_thread(self.producer.flush, 30)

    async def count(self, status: str) -> int:
        """Return how many events have a status."""
        found: int = await self.rig.value(
            "SELECT count(*) FROM events_status.events WHERE status = $1", status
        )
        return found


@asynccontextmanager
async def center(
    servers: Servers, folder: Path, sink: Sink, **environment: str
) -> AsyncIterator[Center]:
    """Yield a Message Center whose mails go to a sink."""
    async with (
        fresh_instance(servers) as instance,
        rig(instance, folder, services=SERVICES) as made,
    ):
        more = {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(sink.port),
            "WORKFLOW_SWEEP_SECONDS": "30",
            "RELAY_LEASE_SECONDS": "15",
            "KAFKA_SESSION_TIMEOUT_MS": "30000",
        } | environment
        for name in SERVICES:
            made.start(name, replica=1, **more)
        producer = Producer(
            {
                "bootstrap.servers": servers.kafka_bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
            }
        )
        yield Center(made, producer)
