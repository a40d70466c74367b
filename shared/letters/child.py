"""The process that sets letters: ``python -m shared.letters.child EMPTY_FOLDER BYTES_OF_MEMORY``.

An author's markup runs here. Before the first letter the process gives up opening anything: with a
limit of no descriptors, neither a file nor a connection can be opened any more, whatever typst or
the markup try (typst would fetch packages over the network). The folder it takes for its root is
empty. It is killed when it takes too long; when it takes too much memory, it ends by itself.

A request is four bytes of length and JSON; an answer is the same, then as many bytes of PDF as it
says.
"""

from __future__ import annotations

import json
import resource
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import typst

_MAIN = Path(__file__).with_name("letter.typ").read_bytes()


def main() -> None:
    """Answer requests until the input ends."""
    root, memory_bytes = sys.argv[1], int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    reader, writer = sys.stdin.buffer, sys.stdout.buffer
    while head := reader.read(4):
        request = json.loads(reader.read(int.from_bytes(head)))
        answer(writer, request, root)


def answer(writer: BinaryIO, request: dict[str, Any], root: str) -> None:
    """Set the letters of a request and write what came of it."""
    pdf = b""
    try:
        pages, pdf = set_letters(request, root)
        said: dict[str, Any] = {"pages": pages, "bytes": len(pdf)}
    except (typst.TypstError, RuntimeError, ValueError) as problem:
        said = {"error": str(problem), "bytes": 0}
    encoded = json.dumps(said).encode()
    writer.write(len(encoded).to_bytes(4) + encoded + pdf)
    writer.flush()


def set_letters(request: dict[str, Any], root: str) -> tuple[list[int], bytes]:
    """Return how many pages each letter has, and the document.

    Raises:
        ValueError: the markup uses a label of ours, or a letter is longer than it may be.
    """
    inputs = {name: request[name] for name in ("source", "language", "window", "letters")}
    # A compiler over text in memory can be used once; what was laid out is kept between them.
    found = json.loads(_compiler(root, inputs).query("<muster-pages>", field="value", one=True))
    if {len(found["begins"]), len(found["ends"])} != {request["count"]}:
        message = "the labels muster-begin and muster-end are not the author's to use"
        raise ValueError(message)
    pages = [end - begin + 1 for begin, end in zip(found["begins"], found["ends"], strict=True)]
    if max(pages, default=0) > request["most_pages"]:
        message = f"a letter gets longer than {request['most_pages']} pages"
        raise ValueError(message)
    pdf = _compiler(root, inputs).compile(
        format="pdf", timestamp=datetime.fromisoformat(request["at"]), pdf_tags=False
    )
    if not isinstance(pdf, bytes):
        message = "typst made no document"
        raise TypeError(message)
    return pages, pdf


def _compiler(root: str, inputs: dict[str, str]) -> typst.Compiler:
    return typst.Compiler(
        _MAIN,
        root=root,
        font_paths=[],
        ignore_system_fonts=True,
        sys_inputs=inputs,
        package_path=root,
        package_cache_path=root,
    )


if __name__ == "__main__":
    main()
