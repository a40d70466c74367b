"""Files as they are handed out: whole and unchanged, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from services.supplier import files, manifest, proofs
from services.supplier.domain.jobs import WITH_FILE
from services.supplier.press import INDEX_NAME
from services.supplier.settings import SupplierSettings
from services.supplier.store.jobs import Job, JobStore
from services.supplier.store.letters import Batch, LetterStore
from shared.service import Runtime
from topics.supplier import FileFormat

_MEDIA_TYPES: Final[dict[FileFormat, str]] = {
    FileFormat.CSV: "text/csv; charset={}",
    FileFormat.FIXED_WIDTH: "text/plain; charset={}",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileFormat.XML: "application/xml",
}


class NotThere(Exception):
    """There is no such file to hand out; the text says why."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file that can be handed out.

    Attributes:
        sha256: what it must have; ``None`` where none was recorded (the index of letters).
        content: its bytes when they are made on the spot (the manifest).
    """

    name: str
    media_type: str
    sha256: str | None = None
    content: bytes | None = None


def media_type_of(job: Job) -> str:
    """Return the type of a job's file, with its character set where it is a text."""
    return _MEDIA_TYPES[job.layout.format].format(job.layout.encoding.removesuffix("-sig"))


def items_of(job: Job, batches: list[Batch]) -> list[Item]:
    """Return what belongs to a written file: itself, its manifest, its letters."""
    note = manifest.manifest(job, batches)
    found = [
        Item(job.file_name, media_type_of(job), job.sha256),
        Item(manifest.name_of(job.file_name), "application/json", content=note),
    ]
    if job.proof_sha256 is not None:
        kind = proofs.MEDIA_TYPES[Path(job.proof_name).suffix]
        found.append(Item(job.proof_name, kind, job.proof_sha256))
    if batches:
        found.append(Item(INDEX_NAME, "text/csv; charset=utf-8"))
    return found + [Item(batch.name, "application/pdf", batch.sha256) for batch in batches]


class Shelf:
    """Hands out the files of one service.

    Args:
        runtime: its rows, and where files lie.
    """

    def __init__(self, runtime: Runtime) -> None:
        settings = runtime.settings
        if not isinstance(settings, SupplierSettings):
            problem = "files lie where the settings of the supplier service say"
            raise TypeError(problem)
        self._runtime = runtime
        self._folder: Path = settings.supplier_files

    async def items(self, file_id: UUID) -> tuple[Job, list[Item]]:
        """Return a job and what can be handed out of it.

        Raises:
            NotThere: nothing can.
        """
        async with self._runtime.pool.acquire() as connection:
            job = await JobStore(connection).find(file_id)
            batches = await LetterStore(connection).batches(file_id)
        if job is None:
            raise NotThere("no extraction file has this id")
        if job.state not in WITH_FILE:
            raise NotThere(f"this file is {job.state}: there is nothing to download")
        return job, items_of(job, batches)

    async def take(self, file_id: UUID, name: str | None = None) -> tuple[Item, bytes]:
        """Return an item, the file itself unless another is named, and its bytes.

        Raises:
            NotThere: there is no such item, or it is not on this host as it was written.
            DiskProblem: the folder cannot be read.
        """
        job, items = await self.items(file_id)
        item = next((one for one in items if one.name == (name or job.file_name)), None)
        if item is None:
            raise NotThere("this file has no part of that name")
        return item, await read(self._folder, file_id, item)


async def read(folder: Path, file_id: UUID, item: Item) -> bytes:
    """Return an item's bytes.

    Raises:
        NotThere: it is not on this host as it was written.
        DiskProblem: the folder cannot be read.
    """
    if item.content is not None:
        return item.content
    path = files.path_of(folder, file_id, item.name)
    if item.sha256 is None:
        content = await files.on_disk(files.read_if_there, path)
    else:
        content = await files.on_disk(files.read_if_intact, path, item.sha256)
    if content is None:
        raise NotThere("the file is not on this host, or was changed there")
    return content
