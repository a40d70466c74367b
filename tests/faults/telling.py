"""Telling the instance things the way bad weather does: one to five times, and out of turn."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from tests.driving import Rig
from tests.records import record_of
from topics.message import Message
from topics.names import EVENTS_REALTIME, Topic

Told = tuple[Topic, bytes, list[tuple[str, bytes]], bytes]
MOST_COPIES = 5


@dataclass
class Teller:
    """Publishes each message once in its turn, and copies of it now and later.

    The first copies of a key keep their order; the others come between any other messages.

    Attributes:
        commands: the ids of the commands that were told.
    """

    rig: Rig
    draw: random.Random
    late: list[Told] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    async def tell(self, *messages: Message) -> None:
        """Publish messages, with copies."""
        for message in messages:
            self.commands.append(str(uuid4()))
            record = record_of(message, message_id=self.commands[-1])
            await self._publish((message.topic, *record))

    async def tell_event(self, event_type: str, data: dict[str, Any], event_id: str) -> None:
        """Publish an outside event, with copies."""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": event_id,
            "ce_source": "/shop.example",
            "ce_type": event_type,
            "content-type": "application/json",
        }
        encoded = [(name, value.encode()) for name, value in headers.items()]
        await self._publish((EVENTS_REALTIME, event_id.encode(), encoded, orjson.dumps(data)))

    async def _publish(self, told: Told) -> None:
        await self._send(told)
        for _ in range(self.draw.randint(0, MOST_COPIES - 1)):
            self.late.append(told)
        self.draw.shuffle(self.late)
        for _ in range(self.draw.randint(0, 3)):
            if self.late:
                await self._send(self.late.pop())

    async def tell_the_rest(self) -> None:
        """Publish the copies that are left."""
        self.draw.shuffle(self.late)
        while self.late:
            await self._send(self.late.pop())

    async def _send(self, told: Told) -> None:
        topic, key, headers, value = told
        await self.rig.send_raw(topic, key, headers, value)


def new_event_id() -> str:
    """Return the id of an outside event."""
    return str(uuid4())
