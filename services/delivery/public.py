"""The unsubscribe page: open to everybody, behind a signed link. GET shows, POST acts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request, Response

from services.delivery.approving import SERVICE
from services.delivery.domain.tracking import OPT_OUT_NUMBER
from services.delivery.links import PROOF_LINK, read_token
from services.delivery.store.consents import ConsentStore
from services.delivery.store.tracking import TrackingStore
from shared.http import Here
from shared.ids import new_id
from shared.pages import page
from topics.targeting import RecordConsent

public_router = APIRouter()

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "Unsubscribe",
        "ask": "Do you want to receive no more messages of this kind at this address?",
        "button": "Unsubscribe",
        "done": "You will receive no more of these messages.",
        "unknown": "This link is not valid. Use the link of the latest message you received.",
        "over": "This link is over a year old. Use the link of the latest message you received.",
        "proof": "This link belongs to a proof. In the message itself, it unsubscribes its reader.",
    },
    "fr": {
        "title": "Se désabonner",
        "ask": "Souhaitez-vous ne plus recevoir de messages de ce type à cette adresse ?",
        "button": "Se désabonner",
        "done": "Vous ne recevrez plus ces messages.",
        "unknown": "Ce lien n'est pas valable. Utilisez celui du dernier message reçu.",
        "over": "Ce lien a plus d'un an. Utilisez celui du dernier message reçu.",
        "proof": "Ce lien est celui d'un BAT. Dans le message lui-même, il désabonne son lecteur.",
    },
}


def _page(request: Request, text: str, *, form: bool = False, status: int = 200) -> Response:
    button = "button" if form else None
    return page(request, WORDS, title="title", text=text, button=button, status=status)


@public_router.get("/u/{token}", include_in_schema=False)
async def ask(token: str, request: Request, runtime: Here) -> Response:
    """Show the button. Mail scanners follow links, so looking changes nothing."""
    if token == PROOF_LINK:
        return _page(request, "proof")
    link = read_token(runtime.settings.secret, token)
    if link is None:
        return _page(request, "unknown", status=404)
    if runtime.clock.now().date() > link.until:
        return _page(request, "over", status=410)
    return _page(request, "ask", form=True)


@public_router.post("/u/{token}", include_in_schema=False)
async def unsubscribe(token: str, request: Request, runtime: Here) -> Response:
    """Opt a recipient out at once here, and in the directory by a command (RFC 8058).

    Mail readers post without cookie or sign-in and follow nothing: the answer is the page itself.
    A second time changes nothing, unless the recipient opted in again meanwhile.
    """
    if token == PROOF_LINK:
        return _page(request, "proof")
    link = read_token(runtime.settings.secret, token)
    if link is None:
        return _page(request, "unknown", status=404)
    if runtime.clock.now().date() > link.until:
        return _page(request, "over", status=410)
    async with runtime.uow.begin() as work:
        consents = ConsentStore(work.connection)
        known = link.recipient_key in await consents.opted_out([link.recipient_key], "email")
        await consents.record(
            link.recipient_key, "email", opted_out=True, at=work.now, recorded_at=work.now
        )
        await TrackingStore(work.connection).opted_out(
            new_id(), link.run_id, link.recipient_key, number=OPT_OUT_NUMBER, at=work.now
        )
        if not known:
            work.emit(_opted_out(link.recipient_key, work.now))
    return _page(request, "done")


def _opted_out(recipient_key: str, at: datetime) -> RecordConsent:
    return RecordConsent(
        recipient_key=recipient_key, channel="email", opted_out=True, actor=SERVICE, at=at
    )
