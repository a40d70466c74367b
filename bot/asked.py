"""What somebody asked a list for: whose, which state, which words; it travels in its buttons."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import Final

import orjson

from bot.cutting import clip
from bot.labels import status_names
from topics.campaign import CampaignStatus

WORDS_CHARS: Final = 60
"""What is looked for in labels; with the rest of the filter it fits an option's value (150)."""
_MINE: Final = frozenset({"mine", "my", "mes", "miennes", "moi"})


@dataclass(frozen=True, slots=True)
class CampaignFilter:
    """Which campaigns a list shows; the empty one shows all."""

    mine: bool = False
    status: CampaignStatus | None = None
    words: str = ""

    def __str__(self) -> str:
        return orjson.dumps([int(self.mine), self.status or "", self.words]).decode()

    @classmethod
    def read(cls, value: str) -> CampaignFilter:
        """Return the filter of a button's value.

        Raises:
            ValueError: it is no value of ours.
        """
        mine, status, words = orjson.loads(value)
        return cls(bool(mine), CampaignStatus(status) if status else None, str(words))

    @classmethod
    def of_words(cls, typed: str) -> CampaignFilter:
        """Return what the words after ``/campaign list`` mean, in either language.

        ``mine`` and the name of a state filter; the rest is looked for in labels.
        """
        words = " ".join(typed.split())
        found = cls()
        for name, status in _longest_first():
            start = f" {_folded(words)} ".find(f" {name} ")
            if start >= 0:
                words = f"{words[:start]} {words[start + len(name) :]}"
                found = replace(found, status=status)
                break
        kept = [word for word in words.split() if _folded(word) not in _MINE]
        mine = len(kept) < len(words.split())
        return replace(found, mine=mine, words=clip(" ".join(kept), WORDS_CHARS))


def _folded(text: str) -> str:
    """Return a text without case and accents; each sign stays one sign."""
    return "".join(_plain(sign) for sign in text)


def _plain(sign: str) -> str:
    base = unicodedata.normalize("NFD", sign)[0].lower()
    return base if len(base) == 1 else sign


def _longest_first() -> list[tuple[str, CampaignStatus]]:
    names = [(_folded(name), status) for status in CampaignStatus for name in status_names(status)]
    return sorted(names, key=lambda pair: -len(pair[0]))


@dataclass(frozen=True, slots=True)
class Turn:
    """A page of a list of campaigns: those next to a number, above or below it."""

    edge: int
    filter: CampaignFilter

    def __str__(self) -> str:
        return f"{self.edge} {self.filter}"

    @classmethod
    def read(cls, value: str) -> Turn:
        """Return the turn of a button's value; older buttons held the number alone.

        Raises:
            ValueError: it is no value of ours.
        """
        edge, _, given = value.partition(" ")
        return cls(int(edge), CampaignFilter.read(given) if given else CampaignFilter())
