"""Webhooks: events posted to registered endpoints, signed, at least once.

The receiver knows a message again by ``webhook-id``, the event's id: what it did not answer is
posted again. Redirects are not followed and answers' bodies not read.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, cast
from urllib.parse import urlsplit

import orjson

from services.delivery.carrier import until_done
from services.delivery.domain.content import Content
from services.delivery.domain.runs import Reason, Verdict
from services.delivery.http.calling import Outcome, Rest, call_all, contents_for, count
from services.delivery.http.client import Client, Forbidden, NoAnswer, NotWritten, Reply
from services.delivery.http.contents import Contents, text_of
from services.delivery.rendering import BadTemplate
from services.delivery.settings import DeliverySettings
from services.delivery.smtp import Answer
from services.delivery.store.sending import Claimed
from services.delivery.store.webhooks import EndpointStore, Target
from services.delivery.webhooks.addresses import PublicResolver, is_public, literal
from services.delivery.webhooks.keeping import keys_of
from shared.errors import INTERRUPTIONS
from shared.logs import logger
from shared.sealing import WrongSecret
from shared.service import Runtime
from shared.webhook_signatures import headers
from topics.delivery import Channel

log = logger(__name__)
GONE: Final = 410
FOR_GOOD: Final = frozenset({GONE, 413})
"""The endpoint is closed for ever, or the message is too large for it."""
SWITCHED_OFF: Final = "it answered 410 Gone"


@dataclass(frozen=True, slots=True)
class Ends:
    """What the webhook carriers of a process have in common: contents, and who is left alone."""

    contents: Contents
    rests: defaultdict[str, Rest] = field(default_factory=lambda: defaultdict(Rest))


class WebhookCarrier:
    """Posts rows to their endpoints, ``width`` at a time."""

    def __init__(self, runtime: Runtime, ends: Ends, *, width: int) -> None:
        self._runtime = runtime
        self._settings = cast("DeliverySettings", runtime.settings)
        self._ends = ends
        self._width = width
        private = self._settings.webhook_allow_private
        self._client = Client(
            timeout_seconds=self._settings.timeout_of(Channel.WEBHOOK),
            connections=width,
            resolver=None if private else PublicResolver(),
        )

    async def ready(self) -> bool:
        """Whether rows may be claimed: each endpoint has a rest of its own."""
        return True

    async def send(
        self, rows: Sequence[Claimed], until: float, stop: asyncio.Event
    ) -> list[Outcome]:
        """Post rows; return what came of each."""
        contents = await contents_for(self._ends.contents, rows, stop)
        targets = await until_done(stop, partial(self._targets, {row.address for row in rows}))
        if not contents or targets is None:
            return []
        call = partial(self._call, contents, targets)
        return await call_all(rows, call, width=self._width, until=until, stop=stop)

    def drop(self) -> None:
        """Break off what is under way."""
        self._client.drop()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _targets(self, names: set[str]) -> dict[str, Target]:
        async with self._runtime.pool.acquire() as connection:
            return await EndpointStore(connection).targets(names, self._runtime.clock.now())

    async def _call(
        self, contents: dict[str, Content], targets: dict[str, Target], row: Claimed
    ) -> Outcome:
        target, rest = targets.get(row.address), self._ends.rests[row.address]
        if target is None:
            return Answer(Verdict.FAILED), Reason.UNKNOWN_ENDPOINT.value
        if not target.active:
            return Answer(Verdict.FAILED), Reason.ENDPOINT_DISABLED.value
        if rest.left:
            # Not called; those that wait come back more and more seldom, so that they are no load.
            return Answer(Verdict.RELEASED, wait_seconds=rest.left), ""
        try:
            text = await asyncio.to_thread(text_of, contents[row.template_hash], row)
            body = _body(row, text)
            keys = keys_of(self._settings.secret, target)
        except BadTemplate as problem:
            return Answer(Verdict.FAILED), f"{Reason.PERSONALISATION}: {problem}"
        except WrongSecret:
            log.warning("webhook.wrong_secret", endpoint=target.name)
            return Answer(Verdict.DEFERRED), f"{Reason.UNAVAILABLE}: its secret cannot be read"
        answer, reason = await self._posted(target, rest, row, body, keys)
        count(Channel.WEBHOOK, answer.verdict)
        return answer, reason

    async def _posted(
        self, target: Target, rest: Rest, row: Claimed, body: bytes, keys: Sequence[bytes]
    ) -> Outcome:
        address = literal(urlsplit(target.url).hostname or "")
        private = address is not None and not is_public(address)
        if private and not self._settings.webhook_allow_private:
            return Answer(Verdict.FAILED), Reason.FORBIDDEN_ADDRESS.value
        signed = headers(
            keys,
            message_id=str(row.run_id),
            timestamp=int(self._runtime.clock.now().timestamp()),
            body=body,
        )
        try:
            reply = await self._client.post(target.url, body, signed)
        except Forbidden:
            return Answer(Verdict.FAILED), Reason.FORBIDDEN_ADDRESS.value
        except NotWritten as problem:
            rest.trouble()
            return Answer(Verdict.DEFERRED), f"{Reason.UNAVAILABLE}: {problem}"
        except NoAnswer as problem:
            rest.trouble()
            return Answer(Verdict.DEFERRED), f"{Reason.NO_ANSWER}: {problem}"
        if reply.status >= 500 or reply.status == 429:
            rest.trouble(reply.wait_seconds)
        else:
            rest.well()
        if reply.status == GONE:
            await self._switch_off(target)
        return verdict_on(reply)

    async def _switch_off(self, target: Target) -> None:
        """Send nothing more to an endpoint that says that it is closed for ever."""
        log.warning("webhook.endpoint_gone", endpoint=target.name)
        # Another message will be told the same.
        with suppress(*INTERRUPTIONS):
            async with self._runtime.uow.begin() as work:
                await EndpointStore(work.connection).change(
                    target.name, url=None, active=False, reason=SWITCHED_OFF, at=work.now
                )


def verdict_on(reply: Reply) -> Outcome:
    """Return what an endpoint's answer means (Standard Webhooks): 2xx it has it, others later.

    A redirect is refused for good, as are 410 and 413: none of them gets better by itself.
    """
    code = str(reply.status)
    if 200 <= reply.status < 300:
        return Answer(Verdict.SENT, code), ""
    if 300 <= reply.status < 400 or reply.status in FOR_GOOD:
        return Answer(Verdict.FAILED, code), f"{Reason.REFUSED_BY_ENDPOINT}: {code}"
    answer = Answer(Verdict.DEFERRED, code, wait_seconds=reply.wait_seconds)
    return answer, f"{Reason.UNAVAILABLE}: {code}"


def _body(row: Claimed, text: str) -> bytes:
    event = row.merge.get("event", {})
    said = {
        "id": str(row.run_id),
        "type": event.get("type", ""),
        "time": event.get("time"),
        "external_id": event.get("external_id"),
        "ctx": row.merge.get("ctx", {}),
    }
    return orjson.dumps(said | ({"text": text} if text else {}))
