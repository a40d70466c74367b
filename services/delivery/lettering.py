"""Letters of a template: checked when it is saved, set once for a proof, handed to the supplier."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from services.delivery.domain.content import Content, Source
from services.delivery.rendering import BadTemplate
from shared.letters.letter import SAMPLE, Addressee, Letter, Style, letter_to
from shared.letters.typesetter import BadLetter, Document, TooSlow, Typesetter
from topics.letters import LetterSource

SECONDS: Final = 4.0
"""A transaction is open meanwhile."""
MOST_PROOF_BYTES: Final = 2_000_000


async def check_letter(source: Source, at: datetime) -> None:
    """Set a template's letter over a fictitious addressee; nothing happens without a letter.

    Raises:
        BadTemplate: it cannot be set; typst's own words say why.
    """
    if not source.letter:
        return
    style = Style(source.letter, source.language, source.letter_window)
    sample = replace(SAMPLE, language=source.language)
    try:
        await _set(style, letter_to(sample, style, number="C-1042", label="Autumn"), at)
    except BadLetter as problem:
        raise BadTemplate("letter", problem.reason[:500]) from None


async def proof_letter(
    content: Content, merge: dict[str, Any], *, number: int, label: str, at: datetime
) -> bytes | None:
    """Return the letter to a member of the target as PDF; ``None`` where there is no letter.

    Raises:
        BadTemplate: it cannot be set over this member; the reason holds none of their data.
    """
    if not content.letter:
        return None
    style = Style(content.letter, content.language, content.letter_window)
    letter = letter_to(addressee(merge), style, number=f"C-{number}", label=label)
    try:
        document = await _set(style, letter, at)
    except BadLetter:
        reason = "cannot be set over the member of the target that the proof was made for"
        raise BadTemplate("letter", reason) from None
    if len(document.pdf) > MOST_PROOF_BYTES:
        raise BadTemplate("letter", f"is a PDF of more than {MOST_PROOF_BYTES} bytes")
    return document.pdf


async def _set(style: Style, letter: Letter, at: datetime) -> Document:
    async with Typesetter(seconds=SECONDS) as typesetter:
        try:
            return await typesetter.set(style, [letter], at)
        except TooSlow:
            raise BadLetter(f"takes longer than {SECONDS:g} s to be set") from None


def addressee(merge: dict[str, Any]) -> Addressee:
    """Return who a ledger row's merge data speak of."""
    contact, site = merge["contact"], merge["site"]
    name = f"{contact.get('first_name', '')} {contact.get('last_name', '')}".strip()
    return Addressee(
        first_name=contact.get("first_name", ""),
        last_name=contact.get("last_name", ""),
        recipient=name or site.get("name", ""),
        language=contact.get("language", "en"),
        site=site.get("name", ""),
        street=site.get("street", ""),
        postal_code=site.get("postal_code", ""),
        town=site.get("town", ""),
        country=site.get("country", ""),
        phone=contact.get("direct_line") or site.get("phone", ""),
    )


def letter_source(content: Content) -> LetterSource | None:
    """Return a content's letter as the supplier needs it."""
    if not content.letter:
        return None
    return LetterSource(
        source=content.letter, language=content.language, window=content.letter_window
    )
