"""Where the embedded servers keep things.

Two folders. What is fetched once and shared by every checkout of one user (Kafka's jars) lies in
the cache: ``$MUSTER_HOME``, else ``~/.cache/muster``. What belongs to one instance (ports, pids,
passwords, data, logs) lies under a root the caller names, ``.muster`` of the working folder by
default; two roots are two independent sets of servers.
"""

import os
import shutil
from pathlib import Path

from deploy.embedded.errors import EmbeddedError

_MIN_FREE_BYTES = 512 * 1024 * 1024


def cache_folder() -> Path:
    """Return the folder of downloaded things, made when missing."""
    named = os.environ.get("MUSTER_HOME")
    return make_folder(Path(named) if named else Path.home() / ".cache" / "muster")


def default_root() -> Path:
    """Return the folder of the instance that belongs to the working folder."""
    return Path.cwd() / ".muster"


def make_folder(path: Path) -> Path:
    """Return ``path``, absolute, made with its parents; raise EmbeddedError when it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"The folder {path} cannot be made: {error}.",
            "Name another place: --root for data, MUSTER_HOME for downloads.",
        ) from error
    return path.resolve()


def require_space(path: Path, *, min_free_bytes: int = _MIN_FREE_BYTES) -> None:
    """Raise EmbeddedError when the disk under ``path`` has less than ``min_free_bytes`` left."""
    free = shutil.disk_usage(path).free
    if free < min_free_bytes:
        raise EmbeddedError(
            f"The disk of {path} has {free // 2**20} MB left and {min_free_bytes // 2**20} MB"
            " are needed.",
            "Free some space, or name another place: --root for data, MUSTER_HOME for downloads.",
        )
