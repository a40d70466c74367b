"""Routers' proofs of a file: kept beside it, shown, approved before anything is printed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final
from uuid import UUID

from services.supplier import files
from services.supplier.domain.jobs import JobState
from services.supplier.links import review_path
from services.supplier.settings import SupplierSettings
from services.supplier.store.jobs import Job, JobStore
from shared.errors import Refused
from shared.rights import Right, require
from shared.service import Runtime
from shared.uow import Work
from topics.message import Actor
from topics.supplier import RouterProofSubmitted

MOST_BYTES: Final = 20_000_000
MEDIA_TYPES: Final = {".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg"}
# How files of these types begin; nothing else is kept or shown.
_STARTS: Final = {b"%PDF-": ".pdf", b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg"}
_PROVABLE: Final = (JobState.AWAITING_PROOF, JobState.PROOF_TO_APPROVE)


async def submit(runtime: Runtime, file_id: UUID, content: bytes, actor: Actor) -> tuple[str, str]:
    """Keep a router's proof and ask for its approval; return its name and SHA-256.

    A later proof takes the place of an earlier one, and of what was asked about it. The same one
    again asks nothing new.

    Raises:
        Refused: the actor may not, no proof of this file is awaited, or it is no PDF or picture.
        DiskProblem: it cannot be written.
    """
    settings = runtime.settings
    if not isinstance(settings, SupplierSettings):
        problem = "proofs lie where the settings of the supplier service say"
        raise TypeError(problem)
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_SUPPLIERS)
        _must_await(await JobStore(work.connection).find(file_id))
    ending = next((end for start, end in _STARTS.items() if content.startswith(start)), None)
    if ending is None or len(content) > MOST_BYTES:
        raise Refused(
            f"a proof is a PDF, PNG or JPEG of {MOST_BYTES:,} bytes at most", field="content"
        )
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"router-proof-{sha256[:12]}{ending}"
    path = files.path_of(settings.supplier_files, file_id, name)
    await files.on_disk(_write, path, content)
    async with runtime.uow.begin() as work:
        store = JobStore(work.connection)
        job = _must_await(await store.lock(file_id))
        if job.state is JobState.AWAITING_PROOF or job.proof_sha256 != sha256:
            await store.note_proof(file_id, name, sha256)
            await store.settle(file_id, JobState.PROOF_TO_APPROVE, work.now)
            work.emit(_submitted(job, name, sha256, work))
    return name, sha256


def _must_await(job: Job | None) -> Job:
    if job is None:
        raise Refused("no extraction file has this id", field="file_id")
    if job.state not in _PROVABLE:
        raise Refused(f"this file is {job.state}: no proof of it is awaited")
    return job


def _write(path: Path, content: bytes) -> None:
    with files.FileWriter(path, f"proof-{path.stem[-12:]}") as writer:
        writer.write(content)
        writer.place()


def _submitted(job: Job, name: str, sha256: str, work: Work) -> RouterProofSubmitted:
    return RouterProofSubmitted(
        campaign_id=job.campaign_id,
        run_id=job.run_id,
        file_id=job.file_id,
        proof_name=name,
        rows=job.rows,
        sha256=sha256,
        review_path=review_path(work.settings.secret, job.file_id, now=work.now),
    )
