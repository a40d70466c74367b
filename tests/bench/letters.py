"""Letters a second as the supplier's press sets them: a hundred in a PDF, one child process."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from shared.letters.letter import MOST_LETTERS, SAMPLE, Style, letter_to
from shared.letters.typesetter import Typesetter
from tests.bench.results import Figure
from topics.letters import LetterWindow

LETTERS: Final = 2_000
_PARAGRAPH: Final = (
    "We are glad to invite you, dear #data.contact.first_name, to the autumn fair in our halls,"
    " where all that is new this year can be seen and touched, and where our people will be glad to"
    " show #data.site.name what it can do. "
)
SOURCE: Final = "Dear #data.contact.name,\n\n" + "\n\n".join([_PARAGRAPH * 3] * 3)
"""A page of text with four places, and every letter another name."""


async def measure(*, letters: int = LETTERS, runs: int = 3) -> list[Figure]:
    """Return how many letters of a page a second leave the typesetter as PDF, pages counted."""
    values = [letters / await _seconds(letters) for _ in range(runs)]
    bound = "typst: laying out in one process, both cores"
    return [Figure("delivery.letters_per_s", "letters/s", values, None, bound)]


async def _seconds(letters: int) -> float:
    style = Style(SOURCE, "en", LetterWindow.DIN_5008_B)
    at = datetime.now(UTC)
    began = time.perf_counter()
    async with Typesetter() as typesetter:
        for start in range(0, letters, MOST_LETTERS):
            batch = [
                letter_to(
                    replace(SAMPLE, first_name=f"Ada {number}", recipient=f"Ada {number} Byron"),
                    style,
                    number="C-1042",
                    label="Autumn",
                )
                for number in range(start, min(start + MOST_LETTERS, letters))
            ]
            document = await typesetter.set(style, batch, at)
            assert sum(document.pages) >= len(batch)
    return time.perf_counter() - began
