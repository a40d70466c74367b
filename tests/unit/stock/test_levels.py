"""Stock levels: every order and repetition of commands keeps the ledger true and above zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stock.domain import (
    Account,
    Alert,
    Decision,
    Entry,
    EntryKind,
    Levels,
    Outlook,
    Reservation,
    ReservationStatus,
    alert_after,
    consume,
    initial,
    outlook,
    receive,
    release,
    reserve,
)

INITIAL = 100


@dataclass
class Shelf:
    """A line of 100 with its reservations and its ledger, driven by the domain alone."""

    levels: Levels = field(default_factory=lambda: Levels(initial=INITIAL))
    reservations: dict[int, Reservation] = field(default_factory=dict)
    ledger: dict[tuple[str, EntryKind], Entry] = field(default_factory=dict)
    causes: set[str] = field(default_factory=set)

    def apply(self, name: str, key: int, cause: int, quantity: int) -> None:
        reservation = self.reservations.get(key, Reservation())
        if name == "receive":
            self._receive(cause, quantity)
        elif name == "consume":
            self._consume(key, f"file {cause}", reservation, quantity)
        elif name == "reserve":
            self._book(key, f"hold {key}", reserve(self.levels, reservation, quantity))
        else:
            self._book(key, f"hold {key}", release(reservation))

    def _receive(self, cause: int, quantity: int) -> None:
        if f"order {cause}" not in self.causes:
            self.causes.add(f"order {cause}")
            self._enter(f"order {cause}", receive(quantity))

    def _consume(self, key: int, cause: str, reservation: Reservation, quantity: int) -> None:
        # As the service does: a file counts once, and waits for its reservation.
        if cause in self.causes or reservation.status is ReservationStatus.ASKED:
            return
        self.causes.add(cause)
        decision = consume(self.levels, reservation, quantity)
        assert decision.quantity + decision.short == quantity
        self._book(key, cause, decision)

    def _book(self, key: int, cause: str, decision: Decision) -> None:
        self.reservations[key] = decision.reservation
        self._enter(cause, decision.entries)

    def _enter(self, cause: str, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            assert (cause, entry.kind) not in self.ledger, "one cause books one entry of a kind"
            self.ledger[cause, entry.kind] = entry
        self.levels = self.levels.after(entries)

    def sum_of(self, account: Account) -> int:
        return sum(e.quantity for e in self.ledger.values() if e.account is account)


commands = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "release", "consume", "consume", "receive"]),
        st.integers(min_value=0, max_value=4),
        st.integers(min_value=0, max_value=6),
        st.integers(min_value=1, max_value=80),
    ),
    max_size=60,
)


@given(commands=commands)
def test_whatever_comes_in_whatever_order_levels_are_sums_and_never_below_zero(
    commands: list[tuple[str, int, int, int]],
) -> None:
    shelf = Shelf()
    for command in commands:
        shelf.apply(*command)
        assert shelf.levels.delivered == shelf.sum_of(Account.DELIVERED)
        assert shelf.levels.consumed == shelf.sum_of(Account.CONSUMED)
        assert shelf.levels.reserved == shelf.sum_of(Account.RESERVED)
        assert shelf.levels.reserved == sum(one.rest for one in shelf.reservations.values())
        assert 0 <= shelf.levels.available <= shelf.levels.in_stock


@given(commands=commands)
def test_repeating_every_command_changes_nothing(
    commands: list[tuple[str, int, int, int]],
) -> None:
    shelf = Shelf()
    for command in commands:
        shelf.apply(*command)
        once = (shelf.levels, dict(shelf.reservations), dict(shelf.ledger))
        shelf.apply(*command)
        assert (shelf.levels, shelf.reservations, shelf.ledger) == once


@pytest.mark.parametrize(("asked", "status"), [(6, "held"), (7, "held"), (8, "refused")])
def test_a_reservation_takes_all_it_asks_or_nothing(asked: int, status: str) -> None:
    levels = Levels(initial=10, reserved=3)
    assert reserve(levels, Reservation(), asked).reservation.status == status


@pytest.mark.parametrize(
    ("asked", "taken", "short", "rest"),
    [(0, 0, 0, 4), (3, 3, 0, 1), (4, 4, 0, 0), (6, 6, 0, 0), (7, 6, 1, 0)],
)
def test_a_consumption_takes_its_reservation_then_what_is_free_and_no_more(
    asked: int, taken: int, short: int, rest: int
) -> None:
    levels = Levels(initial=10, reserved=8)
    decision = consume(levels, Reservation(ReservationStatus.HELD, 4), asked)
    assert (decision.quantity, decision.short, decision.reservation.rest) == (taken, short, rest)
    after = levels.after(decision.entries)
    assert after.in_stock == 10 - taken
    assert after.available >= 0


def test_a_release_gives_back_what_was_not_consumed() -> None:
    decision = release(Reservation(ReservationStatus.HELD, 4))
    assert decision.quantity == 4
    assert Levels(initial=10, reserved=8).after(decision.entries).available == 6
    assert release(Reservation(ReservationStatus.HELD, 0)).entries == ()


def test_in_stock_is_initial_and_delivered_less_consumed() -> None:
    levels = Levels().after((*initial(10), *receive(5)))
    taken = consume(levels, Reservation(ReservationStatus.RELEASED), 4)
    assert levels.after(taken.entries).in_stock == 11
    assert initial(0) == ()


def test_an_alert_is_raised_once_for_each_crossing() -> None:
    alert, told = Alert(), []
    for in_stock in [12, 11, 10, 9, 0, 10, 11, 30, 10, 11]:
        after = alert_after(alert, in_stock=in_stock, alert_level=10)
        if after != alert:
            told.append((in_stock, after.raised, after.crossing))
        alert = after
    assert told == [(10, True, 1), (11, False, 1), (10, True, 2), (11, False, 2)]


@given(
    seen=st.lists(st.integers(min_value=0, max_value=8), max_size=40),
    alert_level=st.integers(min_value=0, max_value=8),
)
def test_whatever_levels_are_seen_and_seen_again_each_fall_to_the_alert_level_is_one_crossing(
    seen: list[int], alert_level: int
) -> None:
    alert = Alert()
    for in_stock in seen:
        alert = alert_after(alert, in_stock=in_stock, alert_level=alert_level)
        assert alert_after(alert, in_stock=in_stock, alert_level=alert_level) == alert
    low = [False, *(in_stock <= alert_level for in_stock in seen)]
    falls = sum(now and not before for before, now in pairwise(low))
    assert alert == Alert(raised=low[-1], crossing=falls)


@pytest.mark.parametrize(
    ("asked", "covered", "reaches_alert"),
    [(0, True, False), (4, True, False), (5, True, True), (7, True, True), (8, False, True)],
)
def test_the_outlook_says_what_is_covered_and_what_would_be_low(
    asked: int, covered: bool, reaches_alert: bool
) -> None:
    levels = Levels(initial=10, reserved=3)
    assert outlook(levels, asked, alert_level=2) == Outlook(covered, reaches_alert)
