"""Takes payloads to the app by the way in use, writes down each, and sends again on demand."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from deploy.embedded.slack.deliveries import Delivery, Kind, Patience, Route, Written
from deploy.embedded.slack.http_mode import RequestUrl
from deploy.embedded.slack.socket_mode import SocketHub
from deploy.embedded.slack.wire import Ack, Forgery, Json

REMEMBERED = 2000
Settle = Callable[[Ack], Ack]
"""What an ack changes in the workspace (a modal closes, a reply appears); done once."""


@dataclass(slots=True)
class _Sent:
    delivery: Delivery
    settle: Settle | None
    settled: bool = False


class Courier:
    """Sends payloads; ``request_url`` set means HTTP mode, else Socket Mode."""

    def __init__(
        self,
        sockets: SocketHub,
        *,
        make_id: Callable[[str], str],
        write: Written,
        patience: Patience,
    ) -> None:
        self.sockets = sockets
        self.request_url: RequestUrl | None = None
        self.patience = patience
        self._make_id = make_id
        self._write = write
        self._sent: OrderedDict[str, _Sent] = OrderedDict()
        self._later: set[asyncio.Task[None]] = set()

    @property
    def _route(self) -> Route:
        return self.request_url or self.sockets

    async def send(
        self,
        kind: Kind,
        payload: Json,
        *,
        answers: bool = False,
        settle: Settle | None = None,
        forgery: Forgery | None = None,
    ) -> Ack:
        """Send a new payload once; sending it again later goes on by itself if so set."""
        delivery_id = self._make_id("E").lower()
        delivery = Delivery(id=delivery_id, kind=kind, payload=payload, accepts_response=answers)
        sent = _Sent(delivery, settle)
        self._remember(sent)
        ack = await self._attempt(sent, delivery, forgery)
        if not ack.acknowledged and forgery is None and self.patience.redelivery_seconds:
            self._keep_trying(sent)
        return ack

    async def again(
        self, delivery_id: str | None, *, attempt: int = 0, reason: str | None = None
    ) -> Ack:
        """Send a payload once more, under its own id; raise KeyError when it is not known."""
        if delivery_id is None and not self._sent:
            raise KeyError("nothing was sent yet")
        sent = self._sent[delivery_id or next(reversed(self._sent))]
        repeated = sent.delivery.model_copy(update={"attempt": attempt, "reason": reason})
        return await self._attempt(sent, repeated, None)

    async def close(self) -> None:
        """Stop sending again."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    def _remember(self, sent: _Sent) -> None:
        self._sent[sent.delivery.id] = sent
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    async def _attempt(self, sent: _Sent, delivery: Delivery, forgery: Forgery | None) -> Ack:
        ack = await self._route.send(delivery, forgery=forgery)
        if sent.settle is not None and not sent.settled:
            sent.settled = ack.acknowledged
            ack = sent.settle(ack)
        self._note(delivery, ack, forgery)
        return ack

    def _keep_trying(self, sent: _Sent) -> None:
        task = asyncio.create_task(self._try_later(sent))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _try_later(self, sent: _Sent) -> None:
        for attempt, seconds in enumerate(self.patience.redelivery_seconds, start=1):
            await asyncio.sleep(seconds)
            is_event = sent.delivery.kind is Kind.EVENT
            # Slack numbers the retries of events alone; other envelopes come back as they were.
            ack = await self.again(
                sent.delivery.id,
                attempt=attempt if is_event else 0,
                reason="timeout" if is_event else None,
            )
            if ack.acknowledged:
                return

    def _note(self, delivery: Delivery, ack: Ack, forgery: Forgery | None) -> None:
        payload = delivery.payload
        event = payload.get("event")
        action = (payload.get("actions") or [{}])[0]
        self._write(
            "delivery",
            delivery=delivery.id,
            kind=delivery.kind.value,
            type=payload.get("command")
            or (event.get("type") if isinstance(event, dict) else payload.get("type")),
            user=payload.get("user_id") or (payload.get("user") or {}).get("id"),
            action=action.get("action_id"),
            attempt=delivery.attempt,
            forgery=forgery,
            acknowledged=ack.acknowledged,
            status=ack.status,
            problem=ack.problem,
            answer=sorted(ack.payload) if ack.payload else None,
            seconds=round(ack.seconds, 4),
        )
