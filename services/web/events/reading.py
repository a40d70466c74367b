"""What a caller pushed: one event, an array, or lines, each item read by the contract.

JSON numbers keep all their digits and a context its depth limit (jiter's), so what is accepted here
is accepted behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError, from_json

from services.web.events.splitting import apart
from topics.cloudevents import describe
from topics.outside import MAX_TYPE, OutsideEvent

LARGEST_BODY: Final = 8_388_608
LARGEST_LINE: Final = 524_288
MOST_ITEMS: Final = 10_000
# A chunk is cut by its bytes alone, so that a body sent again is cut alike.
CHUNK_LINES: Final = 500
CHUNK_BYTES: Final = 4_194_304


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("not_valid", "holds what is not printable")
    return text


Printable = Annotated[str, AfterValidator(_printable)]


class PushedEvent(OutsideEvent):
    """An event as it is pushed over HTTP: its type, its fields, and a key to send it again by."""

    type: Printable = Field(min_length=1, max_length=MAX_TYPE, description="its event type")
    idempotency_key: Printable | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="the same key and event again: the same id, and no second event",
    )

    def outside(self) -> bytes:
        """Return the data of its CloudEvent, as JSON."""
        left_out = {"type", "idempotency_key"}
        return self.model_dump_json(exclude=left_out, exclude_none=True).encode()


@dataclass(frozen=True, slots=True)
class Read:
    """A pushed event that can be taken; ``sha256`` is of its type and data."""

    index: int
    type: str
    key: str | None
    data: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Wrong:
    """An item that cannot be taken, and why; no value of it is repeated."""

    index: int
    status: int
    field: str | None
    reason: str


Item: TypeAlias = "Read | Wrong"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row of a file that cannot be made a line: which field it is, why, and what stood there."""

    field: str | None
    reason: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some items of a request, in order; ``sha256`` is of their bytes as they came."""

    part: int
    items: list[Item]
    sha256: bytes


class NotRead(Exception):
    """The body as a whole cannot be read; ``status`` is the HTTP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def read_json(body: bytes) -> tuple[Chunk, bool]:
    """Return the items of a JSON body, and whether it is one event rather than an array.

    Raises:
        NotRead: it is no JSON, neither an object nor an array, empty, or has too many items.
    """
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError:
        return _read_apart(body), False
    sha256 = hashlib.sha256(body).digest()
    if isinstance(found, dict):
        return Chunk(0, [read_item(0, found)], sha256), True
    if not isinstance(found, list):
        raise NotRead(422, "the body is neither an event nor an array of events")
    if not 1 <= len(found) <= MOST_ITEMS:
        reason = f"an array holds 1 to {MOST_ITEMS} events; send more as application/x-ndjson"
        raise NotRead(422, reason)
    return Chunk(0, [read_item(index, one) for index, one in enumerate(found)], sha256), False


def _read_apart(body: bytes) -> Chunk:
    """Return the items of an array that is no JSON as a whole: some may be.

    Raises:
        NotRead: it is no array, or has too many items.
    """
    pieces = apart(body)
    if pieces is None:
        raise NotRead(400, "the body is no JSON, or nested too deep")
    if len(pieces) > MOST_ITEMS:
        raise NotRead(422, f"an array holds 1 to {MOST_ITEMS} events")
    items = [_line(index, piece) for index, piece in enumerate(pieces)]
    return Chunk(0, items, hashlib.sha256(body).digest())


def read_item(index: int, found: Any) -> Item:
    """Return an event given as a value (an object of JSON, the fields of an element)."""
    return _item(index, lambda: PushedEvent.model_validate(found))


def read_lines(stream: AsyncIterable[bytes]) -> AsyncIterator[Chunk]:
    """Yield the lines of a body of any length as chunks; empty lines are passed over."""
    return read_rows(_lines(stream))


async def read_rows(rows: AsyncIterable[bytes | Unreadable]) -> AsyncIterator[Chunk]:
    """Yield rows, each a line of JSON or what could not be made one, as chunks."""
    part, first, size = 0, 0, 0
    lines: list[bytes | Unreadable] = []
    async for line in rows:
        lines.append(line)
        size += len(_text(line))
        if len(lines) == CHUNK_LINES or size >= CHUNK_BYTES:
            yield _chunk(part, first, lines)
            part, first, size = part + 1, first + len(lines), 0
            lines = []
    if lines:
        yield _chunk(part, first, lines)


async def _lines(stream: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield lines without their ends; of one that is too long, one byte more than the longest."""
    rest = bytearray()
    async for piece in stream:
        *whole, last = piece.split(b"\n")
        for line in whole:
            _grow(rest, line)
            if rest.strip():
                yield bytes(rest)
            rest.clear()
        _grow(rest, last)
    if rest.strip():
        yield bytes(rest)


def _grow(rest: bytearray, piece: bytes) -> None:
    rest += piece[: LARGEST_LINE + 1 - len(rest)]


def _text(row: bytes | Unreadable) -> bytes:
    return row.text if isinstance(row, Unreadable) else row


def _chunk(part: int, first: int, lines: list[bytes | Unreadable]) -> Chunk:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(_text(line) + b"\n")
    items = [_line(first + place, line) for place, line in enumerate(lines)]
    return Chunk(part, items, digest.digest())


def _line(index: int, line: bytes | Unreadable) -> Item:
    if isinstance(line, Unreadable):
        return Wrong(index, 422, line.field, line.reason)
    if len(line) > LARGEST_LINE:
        return Wrong(index, 413, None, f"over {LARGEST_LINE} bytes")
    return _item(index, lambda: PushedEvent.model_validate_json(line))


def _item(index: int, read: Callable[[], PushedEvent]) -> Item:
    try:
        event = read()
        data = event.outside()
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False, include_context=False)[0]
        place = [str(part) for part in first["loc"]]
        field = place[0] if place and place[0] in PushedEvent.model_fields else None
        return Wrong(index, 422, field, describe(problem))
    digest = hashlib.sha256(event.type.encode() + b"\x00" + data).digest()
    return Read(index, event.type, event.idempotency_key, data, digest)
