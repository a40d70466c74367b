"""How many followed links a second one process answers, each click committed before its answer.

The app is called as a server calls it (ASGI), so neither a socket nor a client takes its time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from fastapi import FastAPI

from services.delivery.app import SERVICE, make_app
from services.delivery.tracking.tokens import Signed, tracking_key
from services.delivery.tracking.workflows import consolidate_tracking
from services.delivery.tracking.writer import run_tracking_writer
from shared.ids import new_id
from shared.service import Runtime, open_runtime
from tests.bench.databases import instance
from tests.bench.results import Figure
from tests.servers import Servers
from topics.delivery import SaveTemplate
from topics.message import Actor, Via
from topics.operators import OperatorState, Role

CLICKS: Final = 20_000
AT_ONCE: Final = 200
LINKS: Final = 20
TOKENS: Final = 20_000
_RUN: Final = """
INSERT INTO runs (run_id, kind, state, template_hash, count, filled, retry_until, asked_at)
SELECT $1, 'campaign', 'started', template_hash, 0, true, now(), now() FROM templates
"""
_HEADERS: Final = [(b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")]


async def one_run(servers: Servers) -> tuple[float, float]:
    """Return clicks answered a second, and events consolidated a second."""
    async with instance(servers, SERVICE) as (settings, _):
        runtime = await open_runtime(SERVICE, settings)
        stop = asyncio.Event()
        writer = asyncio.create_task(run_tracking_writer(runtime, stop))
        try:
            tokens = await _tokens(runtime)
            app = make_app(runtime)
            await _get(app, next(tokens))
            started = time.perf_counter()
            await asyncio.gather(*(_browse(app, tokens) for _ in range(AT_ONCE)))
            clicked = CLICKS / (time.perf_counter() - started)
            return clicked, await _consolidated(runtime)
        finally:
            stop.set()
            await writer
            await runtime.pool.close()


async def _tokens(runtime: Runtime) -> Iterator[str]:
    """Return the tokens of so many recipients of a content that is followed."""
    manager, run_id = new_id(), new_id()
    await runtime.execute(
        OperatorState(operator_id=manager, version=1, name="Bench", roles=(Role.MANAGER,))
    )
    await runtime.execute(
        SaveTemplate(
            template_id=new_id(),
            actor=Actor(id=str(manager), via=Via.CLI),
            label="Bench",
            subject="Bench",
            body='<a href="https://shop.example/spring">Shop</a>',
            from_address="news@example.org",
            track_clicks=True,
        )
    )
    await runtime.pool.execute(_RUN, run_id)
    key = tracking_key(runtime.settings.secret)
    return iter([Signed(key, run_id, new_id(), most=4).token(4) for _ in range(CLICKS + 1)])


async def _browse(app: FastAPI, tokens: Iterator[str]) -> None:
    for token in tokens:
        await _get(app, token)


async def _get(app: FastAPI, token: str) -> None:
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": f"/t/{token}",
        "raw_path": f"/t/{token}".encode(),
        "query_string": b"",
        "root_path": "",
        "headers": _HEADERS,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 443),
    }
    await app(scope, receive, send)
    if said[0]["status"] != 302:
        message = f"a link was answered {said[0]['status']}"
        raise RuntimeError(message)


async def _consolidated(runtime: Runtime) -> float:
    started, done, more = time.perf_counter(), 0, True
    while more:
        async with runtime.uow.begin() as work:
            step = await consolidate_tracking(work)
        done, more = done + step.rows_in, step.more
    if done < CLICKS:
        message = f"{CLICKS} clicks were answered, {done} written"
        raise RuntimeError(message)
    return done / (time.perf_counter() - started)


def signed_per_s(secret: bytes) -> float:
    """Return for how many recipients a second the tokens of 20 links are made."""
    key, run_id = tracking_key(secret), new_id()
    members = [UUID(int=n) for n in range(TOKENS)]
    started = time.perf_counter()
    for member_id in members:
        signed = Signed(key, run_id, member_id, most=LINKS + 3)
        for number in range(4, LINKS + 4):
            signed.token(number)
    return TOKENS / (time.perf_counter() - started)


async def measure(servers: Servers, *, runs: int) -> list[Figure]:
    """Measure ``runs`` times."""
    found = [await one_run(servers) for _ in range(runs)]
    return [
        Figure(
            "delivery.tracking_links_per_s",
            "links/s",
            [clicks for clicks, _ in found],
            None,
            "one core of Python; each click committed before its redirect, many a commit",
        ),
        Figure(
            "delivery.tracking_consolidated_per_s",
            "events/s",
            [consolidated for _, consolidated in found],
            None,
            "PostgreSQL: the update of each row and its three indexes",
        ),
        Figure(
            "delivery.tracking_signed_per_s",
            "recipients/s",
            [signed_per_s(b"a-secret-for-benchmarks-only") for _ in range(runs)],
            None,
            f"one core of Python; {LINKS} links each",
        ),
    ]
