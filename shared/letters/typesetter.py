"""The parent of the process that sets letters: it asks, waits, and kills what takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from shared.letters.letter import MOST_LETTERS, MOST_PAGES, PLACES, Letter, Style

SECONDS: Final = 20.0
"""A hundred letters of a page take half a second on a busy core."""
MEMORY_BYTES: Final = 3 * 1024**3
DOCUMENTS_A_PROCESS: Final = 8
"""typst keeps what it laid out: 1 GB after twelve documents of a hundred letters (measured)."""
_HEAD: Final = 4
_PACKAGES: Final = Path(__file__).parent.parent.parent


class BadLetter(Exception):
    """The markup cannot be set over these letters.

    Attributes:
        reason: typst's words. They may hold a recipient's data unless the data were a sample's.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("a letter cannot be set")
        self.reason = reason


class TooSlow(Exception):
    """The letters were not set in time; fewer of them, or a quieter machine, may help."""


@dataclass(frozen=True, slots=True)
class Document:
    """Letters in one PDF.

    Attributes:
        pages: how many pages each letter has, in order.
    """

    pdf: bytes
    pages: tuple[int, ...]


class Typesetter:
    """Sets letters in one child process at a time; use it as a context manager.

    Args:
        seconds: after which a document is given up.
        memory_bytes: what the child may take.
    """

    def __init__(self, *, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._child: asyncio.subprocess.Process | None = None
        self._documents = 0
        self._root = tempfile.TemporaryDirectory(prefix="muster-letters-")
        self._turn = asyncio.Lock()

    async def set(self, style: Style, letters: Sequence[Letter], at: datetime) -> Document:
        """Return letters as one document dated ``at``; the same input makes the same bytes.

        Raises:
            BadLetter: the markup cannot be set, or took more memory or depth than it may.
            TooSlow: it took too long.
        """
        if len(letters) > MOST_LETTERS:
            message = f"{len(letters)} letters in one document: {MOST_LETTERS} at most"
            raise ValueError(message)
        async with self._turn:
            return await self._ask(_request(style, letters, at))

    async def _ask(self, request: bytes) -> Document:
        child = await self._ready_child()
        try:
            async with asyncio.timeout(self._seconds):
                said, pdf = await _exchange(child, request)
        except TimeoutError:
            await self._end()
            raise TooSlow from None
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._end()
            reason = "takes too much memory, or calls itself without an end"
            raise BadLetter(reason) from None
        except asyncio.CancelledError:
            await self._end()
            raise
        if "error" in said:
            raise BadLetter(said["error"].removeprefix("failed to compile document: "))
        return Document(pdf, tuple(said["pages"]))

    async def _ready_child(self) -> asyncio.subprocess.Process:
        if self._documents >= DOCUMENTS_A_PROCESS:
            await self._end()
        if self._child is None or self._child.returncode is not None:
            self._documents = 0
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "shared.letters.child"),
                *(self._root.name, str(self._memory_bytes)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=self._root.name,
                env={"PATH": os.defpath, "PYTHONPATH": str(_PACKAGES), "PYTHONUTF8": "1"},
                start_new_session=True,
            )
        self._documents += 1
        return self._child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def __aenter__(self) -> Typesetter:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()
        self._root.cleanup()


def _request(style: Style, letters: Sequence[Letter], at: datetime) -> bytes:
    numbered = [
        {"number": number, "address": list(letter.address), "data": letter.data}
        for number, letter in enumerate(letters)
    ]
    return json.dumps(
        {
            "source": style.source,
            "language": style.language,
            "window": json.dumps(asdict(PLACES[style.window])),
            "letters": json.dumps(numbered, default=dict),
            "count": len(letters),
            "most_pages": MOST_PAGES,
            "at": at.replace(microsecond=0).isoformat(),
        },
        default=dict,
    ).encode()


async def _exchange(
    child: asyncio.subprocess.Process, request: bytes
) -> tuple[dict[str, Any], bytes]:
    if child.stdin is None or child.stdout is None:
        raise ConnectionError
    child.stdin.write(len(request).to_bytes(_HEAD) + request)
    await child.stdin.drain()
    length = int.from_bytes(await child.stdout.readexactly(_HEAD))
    said = json.loads(await child.stdout.readexactly(length))
    return said, await child.stdout.readexactly(said["bytes"])
