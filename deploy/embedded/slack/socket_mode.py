"""Socket Mode: connections handed out by ``apps.connections.open``, envelopes, acks, refreshes."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from deploy.embedded.slack.deliveries import (
    NOT_CONNECTED,
    UNACKED,
    Delivery,
    Kind,
    Patience,
    Written,
)
from deploy.embedded.slack.wire import Ack, Forgery, Json

CONNECTIONS_PER_APP = 10
LIFETIME_SECONDS = 18_060


@dataclass(slots=True, eq=False)
class _Connection:
    id: str
    socket: web.WebSocketResponse
    leaving: bool = False
    sent: int = 0


@dataclass(slots=True)
class _Waiting:
    answer: asyncio.Future[Json]
    started: float = field(default_factory=time.monotonic)


class SocketHub:
    """The app's open connections; envelopes go to them in turn."""

    def __init__(
        self,
        *,
        app_id: str,
        make_id: Callable[[str], str],
        write: Written,
        changed: Callable[[], None],
        patience: Patience,
    ) -> None:
        self._app_id = app_id
        self._make_id = make_id
        self._write = write
        self._changed = changed
        self._patience = patience
        self._tickets: set[str] = set()
        self._connections: list[_Connection] = []
        self._waiting: dict[str, _Waiting] = {}

    def ticket(self) -> str:
        """Return a ticket for one more connection."""
        ticket = self._make_id("ticket-")
        self._tickets.add(ticket)
        return ticket

    @property
    def connected(self) -> int:
        """How many connections take envelopes."""
        return sum(not connection.leaving for connection in self._connections)

    @property
    def shares(self) -> dict[str, int]:
        """How many envelopes each open connection was sent."""
        return {connection.id: connection.sent for connection in self._connections}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until either side closes it."""
        if request.query.get("ticket") not in self._tickets:
            raise web.HTTPForbidden(text="call apps.connections.open for a new address")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = _Connection(self._make_id("W"), socket)
        if self.connected >= CONNECTIONS_PER_APP:
            await self._tell(connection, "too_many_websockets")
            return socket
        self._connections.append(connection)
        await socket.send_json(self._hello())
        self._write("connected", connection=connection.id, connections=self.connected)
        self._changed()
        try:
            await self._read(connection)
        finally:
            self._connections.remove(connection)
            self._write("disconnected", connection=connection.id, connections=self.connected)
            self._changed()
        return socket

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": self.connected,
            "debug_info": {
                "host": "applink-stub",
                "build_number": 1,
                "approximate_connection_time": LIFETIME_SECONDS,
            },
            "connection_info": {"app_id": self._app_id},
        }

    async def _read(self, connection: _Connection) -> None:
        async for frame in connection.socket:
            if frame.type is WSMsgType.TEXT:
                self._acknowledged(frame.data)

    def _acknowledged(self, text: str) -> None:
        try:
            answer = json.loads(text)
            envelope_id = answer["envelope_id"]
        except (ValueError, KeyError, TypeError):
            self._write("bad_ack", chars=len(text))
            return
        waiting = self._waiting.pop(envelope_id, None)
        if waiting is None or waiting.answer.done():
            self._write("late_ack", delivery=envelope_id)
        else:
            waiting.answer.set_result(answer)

    async def send(self, delivery: Delivery, *, forgery: Forgery | None = None) -> Ack:
        """Send an envelope to the next connection and wait for its ack."""
        if forgery is not None:
            return Ack(
                acknowledged=False,
                delivery_id=delivery.id,
                problem="Socket Mode has no signature to forge; give the stub a request URL",
            )
        connection = self._next()
        if connection is None:
            return Ack(acknowledged=False, delivery_id=delivery.id, problem=NOT_CONNECTED)
        waiting = _Waiting(asyncio.get_running_loop().create_future())
        self._waiting[delivery.id] = waiting
        connection.sent += 1
        try:
            async with asyncio.timeout(self._patience.ack_seconds):
                await connection.socket.send_json(_envelope(delivery))
                answer = await waiting.answer
        except (TimeoutError, ConnectionError):
            return self._unacked(delivery, waiting)
        payload = answer.get("payload") if delivery.accepts_response else None
        return Ack(
            acknowledged=True,
            delivery_id=delivery.id,
            payload=payload,
            seconds=time.monotonic() - waiting.started,
        )

    def _unacked(self, delivery: Delivery, waiting: _Waiting) -> Ack:
        seconds = time.monotonic() - waiting.started
        return Ack(acknowledged=False, delivery_id=delivery.id, problem=UNACKED, seconds=seconds)

    def _next(self) -> _Connection | None:
        """Return the connection whose turn it is: the first in line, which then goes last."""
        for index, connection in enumerate(self._connections):
            if not connection.leaving and not connection.socket.closed:
                self._connections.append(self._connections.pop(index))
                return connection
        return None

    async def disconnect(self, reason: str) -> int:
        """Ask every connection to leave (``warning`` or ``refresh_requested``); return how many.

        They get no further envelope; their acks still count until the app closes them.
        """
        leaving = [connection for connection in self._connections if not connection.leaving]
        for connection in leaving:
            connection.leaving = True
            await self._tell(connection, reason)
        self._write("disconnect_asked", reason=reason, connections=len(leaving))
        return len(leaving)

    async def _tell(self, connection: _Connection, reason: str) -> None:
        info = {"host": "applink-stub"}
        await connection.socket.send_json(
            {"type": "disconnect", "reason": reason, "debug_info": info}
        )

    async def drop(self) -> int:
        """Close every connection without a word, as a network does; return how many."""
        gone = list(self._connections)
        for connection in gone:
            connection.leaving = True
            await connection.socket.close(code=1001)
        return len(gone)


def _envelope(delivery: Delivery) -> Json:
    envelope: Json = {
        "envelope_id": delivery.id,
        "type": delivery.kind.value,
        "payload": delivery.payload,
        "accepts_response_payload": delivery.accepts_response,
    }
    if delivery.kind is Kind.EVENT:
        envelope |= {"retry_attempt": delivery.attempt, "retry_reason": delivery.reason or ""}
    return envelope
