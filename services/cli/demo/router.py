"""The printer of the demo: takes its file from its folder, sends a proof, reports on its letters.

It knows what a printer would: what lies in its folder, and nothing of Muster's rows.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from services.cli.demo.telling import Stuck
from shared.letters.letter import Addressee, Style, letter_to
from shared.letters.typesetter import Typesetter
from topics.letters import LetterWindow

MANIFEST: Final = ".manifest.json"
UNREADABLE: Final = "perhaps"
RETURNED: Final = ("moved, no forwarding address", "street unknown")
"""Why letters came back; one reason each."""
CARD: Final = """Dear #data.contact.name,

we open our doors on the first Saturday of the month, and *#data.site.name* is invited.

Atelier Muster
"""


@dataclass(frozen=True, slots=True)
class Received:
    """A file that lay in the folder: what its manifest says holds, and these are its rows."""

    name: str
    sha256: str
    rows: tuple[dict[str, str], ...]


class Router:
    """A printer with a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def arrived(self, name: str) -> bool:
        """Return whether a file is there whole: its manifest comes last."""
        return (self._folder / f"{name}{MANIFEST}").exists()

    def take(self, name: str) -> Received:
        """Return a file, checked as printers check one.

        Raises:
            Stuck: it is not what its manifest says.
        """
        content = (self._folder / name).read_bytes()
        says: dict[str, Any] = orjson.loads((self._folder / f"{name}{MANIFEST}").read_bytes())
        text = content.decode(says["encoding"])
        rows = tuple(csv.DictReader(io.StringIO(text), delimiter=says["separator"]))
        sha256 = hashlib.sha256(content).hexdigest()
        if (sha256, len(rows), len(content)) != (says["sha256"], says["rows"], says["bytes"]):
            raise Stuck(f"{name} in the printer's folder is not what its manifest says")
        return Received(name, sha256, rows)

    async def proof(self, received: Received, number: str, at: datetime) -> bytes:
        """Return the first card as a PDF, as it would be printed."""
        first = received.rows[0]
        style = Style(CARD, "en", LetterWindow.NF_Z11_001)
        to = Addressee(
            first_name="",
            last_name="",
            recipient=first["recipient"],
            language="en",
            site=first["site"],
            street=first["street"],
            postal_code=first["postal_code"],
            town=first["town"],
            country=first["country"],
        )
        async with Typesetter() as typesetter:
            letter = letter_to(to, style, number=number, label="Open day")
            return (await typesetter.set(style, [letter], at)).pdf

    def results(self, received: Received) -> bytes:
        """Return the result file: some letters came back, and one status is no status."""
        first, *rest = _reports(received)
        return _as_csv([{**first, "status": UNREADABLE}, *rest])

    def corrected(self, received: Received) -> bytes:
        """Return the whole result file once more, with the status that was meant."""
        return _as_csv(_reports(received))


def _reports(received: Received) -> list[dict[str, str]]:
    references = [row["reference"] for row in received.rows]
    returned = dict(zip(references[1:], RETURNED, strict=False))
    return [
        {
            "reference": reference,
            "status": "failed" if reference in returned else "sent",
            "reason": returned.get(reference, ""),
        }
        for reference in references
    ]


def _as_csv(rows: Iterable[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, ("reference", "status", "reason"), delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
