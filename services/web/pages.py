"""The pages: start, sign-in and sign-out, and the two static files they need."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.web import sessions, tokens
from services.web.domain import Token, allows
from services.web.overview import Reader, read_overview
from services.web.settings import LOOPBACK, web_settings
from services.web.words import choose_language, words
from shared import rights
from shared.errors import NotAllowed
from shared.http import problem
from shared.rights import Right
from shared.service import Runtime
from shared.uow import Work
from topics.message import Actor, Via
from topics.workflows import Control, ControlWorkflow

HERE: Final = Path(__file__).parent
_STATIC: Final = {
    "style.css": ("text/css", (HERE / "static" / "style.css").read_text()),
    "start.js": ("text/javascript", (HERE / "static" / "start.js").read_text()),
}
_LARGEST_FORM: Final = 4096
_HIGHEST: Final = 2**62
SAFETY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
)


class Pages:
    """The pages of one web service."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = web_settings(runtime.settings)

    async def static(self, request: Request) -> Response:
        """Return a static file."""
        kind, text = _STATIC.get(request.path_params["name"], ("", ""))
        if not kind:
            return problem(404, "Not found", "there is no such file")
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=300"}
        return Response(text, media_type=kind, headers=headers)

    async def start(self, request: Request) -> Response:
        """Return the start page, or send to the sign-in."""
        if not self._named_here(request):
            return problem(421, "Misdirected", "this instance answers to its own names only")
        async with self._runtime.uow.begin() as work:
            token = await self._session(request, work)
            if token is None and not self._settings.start_page_is_open:
                return RedirectResponse("/signin", 303, headers=SAFETY)
            reader = Reader(_language(request), self._settings.zone)
            before = _number(request.query_params.get("before"))
            page = await read_overview(work.connection, reader, work.now, before=before)
        zone = self._settings.muster_zone
        return self._render(
            request, "start.html", signed_in=token is not None, page=page, zone=zone, before=before
        )

    async def signin(self, request: Request) -> Response:
        """Return the sign-in form."""
        return self._render(request, "signin.html", refused=False)

    async def open_session(self, request: Request) -> Response:
        """Open a session for the token in the form, or show the form again."""
        if sessions.from_elsewhere(request):
            return problem(403, "Refused", "this form was sent by another site")
        text = await _field(request, "token")
        async with self._runtime.uow.begin() as work:
            try:
                token = await tokens.authenticate(work, text)
            except tokens.BadToken:
                token = None
            if token is None or not await _may_read(work, token):
                return self._render(request, "signin.html", status=401, refused=True)
            now = work.now
        life = timedelta(hours=self._settings.session_hours)
        response = RedirectResponse(f"/?lang={_language(request)}", 303, headers=SAFETY)
        cookie = sessions.issue(self._settings.secret, token.token_id, now + life)
        secure = self._settings.public_url.startswith("https://")
        sessions.put(response, cookie, seconds=life.total_seconds(), secure=secure)
        return response

    async def start_workflow(self, request: Request) -> Response:
        """Ask for the start of the technical workflow in the form, as whoever is signed in."""
        if sessions.from_elsewhere(request):
            return problem(403, "Refused", "this form was sent by another site")
        name = await _field(request, "name")
        async with self._runtime.uow.begin() as work:
            token = await self._session(request, work)
            if token is None:
                return RedirectResponse("/signin", 303, headers=SAFETY)
            actor = Actor(id=str(token.operator_id), via=Via.WEB)
            if not allows(token.scopes, request.method, "workflows"):
                return problem(403, "Refused", "this session's token may not change workflows")
            try:
                await rights.require(work, actor, Right.CONTROL_WORKFLOWS)
            except NotAllowed as refusal:
                return problem(403, "Refused", refusal.reason)
            if not await _is_workflow(work, name):
                return problem(404, "Not found", "there is no such technical workflow")
            work.emit(ControlWorkflow(name=name, control=Control.START, actor=actor))
        return RedirectResponse(f"/?lang={_language(request)}", 303, headers=SAFETY)

    async def close_session(self, request: Request) -> Response:
        """Sign out."""
        if sessions.from_elsewhere(request):
            return problem(403, "Refused", "this form was sent by another site")
        response = RedirectResponse("/signin", 303, headers=SAFETY)
        response.delete_cookie(sessions.COOKIE, httponly=True, samesite="strict")
        return response

    async def _session(self, request: Request, work: Work) -> Token | None:
        cookie = request.cookies.get(sessions.COOKIE)
        token_id = sessions.read(self._settings.secret, cookie, work.now)
        token = await tokens.still_good(work, token_id) if token_id else None
        return token if token and await _may_read(work, token) else None

    def _named_here(self, request: Request) -> bool:
        """Whether the page is asked for by one of our names.

        An open page on loopback could otherwise be read by any site that points its own name at
        127.0.0.1; a page behind a sign-in has its cookie for that.
        """
        if not (self._settings.start_page_is_open and self._settings.on_loopback):
            return True
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
        return host in LOOPBACK or host == urlsplit(self._settings.public_url).hostname

    def _render(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        signed_in: bool = False,
        **more: object,
    ) -> Response:
        language = _language(request)
        text = _TEMPLATES.get_template(template).render(
            language=language,
            words=words(language),
            path=request.url.path,
            mail_url=self._settings.mail_url if signed_in or self._is_open(template) else None,
            signed_in=signed_in,
            **more,
        )
        headers = SAFETY | {"Content-Language": language, "Vary": "Accept-Language"}
        return HTMLResponse(text, status, headers=headers)

    def _is_open(self, template: str) -> bool:
        return template == "start.html" and self._settings.start_page_is_open


async def _may_read(work: Work, token: Token) -> bool:
    """Whether the token's scopes and its operator's roles let read."""
    if not {"read", "write", "admin"} & set(token.scopes):
        return False
    operator = await rights.find(work, str(token.operator_id))
    return operator is not None and operator.may(Right.READ)


async def _is_workflow(work: Work, name: str) -> bool:
    return "\x00" not in name and bool(
        await work.connection.fetchval("SELECT 1 FROM seen_workflows WHERE name = $1", name)
    )


def _language(request: Request) -> str:
    asked = request.query_params.get("lang")
    return choose_language(asked, request.headers.get("accept-language", ""))


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdecimal():
        return None
    return min(int(text[:20]), _HIGHEST)


async def _field(request: Request, name: str) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            return ""
    values = parse_qs(body.decode("latin-1")).get(name, [""])
    return values[0].strip()
