"""The relays, in order of preference, and which of them rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from services.delivery.domain.relays import Relay

REST_SECONDS: Final = 30.0
LAST_RESORT_SECONDS: Final = 1.0
"""When all relays rest, each is tried this often: waiting out a rest would lengthen an outage."""


class Relays:
    """What the connections of a process know of the relays; not for several threads.

    A relay that failed rests; then one connection tries it, while the others leave it alone.
    """

    def __init__(
        self, relays: Sequence[Relay], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._relays = tuple(relays)
        self._clock = clock
        self._rests_until: dict[Relay, float] = {}

    def in_order(self) -> list[Relay]:
        """Return the relays to be tried now: those that do not rest, then last resorts."""
        now = self._clock()
        waits = {one: self._rests_until.get(one, now) - now for one in self._relays}
        tried = [one for one in self._relays if waits[one] <= 0]
        last = REST_SECONDS - LAST_RESORT_SECONDS
        resorts = [one for one in self._relays if 0 < waits[one] <= last]
        return tried + sorted(resorts, key=waits.__getitem__)

    def better_than(self, relay: Relay) -> list[Relay]:
        """Return the relays that are preferred to one and do not rest."""
        now = self._clock()
        preferred = self._relays[: self._relays.index(relay)]
        return [one for one in preferred if self._rests_until.get(one, 0.0) <= now]

    def trying(self, relay: Relay) -> None:
        """One connection tries a relay that rested: until it knows more, the others do not."""
        if relay in self._rests_until:
            self.rest(relay)

    def rest(self, relay: Relay) -> None:
        """Leave a relay alone for a while: it cannot be reached, or says 421."""
        self._rests_until[relay] = self._clock() + REST_SECONDS

    def well(self, relay: Relay) -> None:
        """Take a relay for well: it is ready for mails."""
        self._rests_until.pop(relay, None)

    def resting(self) -> list[Relay]:
        """Return the relays that rest now."""
        now = self._clock()
        return [one for one in self._relays if self._rests_until.get(one, 0.0) > now]
