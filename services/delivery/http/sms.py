"""SMS by a gateway over HTTP: one POST a message, with a key by which the gateway knows it again.

The gateway gets ``{"id", "from", "to", "text"}`` and the header ``Idempotency-Key``, both ids the
message's. What its status means is in ``verdict_on``; ADR 0025 says why.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import orjson
from prometheus_client import Counter

from services.delivery.domain.content import Content
from services.delivery.domain.runs import Reason, Verdict
from services.delivery.domain.sms_parts import parts_of
from services.delivery.http.calling import Outcome, Rest, call_all, contents_for, count
from services.delivery.http.client import Client, NoAnswer, NotWritten, Reply
from services.delivery.http.contents import Contents, text_of
from services.delivery.rendering import BadTemplate
from services.delivery.settings import DeliverySettings
from services.delivery.smtp import Answer
from services.delivery.store.sending import Claimed
from shared.logs import logger
from shared.service import Runtime
from topics.delivery import Channel

log = logger(__name__)
PARTS: Final = Counter("muster_delivery_sms_parts_total", "Parts of SMS that a gateway took")
_WORD: Final = re.compile(r"[^A-Za-z0-9_.-]+")
OUR_TROUBLE: Final = frozenset({401, 407})
"""The gateway does not know us: that is no message's fault, and a person can mend it."""
LATER: Final = frozenset({408, 409, 425, 429})
"""Too slow, still under way under this key, too early, too many: the same may succeed later."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the SMS carriers of a process have in common."""

    contents: Contents
    rest: Rest


class SmsCarrier:
    """Posts rows to the gateway, ``width`` at a time."""

    def __init__(self, runtime: Runtime, gateway: Gateway, *, width: int) -> None:
        self._settings = cast("DeliverySettings", runtime.settings)
        self._contents, self._rest = gateway.contents, gateway.rest
        self._width = width
        seconds = self._settings.timeout_of(Channel.SMS)
        self._client = Client(timeout_seconds=seconds, connections=width)

    async def ready(self) -> bool:
        """Whether the gateway is not left alone after trouble."""
        return not self._rest.left

    async def send(
        self, rows: Sequence[Claimed], until: float, stop: asyncio.Event
    ) -> list[Outcome]:
        """Post rows; return what came of each."""
        contents = await contents_for(self._contents, rows, stop)
        if not contents:
            return []
        call = partial(self._call, contents)
        return await call_all(rows, call, width=self._width, until=until, stop=stop)

    def drop(self) -> None:
        """Break off what is under way."""
        self._client.drop()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _call(self, contents: dict[str, Content], row: Claimed) -> Outcome:
        try:
            text = await asyncio.to_thread(text_of, contents[row.template_hash], row)
        except BadTemplate as problem:
            return Answer(Verdict.FAILED), f"{Reason.PERSONALISATION}: {problem}"
        parts, most = parts_of(text), self._settings.sms_max_parts
        if not parts:
            return Answer(Verdict.FAILED), f"{Reason.PERSONALISATION}: text: is empty"
        if parts > most:
            return Answer(Verdict.FAILED), f"{Reason.TOO_LONG}: {parts} parts, at most {most}"
        answer, reason = await self._posted(row, text, parts)
        count(Channel.SMS, answer.verdict)
        if answer.verdict is Verdict.SENT:
            PARTS.inc(parts)
        return answer, reason

    async def _posted(self, row: Claimed, text: str, parts: int) -> Outcome:
        try:
            reply = await self._client.post(
                self._settings.sms_gateway_url or "",
                _body(row, self._settings.sms_sender, text),
                _headers(row, self._settings),
                read=True,
            )
        except NotWritten as problem:
            self._rest.trouble()
            return Answer(Verdict.DEFERRED), f"{Reason.UNAVAILABLE}: {problem}"
        except NoAnswer as problem:
            self._rest.trouble()
            return self._unanswered(str(problem))
        if reply.status == 504:
            # Whoever stands before the gateway gave up waiting: it may have it all the same.
            self._rest.trouble(reply.wait_seconds)
            return self._unanswered("504")
        answer, reason = verdict_on(reply, self._settings.sms_invalid)
        if answer.verdict is Verdict.DEFERRED and reply.status not in {408, 409, 425}:
            log.warning("sms.gateway_rests", status=reply.status)
            self._rest.trouble(reply.wait_seconds)
        else:
            self._rest.well()
        if answer.verdict is Verdict.SENT:
            answer = Answer(Verdict.SENT, answer.code, parts=parts)
        return answer, reason

    def _unanswered(self, why: str) -> Outcome:
        """Return what a message is that was handed over and not answered."""
        harmless = self._settings.sms_gateway_idempotent
        verdict = Verdict.DEFERRED if harmless else Verdict.AMBIGUOUS
        return Answer(verdict), f"{Reason.NO_ANSWER}: {why}"


def verdict_on(reply: Reply, invalid: frozenset[str]) -> Outcome:
    """Return what a gateway's answer means for a message.

    2xx: it has it. 408, 409, 425, 429 and 5xx: later. 3xx, 401 and 407: later too, when a person
    has mended the address or the token. Any other 4xx: never.
    """
    status = reply.status
    if 200 <= status < 300:
        return Answer(Verdict.SENT, str(status)), ""
    said = _said(reply.body)
    code = f"{status} {said}".strip()
    if not 400 <= status < 500 or status in OUR_TROUBLE | LATER:
        answer = Answer(Verdict.DEFERRED, code, wait_seconds=reply.wait_seconds)
        return answer, f"{Reason.UNAVAILABLE}: {code}"
    if said in invalid:
        return Answer(Verdict.FAILED, code), Reason.INVALID_NUMBER.value
    return Answer(Verdict.FAILED, code), f"{Reason.REFUSED_BY_GATEWAY}: {code}"


def _said(body: bytes) -> str:
    """Return the ``code`` or ``error`` of an answer, as a word without anybody's data around it."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    for name in ("code", "error"):
        value = found.get(name) if isinstance(found, dict) else None
        if isinstance(value, str | int) and not isinstance(value, bool):
            return _WORD.sub("_", str(value))[:40].strip("_")
    return ""


def _body(row: Claimed, sender: str, text: str) -> bytes:
    message = {"id": str(row.run_id), "to": row.address, "text": text}
    return orjson.dumps(message | ({"from": sender} if sender else {}))


def _headers(row: Claimed, settings: DeliverySettings) -> dict[str, str]:
    headers = {"Idempotency-Key": str(row.run_id)}
    if settings.sms_gateway_token is not None:
        headers["Authorization"] = f"Bearer {settings.sms_gateway_token.get_secret_value()}"
    return headers
