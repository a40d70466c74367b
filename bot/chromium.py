"""A mail's HTML as a picture: Chromium without scripts, without a network, one process a picture.

It is driven by its DevTools protocol over two pipes, so nothing listens anywhere. Scripts are off,
every request but ``data:`` is refused before it leaves, no name can be resolved and the only proxy
is a dead end. The message is its author's: whatever it does, the browser is ended after a while.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import orjson

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome-headless-shell")
WIDTH: Final = 640
"""What mail programs give a message at most, in CSS pixels."""
HEIGHTS: Final = (200, 2400)
"""A longer message is shown as far as this; its page shows all of it."""
SCALE: Final = 1.5
SECONDS: Final = 20.0
ANSWER_BYTES: Final = 32 * 1024 * 1024
NOBODY: Final = 65534
_SWITCHES: Final = (
    *("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"),
    *("--disable-extensions", "--disable-background-networking", "--disable-component-update"),
    *("--disable-default-apps", "--disable-sync", "--metrics-recording-only", "--mute-audio"),
    *(
        "--disable-dev-shm-usage",
        "--disable-breakpad",
        "--hide-scrollbars",
        "--deny-permission-prompts",
    ),
    # Whatever slips past the refusals below finds no name, no address and no way out.
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=http://0.0.0.0:9"),
    *("--proxy-bypass-list=<-loopback>", "--blink-settings=scriptEnabled=false"),
)
# DevTools are read at descriptor 3 and written at 4, whatever numbers the pipes have; and root
# gives its rights up before the browser starts.
_LAUNCH: Final = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
who = int(sys.argv[3])
if who:
    os.setgroups([])
    os.setgid(who)
    os.setuid(who)
os.execv(sys.argv[4], sys.argv[4:])
"""


class NoPicture(Exception):
    """There is no picture of this message; the text says why."""


def find_browser(named: str = "", *, sandboxed: bool = True) -> Browser | None:
    """Return the browser that is named, else the first of those that are usual."""
    for name in (named,) if named else BROWSERS:
        found = shutil.which(name)
        if found:
            return Browser(found, sandboxed)
    return None


async def picture(browser: Browser, html: str) -> bytes:
    """Return a PNG of a message as a reader sees it who loads nothing from outside.

    Raises:
        NoPicture: the browser did not start, took too long, or could not draw it.
    """
    try:
        async with asyncio.timeout(SECONDS), _running(browser) as devtools:
            return await _drawn(devtools, html)
    except TimeoutError:
        raise NoPicture(f"drawing took more than {SECONDS:.0f} s") from None


async def _drawn(devtools: _DevTools, html: str) -> bytes:
    created = await devtools.ask("Target.createTarget", url="about:blank")
    attached = await devtools.ask(
        "Target.attachToTarget", targetId=created["targetId"], flatten=True
    )
    tab = attached["sessionId"]
    await devtools.ask("Emulation.setScriptExecutionDisabled", tab, value=True)
    await devtools.ask("Fetch.enable", tab, patterns=[{"urlPattern": "*"}])
    await devtools.ask("Page.enable", tab)
    await _size(devtools, tab, HEIGHTS[0])
    frames = await devtools.ask("Page.getFrameTree", tab)
    frame = frames["frameTree"]["frame"]["id"]
    await devtools.ask("Page.setDocumentContent", tab, frameId=frame, html=html)
    metrics = await devtools.ask("Page.getLayoutMetrics", tab)
    height = int(min(max(metrics["cssContentSize"]["height"], HEIGHTS[0]), HEIGHTS[1]))
    await _size(devtools, tab, height)
    taken = await devtools.ask("Page.captureScreenshot", tab, format="png")
    return base64.b64decode(taken["data"])


async def _size(devtools: _DevTools, tab: str, height: int) -> None:
    await devtools.ask(
        "Emulation.setDeviceMetricsOverride",
        tab,
        width=WIDTH,
        height=height,
        deviceScaleFactor=SCALE,
        mobile=False,
    )


class _DevTools:
    """The DevTools protocol over a pipe: JSON documents, each ended by a NUL."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        incoming: asyncio.ReadTransport,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming = incoming
        self._number = 0

    def close(self) -> None:
        """Close both pipes."""
        self._writer.close()
        self._incoming.close()

    async def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Return a method's result; requests of the page that come meanwhile are refused.

        Raises:
            NoPicture: the browser says that it cannot.
        """
        wanted = self._send(method, session, parameters)
        while True:
            line = await self._reader.readuntil(b"\0")
            answer: dict[str, Any] = orjson.loads(line[:-1])
            if answer.get("method") == "Fetch.requestPaused":
                self._refuse(answer)
            elif answer.get("id") == wanted:
                if "error" in answer:
                    raise NoPicture(f"{method}: {answer['error'].get('message', '')}")
                result: dict[str, Any] = answer["result"]
                return result

    def _refuse(self, paused: Mapping[str, Any]) -> None:
        """Let ``data:`` through, and nothing else."""
        request = paused["params"]
        known = {"requestId": request["requestId"]}
        session = str(paused["sessionId"])
        if str(request["request"]["url"]).startswith("data:"):
            self._send("Fetch.continueRequest", session, known)
        else:
            self._send("Fetch.failRequest", session, known | {"errorReason": "BlockedByClient"})

    def _send(self, method: str, session: str, parameters: Mapping[str, Any]) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": dict(parameters)}
        if session:
            message["sessionId"] = session
        self._writer.write(orjson.dumps(message) + b"\0")
        return self._number


@dataclass(frozen=True, slots=True)
class Browser:
    """A Chromium on this machine; without its sandbox only where its container is one."""

    path: str
    sandboxed: bool = True

    def command(self, profile: Path) -> list[str]:
        """Return what starts it; its own sandbox needs a user of its own, which root is not."""
        bare = [] if self.sandboxed and os.geteuid() != 0 else ["--no-sandbox"]
        return [self.path, *_SWITCHES, f"--user-data-dir={profile}", *bare]


@asynccontextmanager
async def _running(browser: Browser) -> AsyncIterator[_DevTools]:
    """Yield a fresh browser that leaves nothing behind.

    Raises:
        NoPicture: it ended; with the last it said.
    """
    with tempfile.TemporaryDirectory(prefix="muster-picture-") as folder:
        profile = Path(folder)
        with (profile / "said").open("w+b") as said:
            process, from_read, to_write = await _start(browser, profile, said)
            devtools = await _connected(from_read, to_write)
            try:
                yield devtools
            except (EOFError, OSError) as problem:
                said.seek(0)
                lines = said.read(64_000).decode("utf-8", "replace").strip().splitlines()
                last = lines[-1][:200] if lines else type(problem).__name__
                raise NoPicture(f"the browser ended: {last}") from problem
            finally:
                devtools.close()
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _start(
    browser: Browser, profile: Path, said: IO[bytes]
) -> tuple[asyncio.subprocess.Process, int, int]:
    """Start a browser; return it and our ends of its pipes. Root makes it nobody's."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    as_root = os.geteuid() == 0
    if as_root:
        os.chown(profile, NOBODY, NOBODY)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _LAUNCH),
            *(str(to_read), str(from_write), str(NOBODY if as_root else 0)),
            *browser.command(profile),
            pass_fds=(to_read, from_write),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
            # Not the bot's environment: its tokens are no business of a browser.
            env={"HOME": str(profile), "PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
        )
    except BaseException:
        os.close(from_read)
        os.close(to_write)
        raise
    finally:
        # With our copies of its ends closed, the pipes break when it dies.
        os.close(to_read)
        os.close(from_write)
    return process, from_read, to_write


async def _connected(from_read: int, to_write: int) -> _DevTools:
    """Return the DevTools of a browser; its pipes belong to them from here on."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=ANSWER_BYTES)
    incoming, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_read, "rb")
    )
    outgoing, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(to_write, "wb")
    )
    writer = asyncio.StreamWriter(outgoing, protocol, None, loop)
    return _DevTools(reader, writer, incoming)
