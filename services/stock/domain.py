"""What a stock line holds and allows: levels, reservations and the entries they book.

``in_stock = initial + delivered - consumed``; ``available = in_stock - reserved``. Neither is ever
below zero: a reservation takes what is available or nothing, a consumption what is there and no
more (``short`` says what was missing).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

MAX_QUANTITY: Final = 100_000_000


class Account(StrEnum):
    """The levels of a line; each is the sum of its entries in the ledger."""

    INITIAL = "initial"
    DELIVERED = "delivered"
    CONSUMED = "consumed"
    RESERVED = "reserved"


class EntryKind(StrEnum):
    """Why goods moved; one cause books one entry of a kind at most."""

    INITIAL = "initial"
    RECEIVE = "receive"
    RESERVE = "reserve"
    RELEASE = "release"
    DRAW = "draw"
    CONSUME = "consume"


class ReservationStatus(StrEnum):
    """How a reservation stands; ``asked`` only inside the transaction that answers."""

    ASKED = "asked"
    HELD = "held"
    REFUSED = "refused"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement: a signed quantity on one account."""

    kind: EntryKind
    account: Account
    quantity: int


@dataclass(frozen=True, slots=True)
class Levels:
    """A line's four accounts."""

    initial: int = 0
    delivered: int = 0
    consumed: int = 0
    reserved: int = 0

    @property
    def in_stock(self) -> int:
        """What lies in the stock, reserved goods included."""
        return self.initial + self.delivered - self.consumed

    @property
    def available(self) -> int:
        """What may still be reserved."""
        return self.in_stock - self.reserved

    def after(self, entries: Iterable[Entry]) -> Levels:
        """Return the levels with entries booked."""
        sums = {
            Account.INITIAL: self.initial,
            Account.DELIVERED: self.delivered,
            Account.CONSUMED: self.consumed,
            Account.RESERVED: self.reserved,
        }
        for entry in entries:
            sums[entry.account] += entry.quantity
        return Levels(
            sums[Account.INITIAL],
            sums[Account.DELIVERED],
            sums[Account.CONSUMED],
            sums[Account.RESERVED],
        )


@dataclass(frozen=True, slots=True)
class Reservation:
    """Goods kept for a campaign; ``rest`` is what it has neither consumed nor given back."""

    status: ReservationStatus = ReservationStatus.ASKED
    rest: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """A reservation after a command and the entries to book; unchanged and empty on a repeat.

    Attributes:
        quantity: what was reserved, given back or consumed.
        short: what a consumption asked for beyond what was there.
    """

    reservation: Reservation
    entries: tuple[Entry, ...] = ()
    quantity: int = 0
    short: int = 0


def initial(quantity: int) -> tuple[Entry, ...]:
    """Return the entries of a new line."""
    return (Entry(EntryKind.INITIAL, Account.INITIAL, quantity),) if quantity else ()


def receive(quantity: int) -> tuple[Entry, ...]:
    """Return the entries of an order that arrived."""
    return (Entry(EntryKind.RECEIVE, Account.DELIVERED, quantity),)


def reserve(levels: Levels, reservation: Reservation, asked: int) -> Decision:
    """Keep goods for a campaign, all of them or none; a reservation is decided once."""
    if reservation.status is not ReservationStatus.ASKED:
        return Decision(reservation)
    if asked > levels.available:
        return Decision(refuse(reservation))
    entry = Entry(EntryKind.RESERVE, Account.RESERVED, asked)
    return Decision(Reservation(ReservationStatus.HELD, asked), (entry,), quantity=asked)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of a line: whether it covers a quantity, and then falls to its alert."""

    covered: bool
    reaches_alert: bool


def outlook(levels: Levels, asked: int, *, alert_level: int) -> Outlook:
    """Return what taking a quantity would mean, with what others reserved left to them.

    Nothing asked reaches no alert: a line that is low already is no news of this campaign.
    """
    return Outlook(
        covered=asked <= levels.available,
        reaches_alert=asked > 0 and levels.available - asked <= alert_level,
    )


def refuse(reservation: Reservation) -> Reservation:
    """Return a reservation that is not made; one that was decided already stays as it is."""
    if reservation.status is not ReservationStatus.ASKED:
        return reservation
    return replace(reservation, status=ReservationStatus.REFUSED)


def release(reservation: Reservation) -> Decision:
    """Give back what is left of a reservation; one that was never made can no longer be."""
    if reservation.status is ReservationStatus.ASKED:
        return Decision(Reservation(ReservationStatus.RELEASED))
    if reservation.status is not ReservationStatus.HELD:
        return Decision(reservation)
    rest = reservation.rest
    entries = (Entry(EntryKind.RELEASE, Account.RESERVED, -rest),) if rest else ()
    return Decision(Reservation(ReservationStatus.RELEASED), entries, quantity=rest)


def consume(levels: Levels, reservation: Reservation, asked: int) -> Decision:
    """Take goods out: first what the reservation keeps, then what nobody reserved, never more."""
    drawn = min(asked, reservation.rest)
    taken = min(asked, reservation.rest + levels.available)
    entries = (
        Entry(EntryKind.DRAW, Account.RESERVED, -drawn),
        Entry(EntryKind.CONSUME, Account.CONSUMED, taken),
    )
    return Decision(
        replace(reservation, rest=reservation.rest - drawn),
        tuple(entry for entry in entries if entry.quantity),
        quantity=taken,
        short=asked - taken,
    )


@dataclass(frozen=True, slots=True)
class Alert:
    """Whether a line is at or under its alert level, and how often it fell there."""

    raised: bool = False
    crossing: int = 0


def alert_after(alert: Alert, *, in_stock: int, alert_level: int) -> Alert:
    """Return the alert for a level: raised at or under it, cleared above it, else unchanged."""
    low = in_stock <= alert_level
    if low and not alert.raised:
        return Alert(raised=True, crossing=alert.crossing + 1)
    return replace(alert, raised=low)
