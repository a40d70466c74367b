"""How long a newcomer waits: ``make demo ONCE=1`` and ``make test``, first and second time.

Each is run in a fresh clone of the commit checked out here, with empty package caches and a PATH
that has no Java, PostgreSQL, Docker or uv on it: as whoever runs this and, when that is root, as a
plain user made for it and removed afterwards.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.results import Figure

REPOSITORY: Final = Path(__file__).parent.parent.parent
COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "demo": ("make", "demo", "ONCE=1"),
    "test": ("make", "test"),
}
ABSENT: Final = ("java", "psql", "postgres", "initdb", "pg_", "docker", "podman", "uv")
"""Beginnings of what a newcomer's machine may lack: the fresh clone must not find it."""
PASSED_ON: Final = ("LANG", "PIP_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_", "HTTP")
"""Beginnings of the variables that say how this machine reaches package registries."""
LIMIT_SECONDS: Final = 30 * 60
"""A run that takes longer is a failure, not a figure."""
PLAIN_USER: Final = "muster-timing"


class Failed(Exception):
    """A timed command did not end well; the last lines it printed tell why."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who runs the commands, and where: an empty folder of their own."""

    name: str
    user: pwd.struct_passwd
    folder: Path

    @property
    def clone(self) -> Path:
        """The fresh clone."""
        return self.folder / "muster"

    @property
    def environment(self) -> dict[str, str]:
        """Their variables: caches of their own, and the way to the registries."""
        passed = {
            name: value for name, value in os.environ.items() if name.upper().startswith(PASSED_ON)
        }
        return passed | {
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder / "home"),
            "MUSTER_HOME": str(self.folder / "muster-home"),
            "PIP_CACHE_DIR": str(self.folder / "pip-cache"),
            "TMPDIR": str(self.folder / "tmp"),
        }

    def seconds(self, command: Sequence[str]) -> float:
        """Run a command in the clone; return how long it took.

        Raises:
            Failed: it exited with another code than 0, or took over ``LIMIT_SECONDS``.
        """
        log = self.folder / "log"
        started = time.perf_counter()
        with log.open("ab") as written:
            code = _run(self, command, written.fileno())
        if code:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
            raise Failed(f"{' '.join(command)} as {self.name} in {self.clone}: exit {code}\n{tail}")
        return time.perf_counter() - started


def _run(newcomer: Newcomer, command: Sequence[str], output: int) -> int:
    """Return a command's exit code; 124, as of timeout(1), when it took too long."""
    user = newcomer.user
    other = user.pw_uid != os.getuid()
    environment = newcomer.environment
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        raise Failed(f"there is no {command[0]} on this machine")
    process = subprocess.Popen(
        [program, *command[1:]],
        cwd=newcomer.clone,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        user=user.pw_uid if other else None,
        group=user.pw_gid if other else None,
        extra_groups=[] if other else None,
    )
    try:
        return process.wait(LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        # make passes it on to what it runs, which stops its servers.
        process.terminate()
        process.wait(60)
        return 124


@contextmanager
def newcomer(name: str, user: pwd.struct_passwd) -> Iterator[Newcomer]:
    """Yield a newcomer with a fresh clone and nothing else; their folder goes when all went well.

    After a failure it stays, for its logs.
    """
    folder = Path(tempfile.mkdtemp(prefix="muster-timing-"))
    # As a home is on many machines: others may pass through it, as they may through /tmp.
    folder.chmod(0o755)
    found = Newcomer(name, user, folder)
    for part in ("bin", "home", "tmp"):
        (folder / part).mkdir()
    _link_programs(folder / "bin")
    # A clone by hard links would hand this repository's own objects to the other user.
    git = ["git", "clone", "--quiet", "--no-hardlinks", str(REPOSITORY), str(found.clone)]
    subprocess.run(git, check=True)
    if user.pw_uid != os.getuid():
        chown = ["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", str(folder)]
        subprocess.run(chown, check=True)
    yield found
    shutil.rmtree(folder, ignore_errors=True)


def _link_programs(folder: Path) -> None:
    """Fill a folder with the system's programs but those that a newcomer may lack."""
    for place in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for program in Path(place).glob("*"):
            link = folder / program.name
            if not program.name.startswith(ABSENT) and not link.is_symlink():
                link.symlink_to(program)


@contextmanager
def plain_user() -> Iterator[pwd.struct_passwd]:
    """Yield a user without rights, made for this and removed afterwards."""
    subprocess.run(["useradd", "--system", PLAIN_USER], check=True)
    try:
        yield pwd.getpwnam(PLAIN_USER)
    finally:
        subprocess.run(["userdel", PLAIN_USER], check=True)


def measure(parts: Sequence[str]) -> list[Figure]:
    """Time the parts (``demo``, ``test``) as everybody this machine can be."""
    me = pwd.getpwuid(os.getuid())
    if me.pw_uid != 0:
        return _measure_as("plain", me, parts)
    with plain_user() as plain:
        return [*_measure_as("plain", plain, parts), *_measure_as("root", me, parts)]


def _measure_as(name: str, user: pwd.struct_passwd, parts: Sequence[str]) -> list[Figure]:
    figures = []
    for part in parts:
        with newcomer(name, user) as someone:
            for time_no in ("first", "second"):
                seconds = someone.seconds(COMMANDS[part])
                figures.append(_figure(part, name, time_no, seconds))
    return figures


def _figure(part: str, name: str, time_no: str, seconds: float) -> Figure:
    bound = {
        "first": "the network and pip: about 300 MB fetched, then as the second",
        "second": "two cores" if part == "test" else "servers and services starting, then the job",
    }[time_no]
    return Figure(f"{part}.{time_no}_{name}_s", "s", [seconds], None, bound)
