"""Passing a call on to a service: whose headers go through, what is refused, what streams."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from services.web.upstreams import Unreachable, Upstreams
from shared.http import problem
from shared.identity import HEADER

RawHeaders = list[tuple[bytes, bytes]]

# RFC 9110 section 7.6.1: these speak about one connection only.
HOP_BY_HOP: Final = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te"),
        *(b"proxy-connection", b"trailer", b"transfer-encoding", b"upgrade"),
    )
)
# Web speaks for the caller: the token stays here, and nobody brings an identity along.
KEPT_BACK: Final = frozenset(
    (b"host", b"authorization", b"cookie", b"idempotency-key", HEADER.lower().encode())
)
_NOT_PASSED_BACK: Final = frozenset((b"server", b"date", b"set-cookie"))


def request_headers(headers: Iterable[tuple[bytes, bytes]], identity: str | None) -> RawHeaders:
    """Return the headers a service gets: the caller's, and who calls in a signed token."""
    taken = _end_to_end(headers, KEPT_BACK)
    return taken if identity is None else [*taken, (HEADER.encode(), identity.encode())]


def response_headers(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Return the headers the caller gets back."""
    taken = _end_to_end(headers, _NOT_PASSED_BACK)
    return [*taken, (b"x-content-type-options", b"nosniff")]


def _end_to_end(headers: Iterable[tuple[bytes, bytes]], dropped: frozenset[bytes]) -> RawHeaders:
    pairs = [(name.lower(), value) for name, value in headers]
    listed = {
        part.strip().lower()
        for name, value in pairs
        if name == b"connection"
        for part in value.split(b",")
    }
    refused = HOP_BY_HOP | dropped | listed
    return [(name, value) for name, value in pairs if name not in refused]


def raw_target(request: Request) -> bytes | None:
    """Return the path and query as they came; ``None`` for a path that leaves its place.

    A path with ``.`` or ``..`` (written plainly or as %2e) would name another route of the service
    once it is resolved.
    """
    path: str = request.scope["path"]
    if any(part in {".", ".."} for part in path.replace("\\", "/").split("/")):
        return None
    raw: bytes = request.scope.get("raw_path") or path.encode()
    query: bytes = request.scope["query_string"]
    raw = raw.split(b"?")[0]
    return raw + b"?" + query if query else raw


def has_body(request: Request) -> bool:
    """Whether a body follows the request's headers."""
    return "content-length" in request.headers or "transfer-encoding" in request.headers


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way to a service.

    Attributes:
        service: where it goes.
        request: as it came.
        target: its path and query, in bytes.
        identity: the signed token that says who calls; ``None`` on the public way.
    """

    service: str
    request: Request
    target: bytes
    identity: str | None

    @property
    def headers(self) -> RawHeaders:
        """What the service gets."""
        return request_headers(self.request.headers.raw, self.identity)


async def pass_on(upstreams: Upstreams, call: Call) -> Response:
    """Stream a request to a service and its response back; a service that is away is a problem."""
    request = call.request
    content: AsyncIterable[bytes] | bytes = request.stream() if has_body(request) else b""
    try:
        response = await upstreams.send(
            call.service, request.method, call.target, headers=call.headers, content=content
        )
    except Unreachable as away:
        return unreachable(away)
    except ClientDisconnect:
        return problem(400, "Broken off", "the request ended before its body did")
    passed = StreamingResponse(_body(response), status_code=response.status_code)
    passed.raw_headers = response_headers(response.headers.raw)
    return passed


async def _body(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    finally:
        await response.aclose()


def unreachable(away: Unreachable) -> Response:
    """Return the problem of a service that does not answer; 503 and 504 may be tried again."""
    answer = problem(away.status, "Service away", str(away), service=away.name)
    answer.headers["Retry-After"] = "2"
    return answer
