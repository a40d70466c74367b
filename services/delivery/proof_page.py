"""The page "See the proof" leads to: a proof as its reader will see it, behind a signed link.

The message is its author's HTML, so it stands in a frame of its own without scripts, forms,
navigation or an origin; around it stand the figures that the approval is bound to.
"""

from __future__ import annotations

from html import escape
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.delivery.links import read_proof_token
from services.delivery.store.proofs import ProofStore, Seen
from shared.http import Here
from shared.pages import language_of, page, sheet
from shared.service import Runtime

proof_router = APIRouter()

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "Proof {number} of C-{campaign}",
        "label": "Campaign",
        "subject": "Subject",
        "count": "Recipients",
        "doubles": "Doubles",
        "doubles_sent": "contacts that share an address each get their message",
        "content": "Content",
        "snapshot": "Snapshot",
        "noticed": "To look at",
        "message": "The message",
        "text": "As plain text",
        "letter": "The letter, as PDF",
        "answer": "Approve it, or ask for changes, on its card in Slack.",
        "no_proof": "Proof",
        "unknown": "This link is not valid. Use the one on the card in Slack.",
        "over": "This link has ended: it is good for seven days. Ask for a new proof.",
        "gone": "This proof is no longer kept. Ask for a new one.",
    },
    "fr": {
        "title": "BAT {number} de C-{campaign}",
        "label": "Campagne",
        "subject": "Objet",
        "count": "Destinataires",
        "doubles": "Doublons",
        "doubles_sent": ("les contacts qui partagent une adresse reçoivent chacun leur message"),
        "content": "Contenu",
        "snapshot": "Population figée",
        "noticed": "À vérifier",
        "message": "Le message",
        "text": "En texte seul",
        "letter": "Le courrier, en PDF",
        "answer": "Validez-le, ou demandez des corrections, sur sa carte dans Slack.",
        "no_proof": "BAT",
        "unknown": "Ce lien n’est pas valable. Utilisez celui de la carte dans Slack.",
        "over": "Ce lien a expiré : il est valable sept jours. Demandez un nouveau BAT.",
        "gone": "Ce BAT n’est plus conservé. Demandez-en un nouveau.",
    },
}
MESSAGE_HEADERS: Final = {
    # Without allow-scripts or allow-same-origin; pictures load, as in the mail itself.
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline';"
        " frame-ancestors 'self'"
    ),
    # Else every picture's server would be told the link.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


LETTER_HEADERS: Final = {
    "Content-Disposition": 'inline; filename="letter.pdf"',
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@proof_router.get("/p/{token}", include_in_schema=False)
async def show(token: str, request: Request, runtime: Here) -> Response:
    """Show a proof with what its approval is bound to."""
    found = await _find(runtime, token)
    language = language_of(request)
    words = WORDS[language]
    if isinstance(found, str):
        status = 410 if found == "over" else 404
        return page(request, WORDS, title="no_proof", text=found, status=status)
    title = words["title"].format(number=found.number, campaign=found.campaign_number)
    return sheet(request, title, _body(found, token, language), width="60rem")


@proof_router.get("/p/{token}/message", include_in_schema=False)
async def message(token: str, runtime: Here) -> Response:
    """Return the message alone, for the page's frame."""
    found = await _find(runtime, token)
    if isinstance(found, str):
        return HTMLResponse("", status_code=404, headers=MESSAGE_HEADERS)
    return HTMLResponse(found.html, headers=MESSAGE_HEADERS)


@proof_router.get("/p/{token}/letter", include_in_schema=False)
async def letter(token: str, runtime: Here) -> Response:
    """Return the proof's letter as PDF."""
    link = read_proof_token(runtime.settings.secret, token)
    pdf = None
    if link is not None and link.until >= runtime.clock.now():
        async with runtime.pool.acquire() as connection:
            pdf = await ProofStore(connection).letter(link.proof_id)
    if pdf is None:
        return HTMLResponse("", status_code=404, headers=MESSAGE_HEADERS)
    return Response(pdf, media_type="application/pdf", headers=LETTER_HEADERS)


async def _find(runtime: Runtime, token: str) -> Seen | str:
    """Return the proof a link shows, or the word for why it shows none."""
    link = read_proof_token(runtime.settings.secret, token)
    if link is None:
        return "unknown"
    if link.until < runtime.clock.now():
        return "over"
    return await _seen(runtime, link.proof_id) or "gone"


async def _seen(runtime: Runtime, proof_id: UUID) -> Seen | None:
    async with runtime.pool.acquire() as connection:
        return await ProofStore(connection).seen(proof_id)


def _body(proof: Seen, token: str, language: str) -> str:
    words = WORDS[language]
    facts = (
        ("label", proof.campaign_label),
        ("subject", proof.subject),
        ("count", str(proof.count)),
        *([("doubles", words["doubles_sent"])] if proof.send_doubles else []),
        ("content", proof.content_hash[:12]),
        ("snapshot", proof.snapshot_hash[:12]),
    )
    rows = "".join(f"<dt>{escape(words[name])}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    noticed = "".join(f"<li>{escape(line)}</li>" for line in _said(proof, language))
    if noticed:
        noticed = f"<h2>{escape(words['noticed'])}</h2><ul>{noticed}</ul>"
    beside = f"/p/{escape(token)}/letter"
    paper = f'<p><a href="{beside}">{escape(words["letter"])}</a></p>' if proof.has_letter else ""
    text = f"<details><summary>{escape(words['text'])}</summary><pre>{escape(proof.text)}</pre>"
    return (
        f"<dl>{rows}</dl><p>{escape(words['answer'])}</p>{noticed}"
        f'<iframe sandbox src="/p/{escape(token)}/message" title="{escape(words["message"])}">'
        f"</iframe>{paper}{text}</details>"
    )


def _said(proof: Seen, language: str) -> list[str]:
    return [one.text_fr if language == "fr" else one.text for one in proof.warnings]
