"""The door of pushed events: keys first, then Kafka, then the answer, item by item.

Event intake is the one exception to the unit of work (ADR 0023): nothing of an event is kept here.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any, Final, TypeAlias
from uuid import UUID

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from services.web.events.keys import EventKeys, Held, Scope, State
from services.web.events.publishing import BrokerAway, Publisher, Record
from services.web.events.reading import (
    LARGEST_BODY,
    Chunk,
    NotRead,
    Read,
    Wrong,
    read_json,
    read_lines,
)
from services.web.idempotency import LONGEST_KEY
from shared import faults
from shared.http import problem
from shared.ids import new_id
from shared.service import Runtime
from topics.cloudevents import JSON, SPEC_VERSION
from topics.outside import Queue, event_id

KEY: Final = "Idempotency-Key"
HOURS: Final = "Idempotency-Key-Hours"
KEEP_HOURS: Final = 24
MOST_HOURS: Final = 168
LEASE: Final = timedelta(seconds=45)
NDJSON: Final = "application/x-ndjson"
MEMORY: Final = 1_048_576
_CLASH: Final[dict[State, tuple[int, str]]] = {
    State.OTHER_BODY: (422, "this key was used for something else; use a new one"),
    State.UNDER_WAY: (409, "the first call with this key is still under way"),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """An item that became an event; ``again`` when an earlier call had brought it."""

    index: int
    event_id: UUID
    again: bool
    ce_id: str


Answer: TypeAlias = "Taken | Wrong"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to push events."""

    operator_id: UUID
    queue: Queue
    key: str | None
    keep: timedelta

    @property
    def source(self) -> str:
        """The CloudEvents source of what this operator pushes."""
        return f"/muster/intake/{self.operator_id}"

    def fingerprint(self, sha256: bytes) -> bytes:
        """Return what a key stands for: content, in a queue."""
        return hashlib.sha256(f"{self.queue}:".encode() + sha256).digest()


@dataclass(frozen=True, slots=True)
class Begun:
    """What the keys of a chunk say."""

    request: Held | None
    events: dict[str, Held]


class Clash(Exception):
    """The request's key is another body's, or its first call is under way."""

    def __init__(self, state: State) -> None:
        self.status, self.reason = _CLASH[state]
        super().__init__(self.reason)


class EventDoor:
    """Takes pushed events in."""

    def __init__(self, runtime: Runtime, publisher: Publisher) -> None:
        self._runtime = runtime
        self._publisher = publisher

    async def push(self, request: Request, operator_id: UUID, queue: Queue) -> Response:
        """Answer a request: 202 once Kafka has what was accepted, or problem details."""
        try:
            asked = asked_by(request, operator_id, queue)
            if _content_type(request) == NDJSON:
                return await self._push_lines(request, asked)
            return await self._push_json(request, asked)
        except (NotRead, Clash) as wrong:
            return _later(problem(wrong.status, "Not accepted", str(wrong)), wrong.status)
        except BrokerAway as away:
            return _later(problem(503, "Not now", f"{away}; send it again with its key"), 503)
        except ClientDisconnect:
            return problem(400, "Broken off", "the request ended before its body did")

    async def _push_json(self, request: Request, asked: Asked) -> Response:
        chunk, single = read_json(await whole(request))
        answers = await self.take(chunk, asked)
        if single:
            return _one(answers[0], asked.queue)
        accepted = sum(isinstance(one, Taken) for one in answers)
        lines = [_line(one) for one in answers]
        if not accepted:
            return _none(answers, lines)
        body = {"accepted": accepted, "rejected": len(lines) - accepted, "events": lines}
        return JSONResponse(body, 202)

    async def _push_lines(self, request: Request, asked: Asked) -> Response:
        """Take chunk by chunk; the answers wait for the body's end, for nobody reads them before.

        They wait in a file once there are many: the memory of a stream does not grow with it.
        """
        kept: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY)  # noqa: SIM115 - closed by its stream
        taken = False
        try:
            async for chunk in read_lines(request.stream()):
                answers = await self.take(chunk, asked)
                kept.writelines(orjson.dumps(_line(one)) + b"\n" for one in answers)
                taken = True
        except BaseException:
            kept.close()
            raise
        if not taken:
            kept.close()
            raise NotRead(422, "the body holds no line")
        kept.seek(0)
        return StreamingResponse(_pieces(kept), 202, media_type=NDJSON)

    async def take(self, chunk: Chunk, asked: Asked) -> list[Answer]:
        """Return what became of each item of a chunk, in order.

        Raises:
            Clash: the request's key does not allow it.
            BrokerAway: Kafka did not take them; they may be sent again with their keys.
        """
        keyed, wrong = _own_keys(chunk)
        begun = await self._begin(chunk, asked, keyed)
        answers = [wrong.get(item.index) or _answer(item, asked, begun) for item in chunk.items]
        at = self._runtime.clock.now()
        records = _records(chunk, answers, asked, at)
        try:
            faults.reach("intake.before_publish")
            await self._publisher.publish(records)
            faults.reach("intake.after_publish")
        except BrokerAway:
            await self._settle(chunk, asked, begun, until=at)
            raise
        await self._settle(chunk, asked, begun)
        return answers

    async def _begin(self, chunk: Chunk, asked: Asked, keyed: dict[str, bytes]) -> Begun:
        if asked.key is None and not keyed:
            return Begun(None, {})
        own = {key: asked.fingerprint(one) for key, one in keyed.items()}
        async with self._runtime.uow.begin() as work:
            request: Held | None = None
            if asked.key is not None:
                keys = EventKeys(work.connection, asked.operator_id, chunk.part)
                held = await keys.begin(
                    Scope.REQUEST,
                    {asked.key: asked.fingerprint(chunk.sha256)},
                    work.now,
                    lease=LEASE,
                    keep=asked.keep,
                )
                request = held[asked.key]
                if request.state in _CLASH:
                    raise Clash(request.state)
            events = await EventKeys(work.connection, asked.operator_id, 0).begin(
                Scope.EVENT, own, work.now, lease=LEASE, keep=asked.keep
            )
        faults.reach("intake.keys_written")
        return Begun(request, events)

    async def _settle(
        self, chunk: Chunk, asked: Asked, begun: Begun, *, until: datetime | None = None
    ) -> None:
        mine = [key for key, held in begun.events.items() if held.state is State.MINE]
        request_is_mine = begun.request is not None and begun.request.state is State.MINE
        if not mine and not request_is_mine:
            return
        async with self._runtime.uow.begin() as work:
            if request_is_mine and asked.key is not None:
                keys = EventKeys(work.connection, asked.operator_id, chunk.part)
                await keys.settle(Scope.REQUEST, [asked.key], until=until)
            await EventKeys(work.connection, asked.operator_id, 0).settle(
                Scope.EVENT, mine, until=until
            )


def asked_by(request: Request, operator_id: UUID, queue: Queue) -> Asked:
    """Return what a request asks, by its headers.

    Raises:
        NotRead: its key or how long that is to live is not valid.
    """
    key = request.headers.get(KEY)
    if key is not None:
        key = key.strip()
        if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
            raise NotRead(400, f"{KEY} has 1 to {LONGEST_KEY} printable characters")
    text = request.headers.get(HOURS, str(KEEP_HOURS))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_HOURS):
        raise NotRead(400, f"{HOURS} is a whole number of hours from 1 to {MOST_HOURS}")
    return Asked(operator_id, queue, key, timedelta(hours=int(text)))


def _content_type(request: Request) -> str:
    kind = request.headers.get("content-type", JSON).split(";")[0].strip().lower()
    if kind not in {JSON, NDJSON, "application/ndjson"}:
        raise NotRead(415, f"the body is {JSON} or {NDJSON}")
    return JSON if kind == JSON else NDJSON


async def whole(request: Request) -> bytes:
    """Return a request's body.

    Raises:
        NotRead: it is too large.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise NotRead(413, f"over {LARGEST_BODY} bytes: send lines, as {NDJSON}")
    return bytes(body)


def _own_keys(chunk: Chunk) -> tuple[dict[str, bytes], dict[int, Wrong]]:
    """Return the events' own keys, and the items whose key another item of the chunk uses."""
    keyed: dict[str, bytes] = {}
    wrong: dict[int, Wrong] = {}
    for item in chunk.items:
        if isinstance(item, Wrong) or item.key is None:
            continue
        if keyed.setdefault(item.key, item.sha256) != item.sha256:
            status, reason = _CLASH[State.OTHER_BODY]
            wrong[item.index] = Wrong(item.index, status, "idempotency_key", reason)
    return keyed, wrong


def _answer(item: Read | Wrong, asked: Asked, begun: Begun) -> Answer:
    if isinstance(item, Wrong):
        return item
    if item.key is not None:
        held, ce_id = begun.events[item.key], str(begun.events[item.key].base)
    elif begun.request is not None:
        held, ce_id = begun.request, f"{begun.request.base}/{item.index}"
    else:
        base = new_id()
        held, ce_id = Held(State.MINE, base), str(base)
    if held.state in _CLASH:
        status, reason = _CLASH[held.state]
        return Wrong(item.index, status, "idempotency_key", reason)
    return Taken(item.index, event_id(asked.source, ce_id), held.state is State.DONE, ce_id)


def _records(chunk: Chunk, answers: Iterable[Answer], asked: Asked, at: datetime) -> list[Record]:
    """Return the CloudEvents of what is taken for the first time, in binary mode."""
    found: dict[UUID, Record] = {}
    for item, answer in zip(chunk.items, answers, strict=True):
        if isinstance(item, Read) and isinstance(answer, Taken) and not answer.again:
            found[answer.event_id] = _record(item, answer, asked, at)
    return list(found.values())


def _record(item: Read, answer: Taken, asked: Asked, at: datetime) -> Record:
    key = str(answer.event_id)
    headers = {
        "ce_specversion": SPEC_VERSION,
        "ce_id": answer.ce_id,
        "ce_source": asked.source,
        "ce_type": item.type,
        "ce_time": at.isoformat(),
        "ce_partitionkey": key,
        "content-type": JSON,
    }
    flat = [(name, value.encode()) for name, value in headers.items()]
    return asked.queue.topic.name, key.encode(), flat, item.data


def _href(event: UUID) -> str:
    return f"/api/v1/events/{event}"


def _one(answer: Answer, queue: Queue) -> Response:
    if isinstance(answer, Wrong):
        title = "Not valid" if answer.status == 422 else "Not accepted"
        refused = problem(answer.status, title, answer.reason, field=answer.field)
        return _later(refused, answer.status)
    place = _href(answer.event_id)
    body = {"event_id": str(answer.event_id), "queue": queue, "status": "pending", "href": place}
    headers = {"Location": place} | ({"Idempotency-Replayed": "true"} if answer.again else {})
    return JSONResponse(body, 202, headers=headers)


def _none(answers: Sequence[Answer], lines: list[dict[str, Any]]) -> Response:
    """Say that nothing of an array was taken: to be sent again when some of it is under way."""
    if any(isinstance(one, Wrong) and one.status == 409 for one in answers):
        reason = "events of the array are under way in a first call with their keys"
        return _later(problem(409, "Not accepted", reason, errors=lines), 409)
    return problem(422, "Not valid", "no event of the array can be taken", errors=lines)


def _line(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Taken):
        return {"index": answer.index, "event_id": str(answer.event_id)} | (
            {"again": True} if answer.again else {}
        )
    error = {"status": answer.status, "field": answer.field, "reason": answer.reason}
    return {"index": answer.index, "error": {k: v for k, v in error.items() if v is not None}}


def _later(answer: Response, status: int) -> Response:
    if status in {409, 503}:
        answer.headers["Retry-After"] = "2"
    return answer


async def _pieces(kept: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while piece := kept.read(65_536):
            yield piece
    finally:
        kept.close()
