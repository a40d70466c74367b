"""The user under whom PostgreSQL runs when root starts it, and what that user can reach.

Nothing here changes the permissions of a folder that was there before. When the environment or
the data lie under a folder the user may not enter (``/root`` is closed to others), the binaries
are copied and the data kept below ``/var/tmp/muster-root``, which belongs to root and lets others
pass through.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.process import RunAs

SHELTER = Path("/var/tmp/muster-root")  # noqa: S108 - ownership and mode are checked before use
_USER = "nobody"
_OWNER_NOTE = "belongs-to"


def unprivileged_user() -> RunAs | None:
    """Return the user to run servers as, None when this process is not root's."""
    if os.geteuid() != 0:
        return None
    name = os.environ.get("MUSTER_SERVER_USER", _USER)
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and there is no user {name!r} to run it as.",
            "Name an existing unprivileged user in MUSTER_SERVER_USER, or do not run as root.",
        ) from error
    return RunAs(entry.pw_uid, entry.pw_gid)


def may_enter(path: Path, run_as: RunAs) -> bool:
    """Return whether the user may pass through ``path`` and every folder above it."""
    return all(_may(folder, run_as, stat.S_IXOTH) for folder in (path, *path.parents))


def _may(path: Path, run_as: RunAs, other_bit: int) -> bool:
    status = path.stat()
    if status.st_uid == run_as.uid:
        return bool(status.st_mode & (other_bit << 6))
    if status.st_gid == run_as.gid:
        return bool(status.st_mode & (other_bit << 3))
    return bool(status.st_mode & other_bit)


def _open_folder(path: Path) -> Path:
    """Return a folder of root's that others may pass through, made when missing."""
    try:
        path.mkdir()
    except FileExistsError:
        return path
    path.chmod(0o755)  # whatever the umask says; it is ours and new
    return path


def _shelter() -> Path:
    status = _open_folder(SHELTER).lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or status.st_mode & 0o022:
        raise EmbeddedError(
            f"{SHELTER} is not a folder that only root may write to.",
            "Somebody else made it: look at it, remove it, and start again.",
        )
    return SHELTER


def home_for(folder: Path, run_as: RunAs) -> Path:
    """Return where data of ``folder`` can belong to the user: itself, or a place in the shelter."""
    if may_enter(folder, run_as):
        return folder
    _clear_abandoned(_shelter())
    home = _open_folder(SHELTER / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16])
    (home / _OWNER_NOTE).write_text(f"{folder}\n", encoding="utf-8")
    return home


def _clear_abandoned(shelter: Path) -> None:
    """Remove homes whose folder was removed, unless a server still runs there."""
    for note in shelter.glob(f"*/{_OWNER_NOTE}"):
        folder = Path(note.read_text(encoding="utf-8").strip())
        served = (note.parent / "data" / "postmaster.pid").exists()
        if not served and _was_removed(folder):
            shutil.rmtree(note.parent, ignore_errors=True)


def _was_removed(folder: Path) -> bool:
    above = next(path for path in (folder, *folder.parents) if path.exists())
    # An empty folder above may be where a disk belongs that is not mounted now.
    return above != folder and any(above.iterdir())


def reachable_binaries(install: Path, run_as: RunAs) -> Path:
    """Return an installation the user can run: the given one, or a copy in the shelter.

    Raises:
        EmbeddedError: when the user cannot run the copy either.
    """
    if may_enter(install / "bin", run_as) and _runs(install, run_as):
        return install
    status = (install / "bin" / "postgres").stat()
    mark = hashlib.sha256(f"{status.st_size}-{status.st_mtime_ns}".encode()).hexdigest()[:12]
    whole = _shelter() / f"{install.name}-{mark}"
    if not whole.exists():
        _copy_whole(install, whole)
    copy = whole / install.parent.name / install.name
    if not _runs(copy, run_as):
        raise EmbeddedError(
            f"User {run_as.uid} can run PostgreSQL's programs neither in {install} nor in {copy}.",
            "Look whether that disk forbids running programs (noexec), or do not run as root.",
        )
    return copy


def _copy_whole(install: Path, whole: Path) -> None:
    """Copy an installation and, where the wheel puts them beside its package, its libraries."""
    part = whole.with_name(f".{whole.name}.{os.getpid()}")
    package, libraries = install.parent, install.parent.with_name(f"{install.parent.name}.libs")
    _open_folder(_open_folder(part) / package.name)
    shutil.copytree(
        install,
        part / package.name / install.name,
        symlinks=True,
        ignore=shutil.ignore_patterns("include"),
    )
    if libraries.is_dir():
        shutil.copytree(libraries, part / libraries.name)
    for path in part.rglob("*"):
        _let_read(path)
    try:
        part.replace(whole)
    except OSError:  # another process was faster
        shutil.rmtree(part, ignore_errors=True)


def _let_read(path: Path) -> None:
    """Let others read a file of our own copy, and run it where its owner may."""
    if path.is_symlink():
        return
    mode = path.stat().st_mode
    path.chmod(mode | 0o055 if mode & stat.S_IXUSR else mode | 0o044)


def _runs(install: Path, run_as: RunAs) -> bool:
    return all(_answers(install / "bin" / name, run_as) for name in ("postgres", "initdb"))


def _answers(program: Path, run_as: RunAs) -> bool:
    try:
        answer = subprocess.run(  # noqa: S603 - a program of the wheel
            [str(program), "--version"],
            user=run_as.uid,
            group=run_as.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0
