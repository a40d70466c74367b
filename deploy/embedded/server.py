"""What the three servers have in common: a remembered port, one recorded process, start and stop.

A server's folder holds ``state.json`` (ports and process), ``output.log`` and what is its own.
Every step here is called under the lock of the instance's root.
"""

import asyncio
import json
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.paths import make_folder
from deploy.embedded.ports import HOST, free_port, is_free
from deploy.embedded.process import (
    ProcessId,
    RunAs,
    is_alive,
    send_signal,
    spawn,
    terminate,
    wait_gone,
)

_POLL_SECONDS = 0.05
_TAIL_BYTES = 8_000
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is remembered of a server between processes and restarts."""

    ports: Mapping[str, int]
    process: ProcessId | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started."""

    command: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    run_as: RunAs | None = None


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user reads, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    part.replace(path)


class EmbeddedServer(ABC):
    """One server of an instance.

    Args:
        folder: the server's own folder.
        ports: ports the caller insists on, by name; the others are drawn once and remembered.
    """

    name: str
    port_names: tuple[str, ...] = ("port",)
    start_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20.0
    passing: tuple[str, ...] = ("Address already in use",)
    """Words of a failed start that tells to try again at once (a port lost to somebody faster)."""

    def __init__(self, folder: Path, ports: Mapping[str, int] | None = None) -> None:
        self.folder = folder
        self._asked = dict(ports or {})

    @abstractmethod
    async def prepare(self, ports: Mapping[str, int]) -> Launch:
        """Make everything the start needs (binaries, configuration, first-time format)."""

    @abstractmethod
    async def answers(self) -> bool:
        """Return whether the server does real work for a client now."""

    async def after_start(self) -> None:  # noqa: B027 - most servers need nothing more
        """Do what must be done once the server answers."""

    def explain(self, tail: str) -> EmbeddedError | None:
        """Return what the end of a failed server's output means, None when it is not known."""
        if "No space left on device" in tail:
            return EmbeddedError(
                f"{self.name} stopped because the disk of {self.folder} is full.",
                "Free some space and start again: what was acknowledged is not lost.",
            )
        return None

    # -- what is remembered

    @property
    def log(self) -> Path:
        """The file that takes the server's own output."""
        return self.folder / "output.log"

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.json"

    def state(self) -> ServerState | None:
        """Return what is remembered, None when the server never started here."""
        try:
            raw = json.loads(self._state_file.read_text(encoding="utf-8"))
            process = ProcessId(**raw["process"]) if raw["process"] else None
            return ServerState({str(k): int(v) for k, v in raw["ports"].items()}, process)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise EmbeddedError(
                f"{self._state_file} may not be read by this user.",
                "It belongs to who started the servers: be that user, or name another root.",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise EmbeddedError(
                f"{self._state_file} cannot be read: {error}.",
                "Remove that file; the server then starts on a new port.",
            ) from error

    def _remember(self, state: ServerState) -> None:
        write_private(self._state_file, json.dumps(asdict(state), indent=2) + "\n")

    def port(self, name: str = "port") -> int:
        """Return a port of the server; raise EmbeddedError when it never started here."""
        state = self.state()
        if state is None:
            raise EmbeddedError(f"{self.name} was never started in {self.folder}.", "Start it.")
        return state.ports[name]

    def running(self) -> ProcessId | None:
        """Return the recorded process when it runs."""
        state = self.state()
        return state.process if state and state.process and is_alive(state.process) else None

    # -- start and stop

    async def start(
        self,
        *,
        on_spawn: Callable[[ProcessId], None] = lambda _process: None,
        keep_ports: bool = False,
    ) -> bool:
        """Start the server unless it runs and answers already; return whether it was started.

        Args:
            on_spawn: is told each process as soon as it exists.
            keep_ports: fail rather than move to another port when a remembered one is taken.

        Raises:
            EmbeddedError: what happened and what to do.
        """
        running = self.running()
        if running:
            if await self._wait_answer(running, self.start_seconds):
                return False
            await terminate(running, first=self.stop_signal, patience_seconds=self.stop_seconds)
        make_folder(self.folder)
        try:
            await self._start_new(on_spawn, keep_ports=keep_ports)
        except OSError as error:
            raise EmbeddedError(
                f"{self.name} could not be started: {error}.",
                "Look at the file it names: is there room, and may this user write there?",
            ) from error
        return True

    async def _start_new(self, on_spawn: Callable[[ProcessId], None], *, keep_ports: bool) -> None:
        deadline = time.monotonic() + self.start_seconds
        while True:
            ports = self.choose_ports(keep=keep_ports)
            process = self._launch(await self.prepare(ports), ports)
            on_spawn(process)
            if await self._wait_answer(process, self.start_seconds):
                await self.after_start()
                return
            gone = not is_alive(process)
            await terminate(process, first=signal.SIGKILL)
            if not (gone and self._will_pass(self.tail())) or time.monotonic() > deadline:
                raise self._failure(gone=gone)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _launch(self, launch: Launch, ports: Mapping[str, int]) -> ProcessId:
        self._rotate_log()
        process = spawn(
            launch.command, log=self.log, cwd=launch.cwd, env=launch.env, run_as=launch.run_as
        )
        self._remember(ServerState(ports, process))
        return process

    async def _wait_answer(self, process: ProcessId, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        while is_alive(process) and time.monotonic() < deadline:
            if await self.answers():
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    def choose_ports(self, *, keep: bool) -> dict[str, int]:
        """Return a port for each name: the asked one, else the remembered, else a free one."""
        state = self.state()
        before = dict(state.ports) if state else {}
        chosen: dict[str, int] = {}
        for name in self.port_names:
            port = self._asked.get(name) or before.get(name) or free_port()
            if not is_free(port):
                port = self._instead_of(port, fixed=keep or name in self._asked)
            while port in chosen.values():
                port = free_port()
            chosen[name] = port
        return chosen

    def _instead_of(self, port: int, *, fixed: bool) -> int:
        if not fixed:
            return free_port()
        raise EmbeddedError(
            f"{self.name} is to listen on port {port} of {HOST}, but another program does.",
            "End that program or ask for another port; without one, a free port is chosen.",
        )

    def _will_pass(self, tail: str) -> bool:
        return any(words in tail for words in self.passing)

    def _failure(self, *, gone: bool) -> EmbeddedError:
        tail = self.tail()
        known = self.explain(tail)
        if known:
            return known
        what = "ended while starting" if gone else f"did not answer in {self.start_seconds:.0f} s"
        last = "\n".join(tail.splitlines()[-12:])
        return EmbeddedError(f"{self.name} {what}.", f"Its last words, from {self.log}:\n{last}")

    async def stop(self) -> None:
        """End the recorded process cleanly, by force after ``stop_seconds``; nothing else."""
        process = self.running()
        if process:
            await terminate(process, first=self.stop_signal, patience_seconds=self.stop_seconds)

    async def kill(self) -> None:
        """End the recorded process at once with SIGKILL, as a crash would."""
        process = self.running()
        if process:
            send_signal(process, signal.SIGKILL)
            await wait_gone(process, 10.0)

    # -- its output

    def tail(self) -> str:
        """Return the end of the server's output since its last start."""
        try:
            with self.log.open("rb") as stream:
                stream.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
                return stream.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def _rotate_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > 0:
            self.log.replace(self.log.with_suffix(".log.1"))
