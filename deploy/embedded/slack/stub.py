"""The stub workspace as a server: one aiohttp application on a loopback port."""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from deploy.embedded.slack.calls import TRIGGER_SECONDS, Context, Refused, Triggers
from deploy.embedded.slack.control import Control
from deploy.embedded.slack.courier import Courier
from deploy.embedded.slack.deliveries import Patience, Written
from deploy.embedded.slack.faults import Faults
from deploy.embedded.slack.http_mode import RequestUrl
from deploy.embedded.slack.methods.files import file_path, mark_uploaded, store_bytes
from deploy.embedded.slack.page import Page
from deploy.embedded.slack.people import People
from deploy.embedded.slack.responses import Responses
from deploy.embedded.slack.seed import Seed
from deploy.embedded.slack.socket_mode import SocketHub
from deploy.embedded.slack.state import Clock, MakeId, State, random_id, utc_now
from deploy.embedded.slack.transcript import Transcript, summary
from deploy.embedded.slack.web_api import WebApi
from deploy.embedded.slack.workspace import Workspace

UPLOAD_BYTES = 64 * 1024 * 1024
SAVE_SECONDS = 0.5


class SlackStub:
    """A stub Slack workspace, served while the context is open.

    Args:
        data: folder of the transcript, the snapshot and the files; kept between runs.
        port: the port on 127.0.0.1; 0 takes a free one.
        seed: people, channels and the app's tokens; a small default workspace if none is given.
        request_url: the app's URL for HTTP mode; Socket Mode without it.
        patience: how long Slack waits for an ack and when it sends again.
        trigger_seconds: how long a trigger id opens a view.
        monotonic: the seconds that triggers, paces and response URLs are measured by.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        seed: Seed | None = None,
        request_url: str | None = None,
        patience: Patience | None = None,
        trigger_seconds: float = TRIGGER_SECONDS,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        make_id: MakeId = random_id,
    ) -> None:
        self.seed = seed or Seed()
        self._data = data
        self._port = port
        self._request_url = request_url
        self._patience = patience or Patience()
        self._trigger_seconds = trigger_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._make_id = make_id
        self._stack = AsyncExitStack()
        self.url = ""

    @property
    def base_url(self) -> str:
        """The Web API's address for ``AsyncWebClient(base_url=…)``, with its last slash."""
        return f"{self.url}/api/"

    def workspace(self) -> Workspace:
        """Return a driver of this stub, to be closed by the caller (``async with``)."""
        return Workspace(self.url)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        state = State(self.seed, self._data, clock=self._clock, make_id=self._make_id)
        stack.callback(state.save)
        transcript = Transcript(self._data, self._clock)
        stack.callback(transcript.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        runner = web.AppRunner(web.Application(client_max_size=UPLOAD_BYTES), shutdown_timeout=1)
        listener = socket.create_server(("127.0.0.1", self._port))
        stack.callback(listener.close)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._routes(runner.app, state, transcript, session, stack)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()
        saving = asyncio.create_task(_keep_saving(state))
        stack.callback(saving.cancel)
        transcript.write("started", url=self.url)

    def _routes(
        self,
        app: web.Application,
        state: State,
        transcript: Transcript,
        session: aiohttp.ClientSession,
        stack: AsyncExitStack,
    ) -> None:
        triggers = Triggers(self._make_id, self._trigger_seconds, self._monotonic)
        ctx = Context(state, triggers, self.url)
        sockets = SocketHub(
            app_id=self.seed.app.app_id,
            make_id=self._make_id,
            write=transcript.write,
            changed=state.changes.note,
            patience=self._patience,
        )
        courier = Courier(
            sockets, make_id=self._make_id, write=transcript.write, patience=self._patience
        )
        stack.push_async_callback(courier.close)

        def reach(request_url: str | None) -> None:
            if request_url is None:
                courier.request_url = None
                return
            courier.request_url = RequestUrl(
                request_url,
                secret=self.seed.app.signing_secret,
                clock=self._clock,
                session=lambda: session,
                patience=self._patience,
            )

        reach(self._request_url)
        responses = Responses(ctx, monotonic=self._monotonic)
        faults = Faults(self._monotonic)
        api = WebApi(ctx, faults, sockets, transcript.write)
        control = Control(
            state=state,
            people=People(ctx, courier, responses),
            courier=courier,
            faults=faults,
            reach=reach,
        )
        front = _Front(state, responses, transcript.write)

        async def leave(_app: web.Application) -> None:
            await sockets.drop()

        app.on_shutdown.append(leave)
        app.router.add_route("*", "/api/{method}", api.serve)
        app.router.add_get("/link/", sockets.serve)
        app.router.add_post("/response/{key}", front.respond)
        app.router.add_post("/upload/{file}", front.upload)
        app.router.add_put("/upload/{file}", front.upload)
        app.router.add_get("/files/{file}/{name}", front.download)
        app.router.add_get("/archives/{channel}/{place}", front.permalink)
        app.router.add_get("/", front.page)
        app.add_subapp("/control", control.app())


class _Front:
    """What is neither the Web API nor control: the page, files and response URLs."""

    def __init__(self, state: State, responses: Responses, write: Written) -> None:
        self._state = state
        self._write = write
        self._responses = responses
        self._page = Page(state)

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._page.html(), content_type="text/html")

    async def permalink(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(f"/#{request.match_info['place']}")

    async def respond(self, request: web.Request) -> web.Response:
        body = await request.json()
        try:
            self._responses.post(request.match_info["key"], body)
        except Refused as refusal:
            self._write("response_url", args=summary(body), ok=False, error=refusal.error)
            return web.json_response(refusal.answer(), status=404)
        self._write("response_url", args=summary(body), ok=True)
        return web.Response(text="ok", content_type="text/plain")

    async def upload(self, request: web.Request) -> web.Response:
        file = self._state.rows.files.get(request.match_info["file"])
        if file is None:
            raise web.HTTPNotFound(text="no such upload")
        content = await _uploaded(request)
        await asyncio.to_thread(store_bytes, file_path(self._state, file), content)
        mark_uploaded(self._state, file, len(content))
        self._write("upload", file=file.id, bytes=len(content))
        return web.Response(text=f"OK - {len(content)}", content_type="text/plain")

    async def download(self, request: web.Request) -> web.StreamResponse:
        file = self._state.rows.files.get(request.match_info["file"])
        if file is None or not file.uploaded:
            raise web.HTTPNotFound(text="no such file")
        # Shown as a download: an uploaded page must not run on the stub's own address.
        headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        return web.FileResponse(file_path(self._state, file), headers=headers)


async def _uploaded(request: web.Request) -> bytes:
    """Return the bytes of an upload, sent raw or as the first file of a form."""
    if request.content_type != "multipart/form-data":
        return await request.read()
    for field in (await request.post()).values():
        if isinstance(field, web.FileField):
            return field.file.read()
    return b""


async def _keep_saving(state: State) -> None:
    """Save what changed, twice a second at most, so that a kill loses no more than that."""
    while True:
        await asyncio.sleep(SAVE_SECONDS)
        state.save()
