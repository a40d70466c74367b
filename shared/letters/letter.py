"""What a letter is made of: an author's markup, an address in an envelope's window, data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from babel import Locale

from topics.letters import LetterWindow as Window

MOST_LETTERS: Final = 100
"""In one document: 480 a second were measured so, 64 when each is a document of its own."""
MOST_PAGES: Final = 50
"""Of one letter; a loop in a template must not print a book."""


@dataclass(frozen=True, slots=True)
class Place:
    """A window on an A4 page, in millimetres from its upper left corner, and where text begins."""

    left_mm: float
    top_mm: float
    width_mm: float
    height_mm: float
    inset_mm: float
    body_mm: float
    country: str
    """Where it is used: an address in that country does not name it."""


# DIN 5008: the address zone, under the 17.7 mm of the note zone. NF Z 11-001: on the right.
PLACES: Final[dict[Window, Place]] = {
    Window.DIN_5008_A: Place(20, 44.7, 85, 27.3, 5, 86.5, "DE"),
    Window.DIN_5008_B: Place(20, 62.7, 85, 27.3, 5, 105, "DE"),
    Window.NF_Z11_001: Place(108, 50, 85, 37, 2, 105, "FR"),
}


@dataclass(frozen=True, slots=True)
class Style:
    """What all letters of a document share: the author's markup, its language, the window."""

    source: str
    language: str
    window: Window


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter: the lines of its address, and what its author's markup calls ``data``."""

    address: Sequence[str]
    data: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who gets a letter, and where."""

    first_name: str
    last_name: str
    recipient: str
    language: str
    site: str
    street: str
    postal_code: str
    town: str
    country: str
    phone: str = ""


SAMPLE: Final = Addressee(
    first_name="Ada",
    last_name="Byron",
    recipient="Ada Byron",
    language="en",
    site="Example Works",
    street="1 Example Street",
    postal_code="31000",
    town="Exampletown",
    country="FR",
    phone="+33 1 99 00 00 00",
)
"""A fictitious addressee, over whom a letter is set when its template is saved."""


def letter_to(to: Addressee, style: Style, *, number: str, label: str) -> Letter:
    """Return the letter to an addressee; ``number`` and ``label`` are the campaign's."""
    return Letter(
        address_lines(to, style),
        {
            "contact": {
                "first_name": to.first_name,
                "last_name": to.last_name,
                "name": to.recipient,
                "language": to.language,
            },
            "site": {
                "name": to.site,
                "street": to.street,
                "postal_code": to.postal_code,
                "town": to.town,
                "country": to.country,
                "phone": to.phone,
            },
            "campaign": {"number": number, "label": label},
        },
    )


def address_lines(to: Addressee, style: Style) -> list[str]:
    """Return the lines in the window; the country, in capitals, only where it is another one."""
    organisation = to.site if to.site != to.recipient else ""
    town = f"{to.postal_code} {to.town}".strip()
    country = ""
    if to.country and to.country != PLACES[style.window].country:
        country = str(Locale(style.language).territories.get(to.country, to.country)).upper()
    lines = (organisation, to.recipient, to.street, town, country)
    return [" ".join(line.split()) for line in lines if line.strip()]
