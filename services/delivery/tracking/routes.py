"""Links, pixels and mirror pages: open to everybody, behind signed tokens.

``/t/…`` answers with a redirect to one of our rows' targets, ``/o/….gif`` with a pixel whatever
comes, ``/m/…`` with the message as a page. Nothing a request brings decides where it leads.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from services.delivery.domain.agents import agent_of
from services.delivery.domain.tracking import MIRROR_NUMBER, OPEN_NUMBER, EventKind
from services.delivery.store.tracking import TrackingEvent
from services.delivery.tracking.personal_links import INACTIVE, NO_PIXEL
from services.delivery.tracking.targets import NoTarget, targets_of
from services.delivery.tracking.tokens import Followed, read_followed, source_of, tracking_key
from services.delivery.tracking.writer import writer_of
from shared.errors import INTERRUPTIONS, reason_of
from shared.http import runtime_of
from shared.ids import new_id
from shared.logs import logger
from shared.pages import page
from shared.service import Runtime

log = logger(__name__)

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "This link leads nowhere",
        "unknown": "The link is not valid: it may have been cut short on its way. Try it again"
        " from the message itself.",
        "gone": "What this link led to is no longer kept.",
        "proof": "This is the link of a proof. In the message itself, it shows the message as a"
        " page.",
        "proof_title": "Mirror page",
        "later": "The page cannot be found right now. It is tried again by itself in a moment.",
        "later_title": "One moment",
    },
    "fr": {
        "title": "Ce lien ne mène nulle part",
        "unknown": "Le lien n'est pas valable : il a peut-être été coupé en chemin. Réessayez"
        " depuis le message.",
        "gone": "Ce à quoi ce lien menait n'est plus conservé.",
        "proof": "Ce lien est celui d'un BAT. Dans le message lui-même, il affiche le message dans"
        " une page.",
        "proof_title": "Page miroir",
        "later": "La page est introuvable pour le moment. Un nouvel essai aura lieu dans un"
        " instant.",
        "later_title": "Un instant",
    },
}
_PIXEL: Final = b64decode(NO_PIXEL.partition(",")[2])
_QUIET: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_PIXEL_HEADERS: Final = _QUIET | {"Cross-Origin-Resource-Policy": "cross-origin"}
# An author's HTML with a recipient's data in it: it may show pictures and lead away, no more.
MIRROR_POLICY: Final = (
    "default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; font-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation"
)
_MIRROR_HEADERS: Final = _QUIET | {
    "Content-Security-Policy": MIRROR_POLICY,
    "X-Robots-Tag": "noindex",
}
_AGAIN: Final = {"Retry-After": "2", "Refresh": "2"}


async def click(request: Request) -> Response:
    """Send a reader on to where the link leads, its click written first."""
    runtime = runtime_of(request)
    followed = _read(runtime, request.path_params["token"])
    if followed is None:
        return _page(request, "unknown", status=404)
    try:
        target = await targets_of(runtime).of_click(followed)
    except NoTarget:
        return _page(request, "gone", status=404)
    except INTERRUPTIONS as problem:
        return _later(request, problem)
    if target.logged:
        await _write(request, runtime, followed, EventKind.CLICK)
    return Response(status_code=302, headers=_QUIET | {"Location": target.url})


async def opened(request: Request) -> Response:
    """Answer with the pixel, always: a broken picture would spoil a message over nothing."""
    runtime = runtime_of(request)
    followed = _read(runtime, request.path_params["token"])
    if followed is not None and followed.number == OPEN_NUMBER:
        try:
            if await targets_of(runtime).is_logged(followed):
                await _write(request, runtime, followed, EventKind.OPEN)
        except NoTarget:
            pass
        except INTERRUPTIONS as problem:
            # Nobody can tell yet whether the run follows opens; its token says that it is ours.
            log.info("tracking.open_unchecked", error=reason_of(problem))
            await _write(request, runtime, followed, EventKind.OPEN)
    return Response(_PIXEL, media_type="image/gif", headers=_PIXEL_HEADERS)


async def mirror(request: Request) -> Response:
    """Show a recipient's message as a page, made again from what was kept for it."""
    runtime, token = runtime_of(request), request.path_params["token"]
    if token == INACTIVE:
        return _page(request, "proof", title="proof_title")
    followed = _read(runtime, token)
    if followed is None or followed.number != MIRROR_NUMBER:
        return _page(request, "unknown", status=404)
    try:
        html = await targets_of(runtime).mirror(followed)
    except NoTarget:
        return _page(request, "gone", status=404)
    except INTERRUPTIONS as problem:
        return _later(request, problem)
    await _write(request, runtime, followed, EventKind.MIRROR)
    return HTMLResponse(html, headers=_MIRROR_HEADERS)


# Plain routes: the framework's own way to an argument takes longer than all the rest of a click.
TRACKING_ROUTES: Final = (
    Route("/t/{token}", click, methods=["GET"]),
    Route("/o/{token}.gif", opened, methods=["GET"]),
    Route("/m/{token}", mirror, methods=["GET"]),
)


def _read(runtime: Runtime, token: str) -> Followed | None:
    return read_followed(tracking_key(runtime.settings.secret), token)


async def _write(request: Request, runtime: Runtime, followed: Followed, kind: EventKind) -> None:
    agent = agent_of(request.method, request.headers, kind)
    told = (request.headers.get("user-agent", ""), request.headers.get("accept-language", ""))
    await writer_of(runtime).put(
        TrackingEvent(
            event_id=new_id(),
            run_id=followed.run_id,
            member_id=followed.member_id,
            kind=kind,
            url=followed.number,
            at=runtime.clock.now(),
            source=source_of(tracking_key(runtime.settings.secret), followed, *told),
            agent=agent.name,
            is_machine=agent.is_machine,
        )
    )


def _later(request: Request, problem: BaseException) -> Response:
    log.warning("tracking.no_target_yet", error=reason_of(problem))
    return _page(request, "later", title="later_title", status=503, headers=_AGAIN)


def _page(
    request: Request,
    text: str,
    *,
    title: str = "title",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return page(request, WORDS, title=title, text=text, status=status, headers=headers)
