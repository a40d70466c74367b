"""HTTP mode: payloads posted to the app's request URL, signed as Slack signs, or forged."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlencode

import aiohttp

from deploy.embedded.slack.deliveries import UNACKED, Delivery, Kind, Patience
from deploy.embedded.slack.state import Clock
from deploy.embedded.slack.wire import Ack, Forgery, Json

FORM = "application/x-www-form-urlencoded"
SKEW_SECONDS = 360
"""Six minutes: Slack's rule is to refuse what is more than five old."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The bytes of one request and its headers, kept so that it can be sent again as it was."""

    body: bytes
    headers: dict[str, str]


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return Slack's ``v0`` signature of a body."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def body_of(delivery: Delivery) -> tuple[bytes, str]:
    """Return a payload as Slack encodes it over HTTP, and its content type."""
    if delivery.kind is Kind.EVENT:
        return json.dumps(delivery.payload).encode(), "application/json"
    if delivery.kind is Kind.SLASH:
        return urlencode(delivery.payload).encode(), FORM
    return urlencode({"payload": json.dumps(delivery.payload)}).encode(), FORM


def signed(delivery: Delivery, secret: str, now: float) -> SignedRequest:
    """Return the request Slack would send, with retry headers on an event sent again."""
    body, content_type = body_of(delivery)
    timestamp = str(int(now))
    headers = {
        "Content-Type": content_type,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature(secret, timestamp, body),
    }
    if delivery.kind is Kind.EVENT and delivery.attempt:
        headers["X-Slack-Retry-Num"] = str(delivery.attempt)
        headers["X-Slack-Retry-Reason"] = delivery.reason or "http_timeout"
    return SignedRequest(body, headers)


class _Forge(Protocol):
    def __call__(self, request: SignedRequest, secret: str, now: float) -> SignedRequest: ...


def _with(request: SignedRequest, **headers: str | None) -> SignedRequest:
    named = {f"X-Slack-{name.replace('_', '-').title()}": value for name, value in headers.items()}
    merged: dict[str, str | None] = {**request.headers, **named}
    return replace(request, headers={k: v for k, v in merged.items() if v is not None})


def _at(request: SignedRequest, secret: str, timestamp: str) -> SignedRequest:
    """Return the request signed correctly for another timestamp."""
    sealed = signature(secret, timestamp, request.body)
    return _with(request, request_timestamp=timestamp, signature=sealed)


def _without_signature(request: SignedRequest, secret: str, now: float) -> SignedRequest:
    del secret, now
    return _with(request, signature=None)


def _empty_signature(request: SignedRequest, secret: str, now: float) -> SignedRequest:
    del secret, now
    return _with(request, signature="")


def _unknown_version(request: SignedRequest, secret: str, now: float) -> SignedRequest:
    del secret, now
    right = request.headers["X-Slack-Signature"]
    return _with(request, signature="v9" + right.removeprefix("v0"))


def _wrong_secret(request: SignedRequest, secret: str, now: float) -> SignedRequest:
    return _at(request, f"not-{secret}", str(int(now)))


def _body_altered(request: SignedRequest, secret: str, now: float) -> SignedRequest:
    del secret, now
    # Still well-formed, so that the signature alone can give it away.
    more = b" " if request.headers["Content-Type"] == "application/json" else b"&altered=1"
    return replace(request, body=request.body + more)


def _timestamp_altered(request: SignedRequest, secret: str, now: float) -> SignedRequest:
    del secret
    return _with(request, request_timestamp=str(int(now) - 1))


def _timestamp_missing(request: SignedRequest, secret: str, now: float) -> SignedRequest:
    del secret, now
    return _with(request, request_timestamp=None)


def _timestamp_not_a_number(request: SignedRequest, secret: str, now: float) -> SignedRequest:
    del now
    return _at(request, secret, "yesterday")


def _timestamp_old(request: SignedRequest, secret: str, now: float) -> SignedRequest:
    return _at(request, secret, str(int(now) - SKEW_SECONDS))


def _timestamp_ahead(request: SignedRequest, secret: str, now: float) -> SignedRequest:
    return _at(request, secret, str(int(now) + SKEW_SECONDS))


FORGERIES: dict[Forgery, _Forge] = {
    Forgery.NO_SIGNATURE: _without_signature,
    Forgery.EMPTY_SIGNATURE: _empty_signature,
    Forgery.UNKNOWN_VERSION: _unknown_version,
    Forgery.WRONG_SECRET: _wrong_secret,
    Forgery.BODY_ALTERED: _body_altered,
    Forgery.TIMESTAMP_ALTERED: _timestamp_altered,
    Forgery.TIMESTAMP_MISSING: _timestamp_missing,
    Forgery.TIMESTAMP_NOT_A_NUMBER: _timestamp_not_a_number,
    Forgery.TIMESTAMP_OLD: _timestamp_old,
    Forgery.TIMESTAMP_AHEAD: _timestamp_ahead,
}


class RequestUrl:
    """The app's request URL."""

    def __init__(
        self,
        url: str,
        *,
        secret: str,
        clock: Clock,
        session: Callable[[], aiohttp.ClientSession],
        patience: Patience,
    ) -> None:
        self.url = url
        self._secret = secret
        self._clock = clock
        self._session = session
        self._patience = patience
        self._last: SignedRequest | None = None

    async def send(self, delivery: Delivery, *, forgery: Forgery | None = None) -> Ack:
        """Post a payload, signed, or forged in the way asked for."""
        now = self._clock().timestamp()
        request = signed(delivery, self._secret, now)
        if forgery is not None:
            request = FORGERIES[forgery](request, self._secret, now)
        self._last = request
        return await self._post(request, delivery.id)

    async def replay(self) -> Ack:
        """Post the last request again: same bytes, same timestamp, same signature."""
        if self._last is None:
            return Ack(acknowledged=False, delivery_id="", problem="nothing was sent yet")
        return await self._post(self._last, "replay")

    async def verify(self, challenge: str, token: str) -> Ack:
        """Ask the app to echo a challenge, as Slack does when a URL is saved."""
        payload: Json = {"type": "url_verification", "challenge": challenge, "token": token}
        ack = await self.send(Delivery(id="verify", kind=Kind.EVENT, payload=payload))
        told = (ack.payload or {}).get("challenge") or (ack.payload or {}).get("text")
        if ack.acknowledged and told != challenge:
            return ack.model_copy(update={"problem": "the app did not echo the challenge"})
        return ack

    async def _post(self, request: SignedRequest, delivery_id: str) -> Ack:
        started = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=self._patience.ack_seconds)
        problem: str | None = None
        try:
            async with self._session().post(
                self.url, data=request.body, headers=request.headers, timeout=timeout
            ) as answer:
                ack = _read(answer, await answer.text(), delivery_id)
        except TimeoutError:
            problem = UNACKED
        except aiohttp.ClientError as fault:
            problem = f"the app cannot be reached: {type(fault).__name__}"
        if problem is not None:
            ack = Ack(acknowledged=False, delivery_id=delivery_id, problem=problem)
        return ack.model_copy(update={"seconds": time.monotonic() - started})


def _read(answer: aiohttp.ClientResponse, text: str, delivery_id: str) -> Ack:
    right = answer.status == 200
    return Ack(
        acknowledged=right,
        delivery_id=delivery_id,
        payload=_payload(text, answer.content_type) if right else None,
        status=answer.status,
        problem=None if right else f"the app answered {answer.status}",
    )


def _payload(text: str, content_type: str) -> Json | None:
    """Return the app's answer: JSON, or plain text as a reply to a command."""
    if not text:
        return None
    if content_type != "application/json":
        return {"text": text}
    try:
        found = json.loads(text)
    except ValueError:
        return {"text": text}
    return found if isinstance(found, dict) else {"text": text}
