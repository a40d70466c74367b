"""The unsubscribe page: open to everybody, behind a signed link. GET shows, POST acts."""

from __future__ import annotations

from html import escape
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.delivery.approving import SERVICE
from services.delivery.links import PROOF_LINK, read_token
from services.delivery.store.consents import ConsentStore
from shared.http import Here
from topics.targeting import RecordConsent

public_router = APIRouter()

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "Unsubscribe",
        "ask": "Do you want to receive no more messages of this kind at this address?",
        "button": "Unsubscribe",
        "done": "You will receive no more of these messages.",
        "unknown": "This link is not valid. Use the link of the latest message you received.",
        "proof": "This link belongs to a proof. In the message itself, it unsubscribes its reader.",
    },
    "fr": {
        "title": "Se désabonner",
        "ask": "Souhaitez-vous ne plus recevoir de messages de ce type à cette adresse ?",
        "button": "Se désabonner",
        "done": "Vous ne recevrez plus ces messages.",
        "unknown": "Ce lien n'est pas valable. Utilisez celui du dernier message reçu.",
        "proof": "Ce lien est celui d'un BAT. Dans le message lui-même, il désabonne son lecteur.",
    },
}
_PAGE: Final = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"></head>
<body style="font-family:sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem">
<h1>{title}</h1><p>{text}</p>{form}</body></html>
"""
_FORM: Final = (
    '<form method="post"><button type="submit" style="font-size:1rem;padding:.6rem 1.2rem">'
    "{button}</button></form>"
)
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def _language(request: Request) -> str:
    wanted = request.headers.get("accept-language", "").strip().lower()
    if wanted:
        return "fr" if wanted.startswith("fr") else "en"
    language: str = request.app.state.runtime.settings.muster_language
    return language


def _page(request: Request, text: str, *, form: bool = False, status: int = 200) -> Response:
    language = _language(request)
    words = WORDS[language]
    page = _PAGE.format(
        language=language,
        title=escape(words["title"]),
        text=escape(words[text]),
        form=_FORM.format(button=escape(words["button"])) if form else "",
    )
    return HTMLResponse(page, status_code=status, headers=_HEADERS)


@public_router.get("/u/{token}", include_in_schema=False)
async def ask(token: str, request: Request, runtime: Here) -> Response:
    """Show the button. Mail scanners follow links, so looking changes nothing."""
    if token == PROOF_LINK:
        return _page(request, "proof")
    if read_token(runtime.settings.secret, token) is None:
        return _page(request, "unknown", status=404)
    return _page(request, "ask", form=True)


@public_router.post("/u/{token}", include_in_schema=False)
async def unsubscribe(token: str, request: Request, runtime: Here) -> Response:
    """Opt a recipient out at once here, and in the directory by a command."""
    if token == PROOF_LINK:
        return _page(request, "proof")
    link = read_token(runtime.settings.secret, token)
    if link is None:
        return _page(request, "unknown", status=404)
    async with runtime.uow.begin() as work:
        await ConsentStore(work.connection).record(
            link.recipient_key, "email", opted_out=True, at=work.now, recorded_at=work.now
        )
        work.emit(
            RecordConsent(
                recipient_key=link.recipient_key,
                channel="email",
                opted_out=True,
                actor=SERVICE,
                at=work.now,
            )
        )
    return _page(request, "done")
