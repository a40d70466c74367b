"""HTTP routes of files: downloads for operators, and for routers behind a signed link."""

from __future__ import annotations

from html import escape
from typing import Final
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from services.supplier import manifest, proofs, wire
from services.supplier.files import DiskProblem
from services.supplier.links import NoLink, follow
from services.supplier.press import INDEX_NAME
from services.supplier.shelf import Item, NotThere, Shelf
from services.supplier.store.jobs import JobStore
from services.supplier.store.letters import LetterStore, name_of
from shared.http import Caller, Here
from shared.pages import Words, language_of, page, sheet
from shared.rights import Right, require
from shared.service import Runtime
from topics.message import Actor

router = APIRouter()
public_router = APIRouter()

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "Files for the router",
        "intro": "Campaign C-{number}, {rows} addressees. The link ends on {until} (UTC).",
        "duty": "The files hold personal data: use them for this mailing only, then delete them.",
        "unknown": "This link is not valid. Use the one in the mail.",
        "over": "This link has ended. Ask for a new one.",
        "gone": "There is nothing behind this link any more. Ask for the files again.",
    },
    "fr": {
        "title": "Fichiers pour le routeur",
        "intro": "Campagne C-{number}, {rows} destinataires. Le lien expire le {until} (UTC).",
        "duty": (
            "Les fichiers contiennent des données personnelles : utilisez-les pour ce seul envoi,"
            " puis supprimez-les."
        ),
        "unknown": "Ce lien n’est pas valable. Utilisez celui du courriel.",
        "over": "Ce lien a expiré. Demandez-en un nouveau.",
        "gone": "Il n’y a plus rien derrière ce lien. Redemandez les fichiers.",
    },
}


@router.get("/jobs/{file_id}/file")
async def download(file_id: UUID, actor: Caller, runtime: Here) -> Response:
    """Return the file itself; it holds personal data, so it takes the right to manage suppliers."""
    return await _for_operator(runtime, actor, file_id, None)


@router.get("/jobs/{file_id}/manifest")
async def show_manifest(file_id: UUID, runtime: Here) -> Response:
    """Return the file's manifest: counts and SHA-256, nobody's data."""
    try:
        job, items = await Shelf(runtime).items(file_id)
    except NotThere as problem:
        raise HTTPException(404, str(problem)) from None
    name = manifest.name_of(job.file_name)
    item = next(one for one in items if one.name == name)
    return answer(item, item.content or b"")


@router.post("/jobs/{file_id}/proof", status_code=201)
async def submit_proof(
    file_id: UUID, body: wire.ProofBody, actor: Caller, runtime: Here
) -> wire.ProofTaken:
    """Keep the router's proof and ask for its approval."""
    try:
        name, sha256 = await proofs.submit(runtime, file_id, body.content, actor)
    except DiskProblem as problem:
        raise HTTPException(503, str(problem)) from None
    return wire.ProofTaken(name=name, sha256=sha256)


@router.get("/jobs/{file_id}/proof")
async def show_proof(file_id: UUID, actor: Caller, runtime: Here) -> Response:
    """Return the router's latest proof; it may hold personal data."""
    row = await runtime.pool.fetchval("SELECT proof_name FROM jobs WHERE file_id = $1", file_id)
    return await _for_operator(runtime, actor, file_id, row or "no proof")


@router.get("/jobs/{file_id}/letters")
async def letters(file_id: UUID, runtime: Here) -> list[wire.LettersView]:
    """Return the PDF files of a job's letters; empty when addresses alone were wanted."""
    async with runtime.pool.acquire() as connection:
        return [wire.LettersView.of(one) for one in await LetterStore(connection).batches(file_id)]


@router.get("/jobs/{file_id}/letters/index")
async def letters_index(file_id: UUID, actor: Caller, runtime: Here) -> Response:
    """Return which letter stands in which file, on which pages."""
    return await _for_operator(runtime, actor, file_id, INDEX_NAME)


@router.get("/jobs/{file_id}/letters/{batch}")
async def letters_file(file_id: UUID, batch: int, actor: Caller, runtime: Here) -> Response:
    """Return one PDF file of letters; it holds personal data."""
    return await _for_operator(runtime, actor, file_id, name_of(batch))


async def _for_operator(
    runtime: Runtime, actor: Actor, file_id: UUID, name: str | None
) -> Response:
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_SUPPLIERS)
    try:
        return answer(*await Shelf(runtime).take(file_id, name))
    except NotThere as problem:
        raise HTTPException(404, str(problem)) from None
    except DiskProblem as problem:
        raise HTTPException(503, str(problem)) from None


def nowhere(request: Request, words: Words, title: str, text: str) -> Response:
    """Return the page of a link that leads nowhere: one that has ended is gone (410)."""
    return page(request, words, title=title, text=text, status=410 if text == NoLink.OVER else 404)


def answer(item: Item, content: bytes) -> Response:
    """Return a file as a download that no browser guesses about or keeps."""
    return Response(
        content,
        media_type=item.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{item.name}"',
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )


@public_router.get("/f/{token}", include_in_schema=False)
async def link(token: str, request: Request, runtime: Here) -> Response:
    """Show what a router's link gives."""
    given = follow(runtime.settings.secret, token, now=runtime.clock.now())
    if isinstance(given, NoLink):
        return nowhere(request, WORDS, "title", given)
    try:
        job, items = await Shelf(runtime).items(given.file_id)
    except NotThere:
        return nowhere(request, WORDS, "title", "gone")
    words = WORDS[language_of(request)]
    until = f"{given.until:%Y-%m-%d %H:%M}"
    intro = words["intro"].format(number=job.campaign_number, rows=job.rows, until=until)
    # Relative to /f/<token>: the page may stand behind a proxy under another path.
    listed = "".join(
        f'<li><a href="{escape(token)}/{escape(one.name)}" download>{escape(one.name)}</a></li>'
        for one in items
    )
    body = f"<p>{escape(intro)}</p><ul>{listed}</ul><p>{escape(words['duty'])}</p>"
    return sheet(request, words["title"], body)


@public_router.get("/f/{token}/{name}", include_in_schema=False)
async def linked_file(token: str, name: str, request: Request, runtime: Here) -> Response:
    """Return a file behind a router's link, and note that it was fetched."""
    given = follow(runtime.settings.secret, token, now=runtime.clock.now())
    if isinstance(given, NoLink):
        return nowhere(request, WORDS, "title", given)
    try:
        item, content = await Shelf(runtime).take(given.file_id, name)
    except (NotThere, DiskProblem):
        return nowhere(request, WORDS, "title", "gone")
    async with runtime.uow.begin() as work:
        await JobStore(work.connection).note_download(given.file_id, item.name, work.now)
    return answer(item, content)
