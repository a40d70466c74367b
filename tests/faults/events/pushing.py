"""An outside system at each door: it loses answers, asks again, and knows what it was told."""

from __future__ import annotations

import asyncio
import random
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4
from xml.sax.saxutils import quoteattr

import httpx
import orjson

from services.web.events.wsdl import ROUTER
from tests.faults.events.center import COVERED, LOGIN, Center
from tests.faults.events.draws import HTTP, LOST_SHARE, SINGLE, Door, Fate, Push
from tests.waiting import eventually
from topics.names import EVENTS_BATCH, EVENTS_REALTIME
from topics.outside import event_id

SOURCE: Final = "/shop/orders"
UNKNOWN_TYPE: Final = "parcel.lost"
LATER: Final = timedelta(seconds=1)
GIVE_UP_SECONDS: Final = 60.0
NOT_NOW: Final = frozenset({409, 503})
"""What a client asks again after, with the same key."""
_NUMBER: Final = re.compile(r"<plId>(\d+)</plId>")
_NUMBERS: Final = re.compile(r'<(?:rt|batch)Event [^>]*index="(\d+)" id="(\d+)"')


@dataclass(frozen=True, slots=True)
class Event:
    """One outside event; ``name`` is its sender's own, the same however often it is sent."""

    name: str
    fate: Fate
    address: str
    scheduled: datetime | None
    expiration: datetime | None

    @property
    def type(self) -> str:
        """Its event type."""
        return UNKNOWN_TYPE if self.fate is Fate.NOT_COVERED else COVERED

    @property
    def data(self) -> dict[str, Any]:
        """Its fields."""
        times = {"scheduled": self.scheduled, "expiration": self.expiration}
        return {
            "email": self.address,
            "external_id": self.name,
            "ctx": {"order": self.name},
        } | {key: at.isoformat() for key, at in times.items() if at is not None}

    def element(self, name: str) -> str:
        """Return it as SOAP callers write it."""
        named = {"type": self.type, "email": self.address, "externalId": self.name}
        times = {"scheduled": self.scheduled, "expiration": self.expiration}
        named |= {key: at.isoformat() for key, at in times.items() if at is not None}
        pairs = " ".join(f"{key}={quoteattr(value)}" for key, value in named.items())
        return f"<{name} {pairs}><ctx><order>{self.name}</order></ctx></{name}>"


def event_of(name: str, fate: Fate) -> Event:
    """Return an event of a fate; times count from now."""
    now = datetime.now(UTC)
    local = {Fate.REFUSED: "refused-", Fate.BOUNCED: "bounced-"}.get(fate, "")
    # What a server can be asked for by its form is not what this one sends to.
    address = f"{local}{name}@people.example" if fate is not Fate.NO_MAILBOX else f"{name}@nowhere"
    return Event(
        name,
        fate,
        address,
        now + LATER if fate is Fate.SCHEDULED else None,
        now - LATER if fate is Fate.EXPIRED else None,
    )


@dataclass
class Client:
    """An outside system.

    Attributes:
        ids: by an event's name, the ids that it was told, or that follow from its identity.
        numbers: by an event's name, the numbers that SOAP told.
        wrong: answers that nothing explains.
        lost: how many answers did not reach it.
    """

    center: Center
    chance: random.Random
    ids: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    numbers: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    wrong: list[str] = field(default_factory=list)
    lost: int = 0

    async def push(self, push: Push, events: list[Event]) -> None:
        """Push events until they are taken; then, or beside it, as often again as was drawn."""
        key = str(uuid4())
        beside = self.chance.random() < 0.5
        once = self._until_taken(push, events, key)
        if beside and push.copies:
            await asyncio.gather(once, self._until_taken(push, events, key))
        else:
            await once
        for _ in range(push.copies):
            await self._until_taken(push, events, key)

    async def _until_taken(self, push: Push, events: list[Event], key: str) -> None:
        if push.door not in HTTP:
            await self._produce(push, events)
            return
        async with self.center.client() as client:
            await eventually(
                partial(self._taken, client, push, events, key),
                seconds=GIVE_UP_SECONDS,
                what=f"{push.door} being taken",
            )

    async def _taken(
        self, client: httpx.AsyncClient, push: Push, events: list[Event], key: str
    ) -> bool:
        """Ask once; return whether the answer came, and says that all were taken."""
        path, request = _request(push, events, key, self.center.token)
        request["headers"] |= {} if push.own_keys else {"Idempotency-Key": key}
        lost = self.chance.random() < LOST_SHARE
        try:
            if lost and self.chance.random() < 0.5:
                # It hangs up somewhere in the middle.
                async with asyncio.timeout(self.chance.uniform(0.001, 0.05)):
                    await client.post(path, **request)
            answer = await client.post(path, **request)
        except (httpx.TransportError, TimeoutError):
            self.lost += 1
            return False
        if lost:
            self.lost += 1
            return False
        return self._note(push, events, answer)

    def _note(self, push: Push, events: list[Event], answer: httpx.Response) -> bool:
        soap = push.door in {Door.SOAP_ONE, Door.SOAP_MANY}
        if soap and answer.status_code == 500:
            told = re.search(r"<detail>(.*)</detail>", answer.text, re.DOTALL)
            reason = told[1] if told else answer.text
            if not re.search(r"again|under way|used for something else", reason):
                self.wrong.append(f"{push.door} answered a fault: {reason[:200]}")
            return False
        if answer.status_code in NOT_NOW:
            return False
        if answer.status_code != (200 if soap else 202):
            self.wrong.append(f"{push.door} answered {answer.status_code}: {answer.text[:200]}")
            return False
        return (
            self._note_soap(push, events, answer) if soap else self._note_rest(push, events, answer)
        )

    def _note_rest(self, push: Push, events: list[Event], answer: httpx.Response) -> bool:
        if push.door is Door.ONE:
            lines = [answer.json()]
        elif push.door is Door.ARRAY:
            lines = answer.json()["events"]
        else:
            lines = [orjson.loads(line) for line in answer.text.splitlines()]
        whole = len(lines) == len(events)
        for one, line in zip(events, lines, strict=False):
            if "event_id" in line:
                self.ids[one.name].add(UUID(line["event_id"]))
            else:
                whole = False
                if line["error"]["status"] not in NOT_NOW:
                    self.wrong.append(f"{push.door} answered {line['error']} for {one.name}")
        return whole

    def _note_soap(self, push: Push, events: list[Event], answer: httpx.Response) -> bool:
        if push.door is Door.SOAP_ONE:
            found = {0: int(_NUMBER.findall(answer.text)[0])}
        else:
            found = {int(index): int(number) for index, number in _NUMBERS.findall(answer.text)}
        for index, number in found.items():
            if number:
                self.numbers[events[index].name].add(number)
        return len(found) == len(events) and all(found.values())

    async def _produce(self, push: Push, events: list[Event]) -> None:
        """Publish as an outside producer: the same identity however often it is sent."""
        topic = EVENTS_REALTIME if push.queue == "realtime" else EVENTS_BATCH
        for one in events:
            self.ids[one.name].add(event_id(SOURCE, one.name))
            named = {"specversion": "1.0", "id": one.name, "source": SOURCE, "type": one.type}
            if push.door is Door.BINARY:
                headers = [(f"ce_{key}", value.encode()) for key, value in named.items()]
                headers.append(("content-type", b"application/json"))
                value = orjson.dumps(one.data)
            else:
                headers = [("content-type", b"application/cloudevents+json")]
                value = orjson.dumps(named | {"data": one.data})
            await self.center.rig.send_raw(topic, one.name.encode(), headers, value)


def _request(push: Push, events: list[Event], key: str, token: str) -> tuple[str, dict[str, Any]]:
    """Return the path of a call, and what httpx needs besides."""
    if push.door in {Door.SOAP_ONE, Door.SOAP_MANY}:
        return ROUTER, _envelope(push, events, key, token)
    items = [{"type": one.type} | one.data for one in events]
    if push.own_keys:
        for one in items:
            one["idempotency_key"] = f"{key} {one['external_id']}"
    kind, body = "application/json", orjson.dumps(items)
    if push.door is Door.ONE:
        body = orjson.dumps(items[0])
    elif push.door is Door.LINES:
        kind, body = "application/x-ndjson", b"\n".join(map(orjson.dumps, items))
    return f"/api/v1/events/{push.queue}", {"content": body, "headers": {"Content-Type": kind}}


def _envelope(push: Push, events: list[Event], key: str, token: str) -> dict[str, Any]:
    name = "rtEvent" if push.queue == "realtime" else "batchEvent"
    method = "PushEvent" if push.door in SINGLE else "PushEvents"
    parameter = "domEvent" if push.door in SINGLE else "domEventCollection"
    inside = "".join(one.element(name) for one in events)
    if push.door not in SINGLE:
        inside = f"<events>{inside}</events>"
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
        f' xmlns:u="urn:nms:{name}"><e:Body><u:{method}>'
        f"<u:sessiontoken>{LOGIN}/{token}</u:sessiontoken>"
        f"<u:{parameter}>{inside}</u:{parameter}></u:{method}></e:Body></e:Envelope>"
    )
    # SOAP has no key of an event's own: the request's is all there is.
    headers = {
        "SOAPAction": f'"nms:{name}#{method}"',
        "Content-Type": "text/xml; charset=utf-8",
        "Idempotency-Key": key,
    }
    return {"content": body, "headers": headers}
