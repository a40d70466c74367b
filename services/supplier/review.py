"""The page that a card of a file leads to: what is approved, its first rows, the router's proof.

It is behind a signed link, so it shows a few rows as the page of a message's proof shows one
reader's: the whole file takes the right to manage suppliers.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

import asyncpg
from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.supplier.api_files import answer, nowhere
from services.supplier.domain.layout import REFERENCE, reference_of, titles_of
from services.supplier.files import DiskProblem
from services.supplier.links import FOR_REVIEW, NoLink, follow
from services.supplier.shelf import NotThere, Shelf
from services.supplier.store.jobs import Job, JobStore
from shared.http import Here
from shared.pages import language_of, sheet

review_router = APIRouter()

SHOWN_ROWS: Final = 10
WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "File for the router of C-{number}",
        "campaign": "Campaign",
        "file": "File",
        "rows": "Addressees",
        "sha256": "SHA-256",
        "format": "Format",
        "replaced": "Characters its encoding lacks",
        "cut": "Values cut to their width",
        "first": "Its first rows",
        "proof": "The router's proof",
        "answer": "Approve it, or ask for changes, on its card in Slack.",
        "duty": "These are personal data: look at them, and keep no copy.",
        "none": "File",
        "unknown": "This link is not valid. Use the one on the card in Slack.",
        "over": "This link has ended: it is good for seven days.",
        "gone": "There is nothing behind this link any more.",
    },
    "fr": {
        "title": "Fichier pour le routeur de C-{number}",
        "campaign": "Campagne",
        "file": "Fichier",
        "rows": "Destinataires",
        "sha256": "SHA-256",
        "format": "Format",
        "replaced": "Caractères absents de son codage",
        "cut": "Valeurs coupées à leur largeur",
        "first": "Ses premières lignes",
        "proof": "Le BAT du routeur",
        "answer": "Validez-le, ou demandez des corrections, sur sa carte dans Slack.",
        "duty": "Ce sont des données personnelles : regardez-les, n’en gardez pas de copie.",
        "none": "Fichier",
        "unknown": "Ce lien n’est pas valable. Utilisez celui de la carte dans Slack.",
        "over": "Ce lien a expiré : il est valable sept jours.",
        "gone": "Il n’y a plus rien derrière ce lien.",
    },
}


@review_router.get("/r/{token}", include_in_schema=False)
async def show(token: str, request: Request, runtime: Here) -> Response:
    """Show a file as its reviewers are asked about it."""
    link = follow(runtime.settings.secret, token, FOR_REVIEW, now=runtime.clock.now())
    if isinstance(link, NoLink):
        return _none(request, link)
    try:
        job, _ = await Shelf(runtime).items(link.file_id)
    except NotThere:
        return _none(request, "gone")
    async with runtime.pool.acquire() as connection:
        rows = await JobStore(connection).rows_after(link.file_id, -1, SHOWN_ROWS)
    words = WORDS[language_of(request)]
    title = words["title"].format(number=job.campaign_number)
    return sheet(request, title, _body(job, rows, token, words), width="60rem")


@review_router.get("/r/{token}/proof", include_in_schema=False)
async def proof(token: str, request: Request, runtime: Here) -> Response:
    """Return the router's latest proof of a file."""
    link = follow(runtime.settings.secret, token, FOR_REVIEW, now=runtime.clock.now())
    if isinstance(link, NoLink):
        return _none(request, link)
    shelf = Shelf(runtime)
    try:
        job, _ = await shelf.items(link.file_id)
        return answer(*await shelf.take(link.file_id, job.proof_name or "no proof"))
    except (NotThere, DiskProblem):
        return _none(request, "gone")


def _none(request: Request, word: str) -> Response:
    return nowhere(request, WORDS, "none", word)


def _body(job: Job, rows: Sequence[asyncpg.Record], token: str, words: dict[str, str]) -> str:
    facts = [
        ("campaign", job.campaign_label),
        ("file", job.file_name),
        ("rows", f"{job.rows:,}"),
        ("sha256", job.sha256 or ""),
        ("format", job.layout.format.value),
        *((name, str(count)) for name, count in _changed(job) if count),
    ]
    shown = "".join(f"<dt>{words[name]}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    # Relative to /r/<token>: the page may stand behind a proxy under another path.
    link = f'<p><a href="{escape(token)}/proof" download>{words["proof"]}</a></p>'
    return (
        f"<dl>{shown}</dl>{link if job.proof_sha256 else ''}<p>{words['answer']}</p>"
        f"<h2>{words['first']}</h2>{_table(job, rows)}<p>{words['duty']}</p>"
    )


def _changed(job: Job) -> tuple[tuple[str, int], ...]:
    return ("replaced", job.replaced), ("cut", job.cut)


def _table(job: Job, rows: Sequence[asyncpg.Record]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles_of(job.layout, job.columns))
    lines = "".join(f"<tr>{_cells(job, row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{lines}</table>"


def _cells(job: Job, row: asyncpg.Record) -> str:
    values = dict(row) | {REFERENCE: reference_of(row["ordinal"])}
    return "".join(f"<td>{escape(str(values[name]))}</td>" for name in job.columns)
