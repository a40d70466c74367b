"""What a seed draws for the delivery engine: who dies where, and what else goes on meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from shared.letters.letter import MOST_LETTERS
from tests.faults.delivery.receiver import Manners
from tests.faults.kinds import Kind

DEFERRED_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Place:
    """A crash point in one kind of delivery's work.

    Attributes:
        hits: the latest hit to fail at: how often every run gets there.
        may_freeze: outside any transaction: in one, the server's own limit decides when a frozen
            process lets go, which the spine's scenarios cover.
        deferred: it takes a server that puts mails off to get there.
        after: where a predecessor has to die for it.
        stops: it takes a stop to get there.
        letters: it takes letters to get there.
        waves: it takes waves to get there.
    """

    point: str
    kind: Kind
    hits: int = 1
    may_freeze: bool = False
    deferred: bool = False
    after: tuple[str, Kind] | None = None
    stops: bool = False
    letters: bool = False
    waves: bool = False


def _sender(kind: Kind, calls: int, windows: int, *, deferred: bool = False) -> tuple[Place, ...]:
    return (
        Place("sender.window_open", kind, windows, may_freeze=True, deferred=deferred),
        Place("sender.before_call", kind, calls, may_freeze=True, deferred=deferred),
        Place("sender.after_call", kind, calls, may_freeze=True, deferred=deferred),
        Place("sender.before_results", kind, windows, may_freeze=True, deferred=deferred),
        Place("uow.before_commit", kind, windows, deferred=deferred),
        Place("sender.after_results", kind, windows, may_freeze=True, deferred=deferred),
    )


PLACES: Final = (
    *_sender(Kind.SLICE, 40, 5),
    *_sender(Kind.AGAIN, 6, 1, deferred=True),
    *_sender(Kind.URGENT, 2, 1),
    Place("uow.before_commit", Kind.SENDER, 3),
    Place("relay.before_send", Kind.RELAY, 2, may_freeze=True),
    Place("relay.between_send_and_mark", Kind.RELAY, 2, may_freeze=True),
    Place("workflow.before_commit", Kind.FILL, 2),
    Place("uow.before_commit", Kind.FILL, 2),
    Place("uow.before_commit", Kind.PROGRESS),
    Place("progress.giving_up", Kind.LOST, after=("sender.before_call", Kind.SLICE)),
    Place("uow.before_commit", Kind.SINGLE),
    Place("consumer.after_commit", Kind.SINGLE),
    Place("uow.before_commit", Kind.BATCH),
    Place("consumer.after_commit", Kind.BATCH),
    Place("uow.before_commit", Kind.STOP, stops=True),
    Place("consumer.after_commit", Kind.STOP, stops=True),
    Place("uow.before_commit", Kind.SWEEP, stops=True),
    Place("workflow.before_commit", Kind.HAND_OVER, letters=True),
    Place("uow.before_commit", Kind.PRESS, 3, letters=True),
    Place("press.before_record", Kind.PRESS, 2, may_freeze=True, letters=True),
    Place("sender.before_call", Kind.ROUTER, letters=True),
    Place("sender.after_call", Kind.ROUTER, letters=True),
    Place("workflow.before_commit", Kind.WAVE, 4, waves=True),
    Place("uow.before_commit", Kind.WAVE, 4, waves=True),
)
AT_THE_SUPPLIER: Final = frozenset({Kind.PRESS, Kind.ROUTER})
"""Work of the supplier service, which sets the letters."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One process that fails.

    Attributes:
        how: ``kill`` or ``freeze``.
        nth: the hit that fails.
    """

    how: str
    point: str
    kind: Kind
    nth: int

    @property
    def service(self) -> str:
        """The service whose process fails."""
        return "supplier" if self.kind in AT_THE_SUPPLIER else "delivery"

    @property
    def fault(self) -> str:
        """The value of ``MUSTER_FAULT``."""
        return f"{self.how}:{self.point}:{self.nth}"


@dataclass(frozen=True, slots=True)
class Draw:
    """One run of the engine.

    Attributes:
        title: what the run is about, where it is not its last strike.
        strikes: the processes that fail, one after the other.
        again_after: seconds after which the successor is killed as well, wherever it is.
        wakes_early: a frozen process wakes while its successor is at work, not behind it.
        helper: a second process sends beside the first.
        policy: what the settings make of ambiguous messages.
        resends: what a person makes of those that are held: sent again, or taken for sent.
        pauses: the campaign is paused and resumed meanwhile.
        opt_outs: how many people opt out meanwhile.
        waves: the campaign leaves in waves, half a second apart.
    """

    seed: int
    strikes: tuple[Strike, ...]
    manners: Manners
    people: int
    singles: int
    window: int
    again_after: float | None = None
    wakes_early: bool = False
    helper: bool = False
    policy: str = "hold"
    resends: bool = True
    pauses: bool = False
    opt_outs: int = 0
    stops: bool = False
    letters: int = 0
    waves: bool = False
    title: str = ""

    @property
    def stops_first(self) -> bool:
        """Whether the strike needs the stop to have come."""
        return any(strike.kind in (Kind.STOP, Kind.SWEEP) for strike in self.strikes)

    @property
    def name(self) -> str:
        """The fault in words, for tables."""
        if self.title:
            return self.title
        last = self.strikes[-1]
        return f"{last.how} at {last.point} ({last.kind})"

    @property
    def conditions(self) -> str:
        """What else is drawn, in words."""
        found = [self.manners.name, self.policy]
        found += [("send again" if self.resends else "take for sent")]
        found += ["two senders"] if self.helper else []
        found += ["pause and resume"] if self.pauses else []
        found += [f"{self.opt_outs} opt out"] if self.opt_outs else []
        found += ["stopped"] if self.stops else []
        found += [f"{self.letters} letters"] if self.letters else []
        found += ["in waves"] if self.waves else []
        found += [f"killed again after {self.again_after:.1f} s"] if self.again_after else []
        return "; ".join(found)


def draw(seed: int) -> Draw:
    """Return the run of a seed, counted from 1; the places take turns, the rest is chance."""
    chance = random.Random(seed)
    turn, index = divmod(seed - 1, len(PLACES))
    place = PLACES[index]
    how = "freeze" if place.may_freeze and turn % 3 == 1 else "kill"
    drawn = Draw(
        seed=seed,
        strikes=_strikes(place, how, chance),
        manners=_manners(place, chance),
        people=chance.randint(100, 250),
        singles=chance.randint(6, 15),
        window=chance.randint(5, 20),
        again_after=chance.uniform(0.3, 1.5) if how == "kill" and chance.random() < 0.2 else None,
        wakes_early=chance.random() < 0.5,
        helper=place.kind is Kind.SLICE and chance.random() < 0.25,
        policy=chance.choice(("hold", "hold", "hold", "assume_sent", "resend")),
        resends=chance.random() < 0.7,
        pauses=chance.random() < 0.25,
        opt_outs=chance.choice((0, 0, 0, 10)),
    )
    stops = place.stops or (not (place.letters or place.waves) and chance.random() < 0.15)
    letters = place.letters or chance.random() < 0.1
    return replace(
        drawn,
        stops=stops,
        # A stop is for good: nobody pauses what is stopped.
        pauses=drawn.pauses and not stops,
        letters=chance.randint(MOST_LETTERS + 1, 2 * MOST_LETTERS) if letters else 0,
        waves=chance.random() < 0.25 or place.waves,
    )


def _strikes(place: Place, how: str, chance: random.Random) -> tuple[Strike, ...]:
    last = Strike(how, place.point, place.kind, chance.randint(1, place.hits))
    if place.after is None:
        return (last,)
    return (Strike("kill", *place.after, chance.randint(1, 20)), last)


def _manners(place: Place, chance: random.Random) -> Manners:
    """Draw a server; half of them are polite but for what the place needs."""
    rude = chance.random() < 0.5
    return Manners(
        pipelining=chance.random() < 0.8,
        delay_seconds=chance.choice((0.0, 0.0, 0.005)) if rude else 0.0,
        slow_share=chance.choice((0.0, 0.05)) if rude else 0.0,
        deferred_share=DEFERRED_SHARE
        if place.deferred or (rude and chance.random() < 0.4)
        else 0.0,
        dropped_share=chance.choice((0.0, 0.02)) if rude else 0.0,
        swallowed_share=chance.choice((0.0, 0.02)) if rude else 0.0,
        farewell_share=chance.choice((0.0, 0.01)) if rude else 0.0,
        per_connection=chance.choice((0, 0, 25)) if rude else 0,
    )


def not_hit(hits: Iterable[tuple[str, str]]) -> list[str]:
    """Return the places that no fault has hit; ``hits`` are (point, kind)."""
    found = set(hits)
    return [f"{one.point} ({one.kind})" for one in PLACES if (one.point, one.kind) not in found]
