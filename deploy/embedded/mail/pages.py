"""The catcher's pages. A mail's HTML is a stranger: it is shown in a frame that runs no script."""

import re
from pathlib import Path
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.embedded.mail.reading import Part, ReadMail, header, headers_of, read
from deploy.embedded.mail.store import MailStore, StoredMail
from deploy.embedded.mail.words import choose_language, words

_PAGE = 50
_HERE = Path(__file__).parent
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# Links open in a new, ordinary tab, so that an unsubscribe link can be tried from here.
FRAME_SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_CID = re.compile(r"""cid:([^"'\s)>]+)""", re.IGNORECASE)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["size"] = human_size
    return environment


def human_size(octets: int) -> str:
    """Return a size in bytes, kB or MB."""
    if octets < 1_000:
        return f"{octets} B"
    return f"{octets / 1_000:.1f} kB" if octets < 1_000_000 else f"{octets / 1_000_000:.1f} MB"


class Pages:
    """The pages over a store."""

    def __init__(self, store: MailStore) -> None:
        self._store = store
        self._environment = _environment()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the pages."""
        return [
            web.get("/", self.index),
            web.get("/style.css", self.style),
            web.get(r"/messages/{id:\d{1,18}}", self.message),
            web.get(r"/messages/{id:\d{1,18}}/html", self.html),
            web.get(r"/messages/{id:\d{1,18}}/raw", self.raw),
            web.get(r"/messages/{id:\d{1,18}}/parts/{index:\d{1,6}}", self.part),
        ]

    def _render(
        self, request: web.Request, template: str, status: int = 200, **values: object
    ) -> web.Response:
        language = choose_language(
            request.query.get("lang"), request.headers.get("Accept-Language", "")
        )
        text = self._environment.get_template(template).render(
            words=words(language), language=language, path=request.path, **values
        )
        return web.Response(
            text=text,
            status=status,
            content_type="text/html",
            headers={"Content-Security-Policy": _POLICY, "Content-Language": language},
        )

    async def index(self, request: web.Request) -> web.Response:
        """Show a page of mails, newest first."""
        before = request.query.get("before", "")
        bound = int(before) if before.isdecimal() and len(before) < 19 else None
        mails = await self._store.before(bound, _PAGE + 1)
        shown = mails[:_PAGE]
        return self._render(
            request,
            "index.html",
            rows=[(mail, headers_of(mail.raw)) for mail in shown],
            header=header,
            count=await self._store.count(),
            older=shown[-1].id if len(mails) > _PAGE else None,
            first_page=bound is None,
        )

    async def _mail(self, request: web.Request) -> StoredMail | None:
        return await self._store.get(int(request.match_info["id"]))

    async def message(self, request: web.Request) -> web.Response:
        """Show one mail."""
        mail = await self._mail(request)
        if mail is None:
            return self._render(request, "missing.html", status=404)
        found = read(mail)
        return self._render(
            request,
            "message.html",
            mail=mail,
            found=found,
            subject=header(found.headers, "subject"),
            header=header,
            sandbox=FRAME_SANDBOX,
            remote="1" if request.query.get("remote") == "1" else "0",
        )

    async def html(self, request: web.Request) -> web.Response:
        """Return a mail's HTML for the frame: no script, no form, by default nothing remote."""
        mail = await self._mail(request)
        found = read(mail) if mail else None
        if mail is None or found is None or found.html is None:
            raise web.HTTPNotFound
        own = f"{request.scheme}://{request.host}/messages/{mail.id}/parts/"
        remote = " http: https:" if request.query.get("remote") == "1" else ""
        policy = (
            f"default-src 'none'; style-src 'unsafe-inline'{remote}; font-src data:{remote};"
            f" img-src data: {own}{remote}; form-action 'none'; frame-ancestors 'self';"
            f" sandbox {FRAME_SANDBOX}"
        )
        return web.Response(
            text=framed(mail.id, found),
            content_type="text/html",
            headers={"Content-Security-Policy": policy},
        )

    async def raw(self, request: web.Request) -> web.Response:
        """Return a mail's bytes: to look at, or with ``save=1`` as a file."""
        mail = await self._mail(request)
        if mail is None:
            raise web.HTTPNotFound
        if request.query.get("save") == "1":
            return _download(mail.raw, "message/rfc822", f"mail-{mail.id}.eml")
        text = mail.raw.decode("utf-8", "replace")
        return web.Response(text=text, content_type="text/plain", charset="utf-8")

    async def part(self, request: web.Request) -> web.Response:
        """Return one part: a picture as a picture, anything else as a file to save."""
        mail = await self._mail(request)
        parts = read(mail).parts if mail else ()
        index = int(request.match_info["index"])
        if index >= len(parts):
            raise web.HTTPNotFound
        part = parts[index]
        if part.content_type in _PICTURES and not part.is_attachment:
            return web.Response(body=part.content, content_type=part.content_type)
        return _download(part.content, "application/octet-stream", part.filename or f"part-{index}")

    async def style(self, _request: web.Request) -> web.FileResponse:
        """Return the style sheet."""
        return web.FileResponse(_HERE / "templates" / "style.css")


def _download(content: bytes, content_type: str, filename: str) -> web.Response:
    name = quote(filename.replace("/", "_")[-150:], safe="")
    return web.Response(
        body=content,
        content_type=content_type,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
    )


def framed(mail_id: int, mail: ReadMail) -> str:
    """Return a mail's HTML with its own pictures reachable and its links opening in a new tab."""
    by_id: dict[str, Part] = {part.content_id: part for part in mail.parts if part.content_id}

    def picture(match: re.Match[str]) -> str:
        part = by_id.get(match[1])
        return f"/messages/{mail_id}/parts/{part.index}" if part else match[0]

    html = _CID.sub(picture, mail.html or "")
    base = '<base target="_blank">'
    head = _HEAD.search(html)
    return f"{html[: head.end()]}{base}{html[head.end() :]}" if head else f"{base}{html}"
