"""The catcher's HTTP side: pages for people, JSON for tests.

Only requests addressed to this machine by name or number are answered, so that a web page
elsewhere cannot reach the mails by pointing its own name here.
"""

import asyncio
import json
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from deploy.embedded.mail.faults import FaultPlayer, FaultScript
from deploy.embedded.mail.pages import Pages
from deploy.embedded.mail.reading import header, headers_of, read
from deploy.embedded.mail.smtp import CatchAll
from deploy.embedded.mail.store import MailStore, StoredMail

_MAX_PAGE = 1_000
_LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_FAULTS = "faults"


@web.middleware
async def _only_local(request: web.Request, handler: Any) -> web.StreamResponse:
    name = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
    if name not in _LOCAL_NAMES:
        raise web.HTTPMisdirectedRequest(text="The mail catcher answers to 127.0.0.1 only.\n")
    response: web.StreamResponse = await handler(request)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal() or len(text) > 18:
        raise _bad(f"{name} must be a whole number, not {text[:40]!r}")
    return min(int(text), most)


def _bad(reason: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=json.dumps({"error": reason}), content_type="application/json")


def _summary(mail: StoredMail) -> dict[str, Any]:
    headers = headers_of(mail.raw)
    named: dict[str, list[str]] = {}
    for name, value in headers:
        named.setdefault(name.lower(), []).append(value)
    return {
        "id": mail.id,
        "received_at": mail.received_at.isoformat(),
        "mail_from": mail.mail_from,
        "recipients": list(mail.recipients),
        "size": mail.size,
        "subject": header(headers, "subject"),
        "message_id": header(headers, "message-id"),
        "headers": named,
    }


def _detail(mail: StoredMail) -> dict[str, Any]:
    found = read(mail)
    attachments = [
        {
            "index": part.index,
            "filename": part.filename,
            "content_type": part.content_type,
            "size": len(part.content),
        }
        for part in found.attachments
    ]
    return {**_summary(mail), "text": found.text, "html": found.html, "attachments": attachments}


class MailApi:
    """The JSON interface.

    Args:
        store: the mails.
        catcher: the SMTP side, whose fault script is set here.
    """

    def __init__(self, store: MailStore, catcher: CatchAll) -> None:
        self._store = store
        self._catcher = catcher
        kept = store.setting(_FAULTS)
        if kept:
            catcher.faults = FaultPlayer(FaultScript.model_validate_json(kept))

    def routes(self) -> list[web.RouteDef]:
        """Return the routes under ``/api``."""
        return [
            web.get("/api/messages", self.messages),
            web.delete("/api/messages", self.clear),
            web.get(r"/api/messages/{id:\d{1,18}}", self.message),
            web.get("/api/count", self.count),
            web.get("/api/faults", self.faults),
            web.put("/api/faults", self.set_faults),
        ]

    async def messages(self, request: web.Request) -> web.Response:
        """Return mails with an id above ``since_id``, oldest first, without their bodies.

        ``to`` asks for those to one envelope recipient.
        """
        since_id = _number(request, "since_id", 0, 2**62)
        limit = _number(request, "limit", 100, _MAX_PAGE)
        mails = await self._store.after(since_id, limit, to=request.query.get("to", ""))
        # Parsing a thousand heads takes most of a second: mails go on coming in meanwhile.
        found = await asyncio.to_thread(lambda: [_summary(mail) for mail in mails])
        return web.json_response({"messages": found})

    async def message(self, request: web.Request) -> web.Response:
        """Return one mail with its texts and attachments."""
        mail = await self._store.get(int(request.match_info["id"]))
        if mail is None:
            raise web.HTTPNotFound(
                text=json.dumps({"error": "no mail has this id"}), content_type="application/json"
            )
        return web.json_response(_detail(mail))

    async def count(self, _request: web.Request) -> web.Response:
        """Return how many mails are kept."""
        return web.json_response({"count": await self._store.count()})

    async def clear(self, _request: web.Request) -> web.Response:
        """Remove all mails."""
        return web.json_response({"removed": await self._store.clear()})

    async def faults(self, _request: web.Request) -> web.Response:
        """Return the fault script and how often each rule has hit."""
        player = self._catcher.faults
        return web.json_response({**player.script.model_dump(mode="json"), "hits": player.hits})

    async def set_faults(self, request: web.Request) -> web.Response:
        """Replace the fault script; counters start at zero; it outlives a restart."""
        try:
            script = FaultScript.model_validate_json(await request.read())
        except ValidationError as error:
            raise _bad(str(error)) from error
        self._store.keep_setting(_FAULTS, script.model_dump_json())
        self._catcher.faults = FaultPlayer(script)
        return await self.faults(request)


def application(store: MailStore, catcher: CatchAll) -> web.Application:
    """Return the web application over a store and its SMTP side."""
    app = web.Application(middlewares=[_only_local], client_max_size=1024 * 1024)
    app.add_routes(MailApi(store, catcher).routes())
    app.add_routes(Pages(store).routes())
    return app
