"""The HTTP side of a service: routes behind a signed identity, health, metrics, clear problems."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from shared import identity
from shared.errors import DATA, Refused, reason_of, storable
from shared.rights import Right, require
from shared.service import Runtime
from topics.cloudevents import describe
from topics.message import Actor, Command, Message, message_types


def runtime_of(request: Request) -> Runtime:
    """Return the service's runtime (a FastAPI dependency)."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def actor_of(request: Request) -> Actor:
    """Return who calls (a FastAPI dependency); 401 without a valid identity token."""
    runtime = runtime_of(request)
    try:
        return identity.read(
            runtime.settings.secret,
            request.headers.get(identity.HEADER),
            audience=runtime.service.name,
            now=runtime.clock.now(),
        )
    except identity.NoIdentity as problem:
        raise HTTPException(401, str(problem)) from None


Caller = Annotated[Actor, Depends(actor_of)]
Here = Annotated[Runtime, Depends(runtime_of)]


async def may_read(actor: Caller, runtime: Here) -> None:
    """Let operators in who may read (a FastAPI dependency); Muster's services always may."""
    if not actor.is_system:
        async with runtime.uow.begin() as work:
            await require(work, actor, Right.READ)


async def carry_out(runtime: Runtime, command: Message) -> list[Message]:
    """Handle a command and return its answers.

    Raises:
        Refused: the command was answered with a refusal: the handler's own, with its field and
            code (the answer is published too).
    """
    done = await runtime.perform(command)
    for refusal in done.refusals:
        raise refusal
    return list(done.emitted)


def problem(status: int, title: str, detail: str, **extra: object) -> JSONResponse:
    """Return problem details (RFC 9457); a reason may quote what is no text and cannot be sent."""
    text = storable(detail)
    body = {"type": "about:blank", "title": title, "status": status, "detail": text} | {
        name: value for name, value in extra.items() if value is not None
    }
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def create_app(runtime: Runtime) -> FastAPI:
    """Return a service's ASGI app: its routes under ``/api/v1``, health and metrics."""
    name = runtime.service.name
    app = FastAPI(title=f"Muster {name}", docs_url=None, redoc_url=None)
    app.state.runtime = runtime
    add_problem_handlers(app)
    add_health(app, [runtime])
    if runtime.service.router is not None:
        app.include_router(
            runtime.service.router,
            prefix=f"/api/v1/{name}",
            tags=[name],
            dependencies=[Depends(actor_of)],
        )
    return app


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of an app problem details that name the field and repeat no value."""

    @app.exception_handler(Refused)
    async def refused(_: Request, refusal: Refused) -> Response:
        status = 403 if refusal.code == "not_allowed" else 409
        return problem(status, "Refused", refusal.reason, field=refusal.field, code=refusal.code)

    # Starlette's, which FastAPI's is a kind of: the router itself raises it (404, 405).
    @app.exception_handler(StarletteHTTPException)
    async def http(_: Request, error: StarletteHTTPException) -> Response:
        answer = problem(error.status_code, "Not accepted", str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        errors: list[dict[str, Any]] = [
            {"field": ".".join(str(part) for part in item["loc"][1:]), "reason": item["msg"]}
            for item in error.errors()
        ]
        return problem(422, "Not valid", "some fields are missing or wrong", errors=errors)

    async def unstorable(_: Request, error: Exception) -> Response:
        return problem(422, "Not valid", f"the request holds {reason_of(error)}")

    async def unfit(_: Request, error: Exception) -> Response:
        # A command that cannot be made of a request is the request's fault, an answer is ours.
        if not isinstance(error, ValidationError) or error.title not in _commands():
            raise error
        return problem(422, "Not valid", describe(error))

    app.add_exception_handler(ValidationError, unfit)
    for kind in DATA:
        app.add_exception_handler(kind, unstorable)


@cache
def _commands() -> frozenset[str]:
    return frozenset(
        kind.__name__ for kind in message_types().values() if issubclass(kind, Command)
    )


def add_health(app: FastAPI, runtimes: Sequence[Runtime]) -> None:
    """Add liveness, readiness and metrics routes."""

    @app.get("/health/live", include_in_schema=False)
    async def live() -> Response:
        return PlainTextResponse("live\n")

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> Response:
        problems = [f"{r.service.name}: {why}" for r in runtimes for why in r.problems]
        if problems:
            return PlainTextResponse("\n".join(problems) + "\n", status_code=503)
        return PlainTextResponse("ready\n")

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class _Server(uvicorn.Server):
    """A server that leaves SIGTERM to the service it is part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: FastAPI, *, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve an app until ``stop`` is set; raises ``OSError`` when the port is taken.

    An app whose ``state.tls`` holds a certificate and its key (two paths) is served over TLS. What
    its ``state.on_stop`` holds is awaited once it is served no more.
    """
    certificate, key = getattr(app.state, "tls", None) or (None, None)
    server = _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            lifespan="off",
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
    )
    task = asyncio.create_task(server.serve())
    waiter = asyncio.create_task(stop.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    waiter.cancel()
    await asyncio.wait_for(task, timeout=5)
    for close in getattr(app.state, "on_stop", ()):
        await close()
    if not server.started:
        message = f"cannot listen on {host}:{port}: the port is taken or not ours"
        raise OSError(message)
