"""Files on disk, put in place whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar
from uuid import UUID

P = ParamSpec("P")
T = TypeVar("T")


class DiskProblem(Exception):
    """A file cannot be written, read or removed; the text says what to mend."""


class OutsideFolder(DiskProblem):
    """A file would lie outside the folder of the extraction files."""


async def on_disk(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run something that touches the disk beside the event loop.

    Raises:
        DiskProblem: the system refused.
    """
    try:
        return await asyncio.to_thread(function, *args, **kwargs)
    except OSError as problem:
        reason = f"SUPPLIER_FILES: {problem.strerror or type(problem).__name__}"
        raise DiskProblem(reason) from problem


def path_of(folder: Path, file_id: UUID, name: str) -> Path:
    """Return where a file lies: in a folder of its own, so that names never meet.

    Raises:
        OutsideFolder: the name, or a link on the way, leads elsewhere.
    """
    return path_in(folder, str(file_id), name)


def path_in(folder: Path, part: str, name: str) -> Path:
    """Return where a file lies in a part of a folder.

    Raises:
        OutsideFolder: a name, or a link on the way, leads elsewhere.
    """
    root = folder.resolve()
    path = root / part / name
    if path.resolve() != path or path.parent.parent != root or path.name != name:
        problem = "an extraction file would lie outside SUPPLIER_FILES: remove links from there"
        raise OutsideFolder(problem)
    return path


class FileWriter:
    """Writes a file beside its place and moves it there when all is on disk.

    Killed anywhere, it leaves the old file or the new one, never half of one.

    Args:
        path: where the file goes; its folder is made when it is missing.
        attempt: tells two writers of the same file apart.
        shared: whether other users of the host, those of its group, may read it.

    Attributes:
        size: bytes written so far.
    """

    def __init__(self, path: Path, attempt: int | str, *, shared: bool = False) -> None:
        self._path = path
        self._draft = path.parent / f".draft-{attempt}"
        self._hash = hashlib.sha256()
        self.size = 0
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750 if shared else 0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        self._file = os.fdopen(os.open(self._draft, flags, 0o640 if shared else 0o600), "wb")

    def __enter__(self) -> FileWriter:
        return self

    def write(self, piece: bytes) -> None:
        """Add a piece."""
        self._file.write(piece)
        self._hash.update(piece)
        self.size += len(piece)

    def write_all(self, pieces: Iterable[bytes]) -> None:
        """Add pieces, one after another."""
        for piece in pieces:
            self.write(piece)

    def place(self) -> str:
        """Put the file in its place, on disk; return its SHA-256 (hex)."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._path)
        _sync_folder(self._path.parent)
        return self._hash.hexdigest()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_if_there(path: Path) -> bytes | None:
    """Return a file's bytes; ``None`` when it is not on this host."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def read_if_intact(path: Path, sha256: str) -> bytes | None:
    """Return a file's bytes when it is there and is the one that was recorded."""
    content = read_if_there(path)
    intact = content is not None and hashlib.sha256(content).hexdigest() == sha256
    return content if intact else None


def remove(path: Path) -> None:
    """Remove a file with its folder and whatever a killed writer left there."""
    if not path.parent.is_dir():
        return
    shutil.rmtree(path.parent)
