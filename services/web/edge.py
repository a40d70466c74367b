"""The public ASGI app: who calls, may they, and where to; the only port that people reach.

Open to everybody: the start page and its sign-in, static files, health, and the links that stand
in mails (unsubscribe, clicks, opens, mirror pages) and on cards (proofs). All else takes
``Authorization: Bearer mst_…``.
"""

from __future__ import annotations

import importlib.metadata
from typing import Final, cast

import httpx
from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.web import domain, keyed, tokens
from services.web.domain import Token
from services.web.events import numbers
from services.web.events.door import EventDoor
from services.web.events.publishing import Publisher
from services.web.events.soap_door import SoapDoor
from services.web.events.wsdl import ROUTER
from services.web.gateway import Call, pass_on, raw_target
from services.web.merged_openapi import MergedOpenApi
from services.web.pages import Pages
from services.web.settings import web_settings
from services.web.upstreams import Resolve, Upstreams, open_upstreams
from shared import identity
from shared.errors import INTERRUPTIONS, reason_of
from shared.http import add_health, add_problem_handlers, create_app, problem
from shared.logs import logger
from shared.service import Runtime
from topics.message import Actor, Via
from topics.outside import Queue

log = logger(__name__)

METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Edge:
    """The way from the public port to the services."""

    def __init__(self, runtime: Runtime, upstreams: Upstreams, publisher: Publisher) -> None:
        self._runtime = runtime
        self._upstreams = upstreams
        self._door = EventDoor(runtime, publisher)
        self.soap = SoapDoor(runtime, self._door)
        version = importlib.metadata.version("muster")
        self._openapi = MergedOpenApi(upstreams, runtime.clock, version=version)

    async def call(self, request: Request) -> Response:
        """Pass a call on to its service, with the caller's signed identity."""
        token = await self._token(request)
        if isinstance(token, Response):
            return token
        service: str = request.path_params["service"]
        if service not in self._upstreams.names:
            known = ", ".join(self._upstreams.names)
            return problem(404, "Not found", f"there is no service {service!r}; there are {known}")
        if not domain.allows(token.scopes, request.method, service):
            return _out_of_scope(token, request.method, service)
        target = raw_target(request)
        if target is None:
            return problem(404, "Not found", "a path has no . or .. parts")
        call = Call(service, request, target, self._identity(token, service))
        if request.method == "POST" and keyed.HEADER in request.headers:
            return await keyed.pass_on_once(self._runtime, self._upstreams, call, token.token_id)
        return await pass_on(self._upstreams, call)

    async def push(self, request: Request) -> Response:
        """Take pushed events in, to the queue the path names."""
        token = await self._token(request)
        if isinstance(token, Response):
            return token
        if not domain.allows(token.scopes, "POST", "events_status"):
            return _out_of_scope(token, "POST", "events")
        queue = Queue(request.url.path.rpartition("/")[2])
        return await self._door.push(request, token.operator_id, queue)

    async def event(self, request: Request) -> Response:
        """Return an event with every status it had, from Message Center."""
        token = await self._token(request)
        if isinstance(token, Response):
            return token
        if not domain.allows(token.scopes, "GET", "events_status"):
            return _out_of_scope(token, "GET", "events")
        event = request.path_params["event_id"]
        if isinstance(event, int):
            async with self._runtime.uow.begin() as work:
                event = await numbers.find(work.connection, event) if event < 2**63 else None
        if event is None:
            return problem(404, "Not found", "no event has this number")
        target = f"/api/v1/events_status/events/{event}".encode()
        call = Call("events_status", request, target, self._identity(token, "events_status"))
        return await pass_on(self._upstreams, call)

    async def openapi(self, request: Request) -> Response:
        """Return the merged OpenAPI document of all services."""
        token = await self._token(request)
        if isinstance(token, Response):
            return token
        return JSONResponse(await self._openapi.document())

    async def metrics(self, request: Request) -> Response:
        """Return the metrics of this process to whoever may read."""
        token = await self._token(request)
        if isinstance(token, Response):
            return token
        if not {"read", "write", "admin"} & set(token.scopes):
            return _out_of_scope(token, "GET", "metrics")
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def public(self, request: Request) -> Response:
        """Pass a link of a message or a card on to delivery, which signed it."""
        return await self._pass_on("delivery", request)

    async def files(self, request: Request) -> Response:
        """Pass a link to a router's file, or of its card, on to supplier, which signed it."""
        return await self._pass_on("supplier", request)

    async def _pass_on(self, service: str, request: Request) -> Response:
        target = raw_target(request)
        if target is None:
            return problem(404, "Not found", "a path has no . or .. parts")
        return await pass_on(self._upstreams, Call(service, request, target, None))

    async def anything_else(self, request: Request) -> Response:
        """Answer 401 without a token, 404 with one."""
        token = await self._token(request)
        if isinstance(token, Response):
            return token
        return problem(404, "Not found", "there is nothing here; see /api/v1/openapi.json")

    async def _token(self, request: Request) -> Token | Response:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            return _unauthenticated("send Authorization: Bearer mst_…")
        try:
            async with self._runtime.uow.begin() as work:
                return await tokens.authenticate(work, text)
        except tokens.BadToken as bad:
            return _unauthenticated(str(bad), error='error="invalid_token"')

    def _identity(self, token: Token, service: str) -> str:
        return identity.issue(
            self._runtime.settings.secret,
            Actor(id=str(token.operator_id), via=Via.WEB),
            audience=service,
            now=self._runtime.clock.now(),
        )


def _unauthenticated(why: str, *, error: str = "") -> Response:
    answer = problem(401, "Not authenticated", why)
    answer.headers["WWW-Authenticate"] = f'Bearer realm="muster"{f", {error}" if error else ""}'
    return answer


def _out_of_scope(token: Token, method: str, service: str) -> Response:
    held = ", ".join(token.scopes)
    detail = f"this token's scopes ({held}) do not cover {method} on {service}"
    return problem(403, "Out of scope", detail, code="out_of_scope")


async def _database_away(_: Request, trouble: Exception) -> Response:
    log.warning("edge.database_away", error=reason_of(trouble))
    answer = problem(503, "Not now", "web cannot reach its database; try again shortly")
    answer.headers["Retry-After"] = "2"
    return answer


def make_app(runtime: Runtime, resolve: Resolve | None = None) -> FastAPI:
    """Return web's public app.

    Web's own routes are an app of their own behind the edge, like every other service's.

    Args:
        runtime: web's.
        resolve: returns the transport of a service that is mounted in this process (an
            ``httpx.ASGITransport``); the others are reached over HTTP.
    """
    own = httpx.ASGITransport(create_app(runtime))
    elsewhere: Resolve = resolve or (lambda _: None)
    settings = web_settings(runtime.settings)
    upstreams = open_upstreams(settings, lambda name: own if name == "web" else elsewhere(name))
    publisher = Publisher(runtime.settings)
    edge, pages = Edge(runtime, upstreams, publisher), Pages(runtime)
    app = FastAPI(title="Muster", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.runtime = runtime
    app.state.upstreams = upstreams
    app.state.on_stop = (publisher.close, upstreams.aclose)
    app.state.tls = settings.tls
    add_problem_handlers(app)
    for kind in INTERRUPTIONS:
        # Typed as BaseException for `except`; each is an Exception.
        app.add_exception_handler(cast("type[Exception]", kind), _database_away)
    # Before the open one of add_health: on the public port, metrics take a token.
    app.add_route("/metrics", edge.metrics, methods=["GET"])
    add_health(app, [runtime])
    app.add_route("/", pages.start, methods=["GET"])
    app.add_route("/signin", pages.signin, methods=["GET"])
    app.add_route("/signin", pages.open_session, methods=["POST"])
    app.add_route("/signout", pages.close_session, methods=["POST"])
    app.add_route("/workflows/start", pages.start_workflow, methods=["POST"])
    app.add_route("/static/{name}", pages.static, methods=["GET"])
    app.add_route("/u/{token}", edge.public, methods=["GET", "POST"])
    for path in ("/t/{token}", "/o/{token}", "/m/{token}", "/p/{token}"):
        app.add_route(path, edge.public, methods=["GET", "HEAD"])
    for path in ("/p/{token}/message", "/p/{token}/letter"):
        app.add_route(path, edge.public, methods=["GET", "HEAD"])
    for path in ("/f/{token}", "/f/{token}/{name}", "/r/{token}", "/r/{token}/proof"):
        app.add_route(path, edge.files, methods=["GET", "HEAD"])
    app.add_route("/api/v1/openapi.json", edge.openapi, methods=["GET"])
    for queue in Queue:
        app.add_route(f"/api/v1/events/{queue}", edge.push, methods=["POST"])
    for form in ("uuid", "int"):
        app.add_route(f"/api/v1/events/{{event_id:{form}}}", edge.event, methods=["GET"])
    app.add_route(ROUTER, edge.soap.route, methods=["POST"])
    app.add_route("/nl/jsp/schemawsdl.jsp", edge.soap.describe, methods=["GET"])
    app.add_route("/api/v1/{service}/{path:path}", edge.call, methods=METHODS)
    app.add_route("/{path:path}", edge.anything_else, methods=METHODS)
    return app
