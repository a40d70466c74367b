"""A lock between processes, which the kernel drops when its holder dies, however it dies."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.embedded.errors import EmbeddedError

_POLL_SECONDS = 0.05


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 64, 0).decode("ascii", "replace").strip() or "unknown"


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f"The lock {path} cannot be opened: {error.strerror}.",
            "Be the user whose folder this is, or name another place: --root for data,"
            " MUSTER_HOME for downloads.",
        ) from error


@asynccontextmanager
async def folder_lock(path: Path, *, timeout_seconds: float = 300.0) -> AsyncIterator[None]:
    """Hold the lock file ``path`` inside the block.

    Raises:
        EmbeddedError: when another process still holds it after ``timeout_seconds``.
    """
    descriptor = _open(path)
    try:
        deadline = time.monotonic() + timeout_seconds
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"Process {_holder(descriptor)} has held {path} for {timeout_seconds:.0f} s.",
                    "Wait for it, or end that process: the lock goes with it.",
                )
            await asyncio.sleep(_POLL_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
