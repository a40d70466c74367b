"""What can be followed in a message: switches, kinds of events, numbered links."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class Switch(StrEnum):
    """What an author can switch on for a template; all are off unless chosen."""

    CLICKS = "track_clicks"
    OPENS = "track_opens"
    MIRROR = "mirror"
    UTM = "utm"


Switches = frozenset[Switch]
NO_SWITCHES: Final[Switches] = frozenset()


class EventKind(IntEnum):
    """What was seen, by the numbers that campaign systems give them."""

    CLICK = 1
    OPEN = 2
    OPT_OUT = 3
    WEB = 4
    TRANSACTION = 5
    MIRROR = 6


OPEN_NUMBER: Final = 1
OPT_OUT_NUMBER: Final = 2
MIRROR_NUMBER: Final = 3
FIRST_LINK: Final = 4
MAX_LINKS: Final = 500
"""More links than this are no message; a token's cost grows with its number."""


class Part(StrEnum):
    """Where a link stands; in HTML its target is written with character references."""

    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class TrackedLink:
    """A link of a content.

    Attributes:
        number: its place among the content's links, and in every token of it.
        url: its target as the author wrote it: a URL, or a template of one.
        label: what stands in the link, as the author wrote it.
    """

    number: int
    kind: EventKind
    part: Part
    url: str
    label: str

    @property
    def name(self) -> str:
        """What the link is called in the template: ``links.click_4``."""
        return f"click_{self.number}"

    @property
    def is_personal(self) -> bool:
        """Whether the target depends on who follows it."""
        return "{{" in self.url or "{%" in self.url


def always(switches: Switches) -> tuple[TrackedLink, ...]:
    """Return what every content with these switches has besides its links."""
    if not switches:
        return ()
    fixed = [TrackedLink(OPT_OUT_NUMBER, EventKind.OPT_OUT, Part.HTML, "", "unsubscribe")]
    if Switch.OPENS in switches:
        fixed.insert(0, TrackedLink(OPEN_NUMBER, EventKind.OPEN, Part.HTML, "", "open"))
    if Switch.MIRROR in switches:
        fixed.append(TrackedLink(MIRROR_NUMBER, EventKind.MIRROR, Part.HTML, "", "mirror page"))
    return tuple(fixed)


def keeps_copies(switches: Switches, links: tuple[TrackedLink, ...]) -> bool:
    """Whether recipients' data must be kept after sending: for a mirror page or a personal link."""
    followed = Switch.CLICKS in switches and any(link.is_personal for link in links)
    return Switch.MIRROR in switches or followed
