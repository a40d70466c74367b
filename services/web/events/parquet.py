"""The rows of a Parquet file, from the process that reads it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final

from services.web.events.reading import LARGEST_LINE, NotRead, Unreadable
from services.web.events.rows import Row

MAGIC: Final = b"PAR1"
SUFFIXES: Final = frozenset({".parquet", ".parq", ".pq"})
MEMORY_BYTES: Final = 1_610_612_736
"""Of address space, a third of which is code: batches of the longest rows there may be fit in."""
MISSING: Final = (
    "reading Parquet takes pyarrow, which is not installed: pip install 'muster[parquet]',"
    " or push the events as NDJSON or CSV"
)
_CHILD: Final = "services.web.events.parquet_child"
_PACKAGES: Final = Path(__file__).parents[3]
_HEAD: Final = 5


def is_parquet(path: Path) -> bool:
    """Whether a file is to be read as Parquet: it is named so, or begins so."""
    with path.open("rb") as file:
        return path.suffix.lower() in SUFFIXES or file.read(len(MAGIC)) == MAGIC


def parquet_rows(path: Path, *, memory_bytes: int = MEMORY_BYTES) -> AsyncGenerator[Row]:
    """Return a file's rows, read by a process of its own.

    Raises:
        NotRead: it is damaged, no Parquet, has other columns than events, or takes too much memory;
            nearly always before the first row, for it is read to its end before that.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise NotRead(422, MISSING)
    return _rows(str(path.resolve()), path.stat().st_size, memory_bytes)


async def _rows(path: str, size: int, memory_bytes: int) -> AsyncGenerator[Row]:
    count, done = 0, 0
    async with aclosing(_frames(path, memory_bytes)) as frames:
        async for kind, content in frames:
            if kind == b"N":
                count = int(content)
            elif kind == b"R":
                raise NotRead(422, content.decode())
            else:
                done += 1
                yield Row(content if kind == b"L" else _unreadable(content), size * done // count)


async def _frames(path: str, memory_bytes: int) -> AsyncGenerator[tuple[bytes, bytes]]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", _CHILD, path, str(memory_bytes)),
        stdin=DEVNULL,
        stdout=PIPE,
        limit=LARGEST_LINE,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(_PACKAGES),
            "PYTHONUTF8": "1",
            # Pools of its own would take address space that nothing is in.
            "ARROW_DEFAULT_MEMORY_POOL": "system",
            "MALLOC_ARENA_MAX": "1",
        },
    )
    assert child.stdout is not None
    try:
        while True:
            head = await child.stdout.readexactly(_HEAD)
            content = await child.stdout.readexactly(int.from_bytes(head[1:]))
            if head[:1] == b"E":
                return
            yield head[:1], content
    except asyncio.IncompleteReadError:
        code = await child.wait()
        raise NotRead(422, f"the file ended the process that read it ({code})") from None
    finally:
        await _end(child)


async def _end(child: Process) -> None:
    if child.returncode is None:
        child.kill()
    await child.wait()


def _unreadable(content: bytes) -> Unreadable:
    field, reason, text = json.loads(content)
    return Unreadable(field, reason, text.encode())
