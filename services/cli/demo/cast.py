"""Who plays a part in the demo: chosen anew in each run among those whom mails still reach.

Three of them are lost to the campaigns that follow: two end in quarantine, one unsubscribes. Nobody
is released or opted in again behind their back, so a second run on the same data takes others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from services.cli.demo.stage import Stage
from services.cli.demo.telling import Stuck

PERSONS: Final = 4
READERS: Final = 12
_REACHABLE: Final = """
SELECT c.first_name || ' ' || c.last_name AS name, c.email, c.recipient_key, s.town
FROM targeting.contacts c JOIN targeting.sites s USING (site_id)
WHERE s.country = 'FR' AND c.email IS NOT NULL
  AND NOT EXISTS (SELECT FROM targeting.contacts d
                  WHERE d.recipient_key = c.recipient_key AND d.contact_id <> c.contact_id)
  AND NOT EXISTS (SELECT FROM targeting.consents o
                  WHERE o.recipient_key = c.recipient_key AND o.channel = 'email' AND o.opted_out)
  AND NOT EXISTS (SELECT FROM delivery.quarantine q WHERE q.recipient_key = c.recipient_key
                  AND q.channel = 'email' AND q.status <> 'valid')
ORDER BY s.town, c.contact_ref
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A contact who gets a mail; ``recipient_key`` is the address's keyed hash."""

    name: str
    email: str
    recipient_key: str
    town: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays what.

    Attributes:
        town: where the four live; the second campaign goes there.
        slow: whose mailbox is not ready at first, twice.
        unknown: whose server does not know them.
        returned: whose server takes the mail and sends it back.
        leaving: who unsubscribes with one click.
        readers: who open their mail.
    """

    town: str
    slow: Person
    unknown: Person
    returned: Person
    leaving: Person
    readers: tuple[Person, ...]

    @property
    def persons(self) -> Mapping[str, Person]:
        """The four, by what happens to them."""
        return {
            "mailbox not ready, twice": self.slow,
            "server knows nobody of that name": self.unknown,
            "taken, then sent back": self.returned,
            "unsubscribed with one click": self.leaving,
        }


async def choose(stage: Stage) -> Cast:
    """Return this run's cast.

    Raises:
        Stuck: there are not enough people left.
    """
    return cast_of(Person(**dict(row)) for row in await stage.rows(_REACHABLE))


def cast_of(reachable: Iterable[Person]) -> Cast:
    """Return a cast out of those whom mails reach: four of the smallest town that has them.

    Raises:
        Stuck: no town has four, or there are no readers beside them.
    """
    people = sorted(reachable, key=lambda one: one.town)
    towns = [list(found) for _, found in groupby(people, key=lambda one: one.town)]
    large_enough = [town for town in towns if len(town) >= PERSONS]
    if not large_enough or len(people) < PERSONS + READERS:
        raise Stuck("earlier runs used up the sample's people; begin with an empty --folder")
    slow, unknown, returned, leaving, *_ = town = min(large_enough, key=len)
    readers = [one for one in people if one not in town[:PERSONS]][:READERS]
    return Cast(slow.town, slow, unknown, returned, leaving, tuple(readers))
