"""The enrichment connector: asks a service of the operator's for more of events' ``ctx``.

Over HTTP rather than as code loaded here, so that it may be written in any language, is deployed
and fails apart from Message Center, and is bounded in time and size from this side. Source: Adobe
Campaign, Message Center, MC_EnrichmentCustomJs.

Some events are posted in one call, ``{"events": [{"id", "type", "queue", "channel", "address",
"language", "external_id", "origin", "country", "received_at", "ctx"}]}``, signed after Standard
Webhooks. The answer is a 200 with ``{"events": [{"id", "ctx"} or {"id", "error"}]}``: fields of
``ctx`` are added to the event's, those of the same name replaced. The same events may be asked
about again, so a call must have no effect that does harm twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import httpx
import orjson

from services.events_status.settings import EventsStatusSettings
from shared.ids import new_id_text
from shared.webhook_signatures import headers
from topics.outside import MAX_CTX_BYTES, ctx_fault

MOST_ANSWER_BYTES: Final = 16 << 20
OK: Final = 200
BUSY: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Asked:
    """An event as its enrichment is asked for; ``level`` counts what went wrong with it before."""

    event_id: UUID
    event_type: str
    queue: str
    channel: str
    address: str
    language: str
    external_id: str | None
    origin: str | None
    country: str | None
    received_at: datetime
    ctx: dict[str, Any]
    level: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an event could not be enriched."""

    reason: str


Answer = dict[str, Any] | Failure
"""An event's whole ``ctx`` once enriched, or why there is none."""
Answers = dict[UUID, Answer]


class NoAnswers(Exception):
    """A whole call failed.

    Attributes:
        reason: why, for the events' histories.
        divisible: whether one of several events may be the cause.
    """

    def __init__(self, reason: str, *, divisible: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.divisible = divisible


class Connector:
    """Calls the enrichment service.

    Args:
        url: where it listens.
        key: what calls are signed with.
        seconds: how long a call may take, from its beginning to the answer's last byte.
    """

    def __init__(self, url: str, key: bytes, seconds: float) -> None:
        self._url = url
        self._key = key
        self._seconds = seconds
        # No proxy or password of this host's environment is used, and no redirect followed.
        self._client = httpx.AsyncClient(
            timeout=seconds,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=8, keepalive_expiry=30),
        )

    @classmethod
    def of(cls, settings: EventsStatusSettings) -> Connector | None:
        """Return the connector that settings describe; ``None`` when there is no service."""
        secret = settings.events_enrichment_secret
        if settings.events_enrichment_url is None or secret is None:
            return None
        key = secret.get_secret_value().encode()
        return cls(settings.events_enrichment_url, key, settings.events_enrichment_seconds)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def ask(self, events: Sequence[Asked], now: datetime) -> Answers:
        """Return what the service says of each event.

        Raises:
            NoAnswers: nothing that can be used came in time.
        """
        body = orjson.dumps({"events": [_shown(one) for one in events]})
        try:
            async with asyncio.timeout(self._seconds):
                content = await self._post(body, now)
        except (TimeoutError, httpx.TimeoutException):
            why = f"the enrichment service did not answer within {self._seconds:g} s"
            raise NoAnswers(why, divisible=False) from None
        except httpx.TransportError as problem:
            why = f"the enrichment service cannot be reached ({type(problem).__name__})"
            raise NoAnswers(why, divisible=False) from None
        return answers_in(content, events)

    async def _post(self, body: bytes, now: datetime) -> bytes:
        signed = headers(
            [self._key], message_id=new_id_text(), timestamp=int(now.timestamp()), body=body
        )
        plain = {"content-type": "application/json", "accept-encoding": "identity"}
        async with self._client.stream(
            "POST", self._url, content=body, headers=signed | plain
        ) as reply:
            if reply.status_code != OK:
                why = f"the enrichment service answered {reply.status_code}"
                raise NoAnswers(why, divisible=reply.status_code not in BUSY)
            parts = bytearray()
            # As they come: what was packed would be of no size that is known before.
            async for part in reply.aiter_raw():
                parts += part
                if len(parts) > MOST_ANSWER_BYTES:
                    why = f"the enrichment service answered over {MOST_ANSWER_BYTES} bytes"
                    raise NoAnswers(why, divisible=True)
            return bytes(parts)


def _shown(one: Asked) -> dict[str, Any]:
    return {
        "id": str(one.event_id),
        "type": one.event_type,
        "queue": one.queue,
        "channel": one.channel,
        "address": one.address,
        "language": one.language,
        "external_id": one.external_id,
        "origin": one.origin,
        "country": one.country,
        "received_at": one.received_at.isoformat(),
        "ctx": one.ctx,
    }


def answers_in(content: bytes, events: Sequence[Asked]) -> Answers:
    """Return what an answer says of each event that was asked about.

    Raises:
        NoAnswers: it cannot be read at all.
    """
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise NoAnswers("the enrichment service answered no JSON", divisible=True) from None
    items = answer.get("events") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise NoAnswers("the enrichment service's answer has no list 'events'", divisible=True)
    by_id = {str(item.get("id")): item for item in items if isinstance(item, dict)}
    return {one.event_id: _answer(one, by_id.get(str(one.event_id))) for one in events}


def _answer(one: Asked, item: Mapping[str, Any] | None) -> Answer:
    if item is None:
        return Failure("the enrichment service's answer does not name the event")
    if item.get("error") is not None:
        said = str(item["error"])[:200].replace("\x00", "")
        return Failure(f"the enrichment service refused: {said}")
    more = item.get("ctx")
    if not isinstance(more, dict):
        return Failure("the enrichment service's answer has no ctx for the event")
    ctx = one.ctx | more
    fault = ctx_fault(ctx)
    if fault is not None:
        return Failure(f"the enriched ctx {fault}")
    return ctx


MOST_CALL_BYTES: Final = 4 * MAX_CTX_BYTES
"""How much ctx one call carries, unless a single event has more."""
