"""Whom a campaign is for, and what must become of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any, Final
from uuid import UUID

from shared.ids import new_id
from tests.faults.delivery.receiver import REFUSED

CHUNK: Final = 50
DOUBLES, OPTED_OUT, WITHOUT_ADDRESS, BAD, REFUSALS = 4, 3, 2, 3, 4


class Lot(StrEnum):
    """What somebody can expect of a campaign."""

    MAIL = auto()
    DOUBLE = auto()
    OPTED_OUT = auto()
    NO_ADDRESS = auto()
    LETTER = auto()
    BAD_ADDRESS = auto()
    REFUSED_BY_SERVER = auto()


@dataclass(frozen=True, slots=True)
class Person:
    """A member of a snapshot."""

    lot: Lot
    key: str
    address: str
    member_id: UUID = field(default_factory=new_id)

    @property
    def member(self) -> dict[str, Any]:
        """The member as it stands in a chunk of a snapshot."""
        return {
            "member_id": str(self.member_id),
            "contact_id": str(self.member_id),
            "kind": "contacts",
            "deal_id": None,
            "first_name": "Ada",
            "last_name": "Person",
            "language": "en",
            "email": self.address,
            "direct_line": "",
            "mobile": "",
            "recipient_key": self.key,
            "opted_out": self.lot is Lot.OPTED_OUT,
            "site": {"site_id": str(new_id()), "name": "Mill", "town": "Lille", "country": "FR"},
        }


def people(count: int, domain: str, *, letters: int = 0) -> list[Person]:
    """Return a campaign's people, the unusual ones spread among the others; all are new.

    A server's refusals count against an address for the runs that follow. With ``letters``, so many
    have no e-mail, and get a letter.
    """
    campaign = new_id().hex[-10:]
    domain = f"{campaign}.{domain}"
    usual = count - DOUBLES - OPTED_OUT - WITHOUT_ADDRESS - BAD - REFUSALS
    found = [_person(Lot.MAIL, campaign, n, f"p{n}@{domain}") for n in range(usual)]
    found += [Person(Lot.DOUBLE, one.key, one.address) for one in found[:DOUBLES]]
    unusual = (
        (Lot.OPTED_OUT, OPTED_OUT, f"out%d@{domain}"),
        (Lot.BAD_ADDRESS, BAD, "no address %d"),
        (Lot.REFUSED_BY_SERVER, REFUSALS, f"{REFUSED}%d@{domain}"),
    )
    for lot, number, address in unusual:
        found += [_person(lot, campaign, len(found) + n, address % n) for n in range(number)]
    lot = Lot.LETTER if letters else Lot.NO_ADDRESS
    without = letters or WITHOUT_ADDRESS
    found += [_person(lot, campaign, len(found) + n, "") for n in range(without)]
    return _spread(found, usual)


def _person(lot: Lot, campaign: str, number: int, address: str) -> Person:
    return Person(lot, f"{campaign}{number:06x}", address)


def _spread(found: list[Person], usual: int) -> list[Person]:
    """Put each unusual person behind as many usual ones, doubles never before their original."""
    plain, rest = found[:usual], found[usual:]
    step = max(1, usual // len(rest))
    mixed: list[Person] = []
    for number, one in enumerate(plain):
        mixed.append(one)
        if number % step == step - 1 and rest:
            mixed.append(rest.pop(0))
    return mixed + rest


def chunks(found: list[Person]) -> list[list[dict[str, Any]]]:
    """Return people as the chunks of a snapshot."""
    members = [one.member for one in found]
    return [members[n : n + CHUNK] for n in range(0, len(members), CHUNK)]
