"""Carrying out a POST with an ``Idempotency-Key``: body read, row claimed, answer kept."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import Final
from uuid import UUID

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.web.events.keys import prune as prune_keys
from services.web.gateway import Call, RawHeaders, response_headers, unreachable
from services.web.idempotency import (
    LARGEST_ANSWER,
    LARGEST_BODY,
    LONGEST_KEY,
    Asked,
    Claim,
    Clash,
    Kept,
    KeptAnswers,
)
from services.web.settings import web_settings
from services.web.upstreams import Unreachable, Upstreams
from shared.errors import INTERRUPTIONS, reason_of
from shared.http import problem
from shared.logs import logger
from shared.service import Runtime
from shared.waiting import wait_or_stop

log = logger(__name__)

HEADER: Final = "Idempotency-Key"
PRUNE_SECONDS: Final = 600.0


class TooLarge(Exception):
    """The body is larger than what is read whole for an ``Idempotency-Key``."""


async def pass_on_once(
    runtime: Runtime, upstreams: Upstreams, call: Call, token_id: UUID
) -> Response:
    """Pass a keyed POST on once; answer it again from the row when it comes again."""
    key = call.request.headers[HEADER].strip()
    if not 1 <= len(key) <= LONGEST_KEY:
        return problem(400, "Not valid", f"{HEADER} has 1 to {LONGEST_KEY} characters")
    try:
        body = await _read(call.request)
    except TooLarge:
        return problem(413, "Too large", f"over {LARGEST_BODY} bytes: send it without {HEADER}")
    except ClientDisconnect:
        return problem(400, "Broken off", "the request ended before its body did")
    target = f"{call.service} {call.request.method} {call.target.decode('latin-1')}"
    found = await _begin(runtime, Asked(token_id, key, target, hashlib.sha256(body).digest()))
    if isinstance(found, Clash):
        return problem(found.status, "Key in use", found.reason)
    if isinstance(found, Kept):
        return _again(found)
    return await _carry_out(runtime, upstreams, call, body, found)


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise TooLarge
    return bytes(body)


def _bound(runtime: Runtime) -> float:
    return web_settings(runtime.settings).upstream_timeout_seconds + 10


async def _begin(runtime: Runtime, asked: Asked) -> Claim | Kept | Clash:
    async with runtime.uow.begin() as work:
        return await KeptAnswers(work.connection).begin(
            asked,
            work.now,
            lease=timedelta(seconds=_bound(runtime) + 10),
            keep=timedelta(hours=web_settings(runtime.settings).idempotency_hours),
        )


async def _carry_out(
    runtime: Runtime, upstreams: Upstreams, call: Call, body: bytes, claim: Claim
) -> Response:
    try:
        async with asyncio.timeout(_bound(runtime)):
            response = await upstreams.send(
                call.service, "POST", call.target, headers=_sized(call.headers, body), content=body
            )
            content = await _whole(response)
    except Unreachable as away:
        if away.status == 503:
            await _settle(runtime, claim, None)
        return unreachable(away)
    except (TimeoutError, httpx.HTTPError):
        return unreachable(Unreachable(call.service, "broke off while it answered", 502))
    answer = Response(content, status_code=response.status_code)
    answer.raw_headers = response_headers(response.headers.raw)
    await _settle(runtime, claim, _to_keep(response, content))
    return answer


def _sized(headers: RawHeaders, body: bytes) -> RawHeaders:
    # The whole answer is kept, so it is asked for as it is, not compressed.
    dropped = {b"content-length", b"accept-encoding"}
    rest = [(name, value) for name, value in headers if name not in dropped]
    return [*rest, (b"content-length", str(len(body)).encode())]


async def _whole(response: httpx.Response) -> bytes:
    try:
        return b"".join([chunk async for chunk in response.aiter_raw()])
    finally:
        await response.aclose()


def _to_keep(response: httpx.Response, content: bytes) -> Kept | None:
    """Return what to keep of an answer; ``None`` when the call had no effect (a 5xx)."""
    if response.status_code >= 500:
        return None
    secret = "no-store" in response.headers.get("cache-control", "")
    kept = None if secret or len(content) > LARGEST_ANSWER else content
    return Kept(response.status_code, response.headers.get("content-type"), kept)


async def _settle(runtime: Runtime, claim: Claim, kept: Kept | None) -> None:
    async with runtime.uow.begin() as work:
        answers = KeptAnswers(work.connection)
        await (answers.drop(claim) if kept is None else answers.finish(claim, kept))


def _again(kept: Kept) -> Response:
    if kept.body is None:
        return problem(
            409,
            "Answered before",
            f"the first call with this key was answered {kept.status}; its answer was not kept,"
            " because it is secret or large",
        )
    again = Response(kept.body, status_code=kept.status, media_type=None)
    if kept.content_type:
        again.headers["Content-Type"] = kept.content_type
    again.headers["Idempotency-Replayed"] = "true"
    return again


async def prune(runtime: Runtime, stop: asyncio.Event) -> None:
    """Remove answers and keys past their time, every ten minutes until ``stop`` (a task)."""
    keep = timedelta(hours=web_settings(runtime.settings).idempotency_hours)
    while not stop.is_set():
        try:
            async with runtime.uow.begin() as work:
                await KeptAnswers(work.connection).prune(work.now - keep)
                await prune_keys(work.connection, work.now)
        except INTERRUPTIONS as trouble:
            log.warning("answers.prune_interrupted", error=reason_of(trouble))
        await wait_or_stop(stop, PRUNE_SECONDS)
