"""Kafka's jars: which ones, exactly (``jars.sha256``), fetched once, verified before each start.

The list is a lock file: one line per jar, its SHA-256 and its path in a Maven repository. So no
dependency is resolved when a server starts, and a jar is what it was when the list was written.
Downloading is left to jgo's pure Python client, which also knows the user's own repositories
(section ``[repositories]`` of jgo's settings file) and proxies.
"""

import hashlib
import importlib
import os
import shutil
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.paths import make_folder, require_space

LOCK_FILE = Path(__file__).with_name("jars.sha256")
COORDINATES = (
    "org.apache.kafka:kafka_2.13:4.3.0",
    # Kafka logs through slf4j and leaves the binding to whoever runs it.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)
_PARALLEL = 6
_TIMEOUT_SECONDS = 30
_MIN_FREE_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar of the lock file."""

    path: PurePosixPath
    sha256: str

    @property
    def group(self) -> str:
        """The Maven group, dotted."""
        return ".".join(self.path.parts[:-3])

    @property
    def artifact(self) -> str:
        """The Maven artifact."""
        return self.path.parts[-3]

    @property
    def version(self) -> str:
        """The Maven version."""
        return self.path.parts[-2]


def locked_jars(lock_file: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """Return the jars of the lock file, in class path order."""
    lines = lock_file.read_text(encoding="ascii").splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return tuple(Jar(PurePosixPath(path), digest) for digest, path in pairs)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_good(jar: Jar, path: Path) -> bool:
    return path.is_file() and sha256_of(path) == jar.sha256


def bad_jars(folder: Path, jars: tuple[Jar, ...] | None = None) -> list[Jar]:
    """Return the jars that are missing under ``folder``, or are not what the lock file says."""
    wanted = locked_jars() if jars is None else jars
    return [jar for jar in wanted if not _is_good(jar, folder / jar.path)]


def _maven(repository: Path) -> Any:
    maven = importlib.import_module("jgo.maven")
    settings = importlib.import_module("jgo.config").GlobalSettings.load()
    context = maven.MavenContext(
        repo_cache=repository, resolver=maven.PythonResolver(), timeout=_TIMEOUT_SECONDS
    )
    context.remote_repos = {**settings.repositories, **context.remote_repos}
    return context


@contextmanager
def _machine_certificates() -> Iterator[None]:
    """Trust the certificate authorities this machine trusts, unless told otherwise.

    The HTTP client brings its own list, in which a company's proxy does not stand.
    """
    name, own = "REQUESTS_CA_BUNDLE", ssl.get_default_verify_paths().cafile
    wanted = own is not None and not {name, "CURL_CA_BUNDLE"} & os.environ.keys()
    if wanted and own is not None:
        os.environ[name] = own
    try:
        yield
    finally:
        if wanted:
            os.environ.pop(name, None)


def _no_download(jar: Jar, error: Exception) -> EmbeddedError:
    cause = str(error).splitlines()[0][:400] if str(error) else type(error).__name__
    return EmbeddedError(
        f"{jar.path.name} could not be downloaded ({cause}).",
        "Kafka's jars are needed once: connect this machine (HTTPS_PROXY is honoured, and"
        " REQUESTS_CA_BUNDLE names your own certificate authorities), name a mirror in the"
        " [repositories] section of jgo's settings file, or copy the folder jars/ of another"
        " machine's MUSTER_HOME (~/.cache/muster) here.",
    )


def _download(context: Any, jar: Jar, target: Path) -> None:
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        fetched = Path(component.artifact().resolve())
    except Exception as error:
        raise _no_download(jar, error) from error
    found = sha256_of(fetched)
    if found != jar.sha256:
        fetched.unlink()
        raise EmbeddedError(
            f"{jar.path.name} as downloaded is not the file this version was tested with"
            f" (SHA-256 {found}, expected {jar.sha256}).",
            "Start again; when it happens again, look at the mirror or proxy in between.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Only whole, verified files get their final name, so a kill in mid-download leaves nothing.
    fetched.replace(target)


def _fetch(missing: list[Jar], folder: Path) -> None:
    require_space(folder, min_free_bytes=_MIN_FREE_BYTES)
    staging = folder / ".incoming"
    shutil.rmtree(staging, ignore_errors=True)
    context = _maven(make_folder(staging))
    try:
        with _machine_certificates(), ThreadPoolExecutor(_PARALLEL) as pool:
            list(pool.map(lambda jar: _download(context, jar, folder / jar.path), missing))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def ensure_jars(folder: Path, jars: tuple[Jar, ...] | None = None) -> tuple[Path, ...]:
    """Return the paths of all jars under ``folder``, each one verified, the missing ones fetched.

    The caller holds the folder's lock. A file that is not what the lock file says is fetched anew.

    Raises:
        EmbeddedError: when one cannot be fetched, or is not what the lock file says.
    """
    wanted = locked_jars() if jars is None else jars
    missing = bad_jars(folder, wanted)
    if missing:
        _fetch(missing, folder)
    return tuple(folder / jar.path for jar in wanted)


def _needed_by(context: Any, coordinates: str) -> list[Any]:
    endpoint = importlib.import_module("jgo.parse").Endpoint.parse(coordinates)
    inputs = [context.create_dependency(coordinate) for coordinate in endpoint.coordinates]
    resolved, transitive = context.resolver.resolve(inputs)
    return [*resolved, *(dep for dep in transitive if dep.scope in {"compile", "runtime"})]


def resolve_lock(scratch: Path) -> str:
    """Return the text of a new lock file: what ``COORDINATES`` need now. Uses the network."""
    context = _maven(scratch)
    lines: dict[tuple[str, str], str] = {}
    # One by one: resolved together, what one coordinate manages overrides versions of another's.
    with _machine_certificates():
        for coordinates in COORDINATES:
            for dependency in _needed_by(context, coordinates):
                path = Path(dependency.artifact.resolve())
                line = f"{sha256_of(path)}  {path.relative_to(scratch).as_posix()}\n"
                lines.setdefault((dependency.groupId, dependency.artifactId), line)
    return "".join(lines.values())
