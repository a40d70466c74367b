"""The Web API over HTTP: a call read however it is encoded, its token checked, its answer."""

import asyncio
import json
import math
from typing import Any

from aiohttp import web

from deploy.embedded.slack.calls import Args, Context, Refused
from deploy.embedded.slack.deliveries import Written
from deploy.embedded.slack.faults import Fault, FaultKind, Faults
from deploy.embedded.slack.methods import METHODS
from deploy.embedded.slack.socket_mode import SocketHub
from deploy.embedded.slack.transcript import summary
from deploy.embedded.slack.wire import Json

OPEN_CONNECTION = "apps.connections.open"
SCOPES = (
    "channels:history,channels:read,chat:write,commands,dnd:read,files:write,groups:read,"
    "im:write,metadata.message:read,mpim:write,users:read,users:read.email"
)


async def read_args(request: web.Request) -> Json:
    """Return a call's arguments: its query, then its body, a form or JSON."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        args |= await _json_args(request)
    elif request.can_read_body:
        form = await request.post()
        args |= {name: value for name, value in form.items() if isinstance(value, str)}
    return args


async def _json_args(request: web.Request) -> Json:
    try:
        body: Any = json.loads(await request.text() or "{}")
    except ValueError:
        raise Refused("invalid_json") from None
    if not isinstance(body, dict):
        raise Refused("json_not_object")
    return body


def _token(request: web.Request, args: Json) -> str:
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        return header.removeprefix("Bearer ").strip()
    return str(args.get("token") or "")


class WebApi:
    """Answers ``/api/<method>``."""

    def __init__(self, ctx: Context, faults: Faults, sockets: SocketHub, write: Written) -> None:
        self._ctx = ctx
        self._faults = faults
        self._sockets = sockets
        self._write = write

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one call, after whatever fault is scripted for it."""
        method = request.match_info["method"]
        args: Json = {}
        try:
            args = await read_args(request)
            self._authorize(method, _token(request, args))
        except Refused as refusal:
            return self._answer(method, args, refusal.answer())
        fault = self._faults.take(method)
        wait = self._must_wait(method, args, fault)
        if wait is not None:
            return self._too_fast(method, args, wait)
        if fault and fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        answer = self._answer(method, args, self._outcome(method, args, fault), fault)
        if fault and fault.kind is FaultKind.LOST and request.transport is not None:
            # The call was carried out; its answer never arrives.
            request.transport.abort()
        return answer

    def _authorize(self, method: str, token: str) -> None:
        app = self._ctx.state.seed.app
        if method != OPEN_CONNECTION and method not in METHODS:
            raise Refused("unknown_method", req_method=method)
        if not token:
            raise Refused("not_authed")
        if token not in (app.bot_token, app.app_token):
            raise Refused("invalid_auth")
        wanted = app.app_token if method == OPEN_CONNECTION else app.bot_token
        if token != wanted:
            raise Refused("not_allowed_token_type")

    def _must_wait(self, method: str, args: Json, fault: Fault | None) -> float | None:
        if fault and fault.kind is FaultKind.RATE_LIMITED:
            return fault.seconds
        return self._faults.over_pace(method, str(args.get("channel", "")))

    def _too_fast(self, method: str, args: Json, wait: float) -> web.Response:
        seconds = str(max(1, math.ceil(wait)))
        self._write("call", method=method, args=summary(args), ok=False, error="ratelimited")
        return web.json_response(
            {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": seconds}
        )

    def _outcome(self, method: str, args: Json, fault: Fault | None) -> Json:
        if fault and fault.kind is FaultKind.ERROR:
            return {"ok": False, "error": fault.error}
        if method == OPEN_CONNECTION:
            return {"ok": True, "url": self._socket_url()}
        try:
            done = {"ok": True, **METHODS[method](self._ctx, Args(args))}
        except Refused as refusal:
            return refusal.answer()
        if fault and fault.kind is FaultKind.HALF:
            return {"ok": False, "error": fault.error}
        return done

    def _socket_url(self) -> str:
        place = self._ctx.url.replace("http://", "ws://", 1)
        app_id = self._ctx.state.seed.app.app_id
        return f"{place}/link/?ticket={self._sockets.ticket()}&app_id={app_id}"

    def _answer(
        self, method: str, args: Json, answer: Json, fault: Fault | None = None
    ) -> web.Response:
        self._write(
            "call",
            method=method,
            args=summary(args),
            ok=answer["ok"],
            error=answer.get("error"),
            made={name: answer[name] for name in ("ts", "message_ts", "file_id") if name in answer},
            fault=fault.kind.value if fault else None,
        )
        return web.json_response(answer, headers={"X-OAuth-Scopes": SCOPES})
