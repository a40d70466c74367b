"""Whatever stock commands come, doubled, reordered and replayed: ledgers sum, nothing below zero.

Commands are handed to the service without its inbox, so that only their natural keys protect it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    rule,
)

from services.stock.app import SERVICE
from services.stock.invariants import broken
from services.stock.workflows import manage_stock
from tests.integration.machine import Machine, play
from tests.servers import Servers
from topics.message import Command, system_actor
from topics.stock import ConsumeStock, OrderStock, ReleaseStock, ReserveStock, SaveStockLine

STOCK = system_actor("stock")
LONG_AGO = date(2020, 1, 1)

quantities = st.integers(min_value=1, max_value=40)
places = st.integers(min_value=0, max_value=999)


class Goods(Machine):
    """Two stock lines; commands wait in a bag and are handed over in any order, any often."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[UUID] = []
        self.reservations: list[ReserveStock] = []
        self.waiting: list[Command] = []
        self.handed: list[Command] = []

    @initialize(first=quantities, second=quantities, level=st.integers(0, 20))
    def save_lines(self, first: int, second: int, level: int) -> None:
        for initial in (first, second):
            command = SaveStockLine(
                line_id=uuid4(),
                actor=STOCK,
                stock="Paper",
                label="Envelopes",
                initial=initial,
                alert_level=level,
            )
            self.lines.append(command.line_id)
            self.hand_over(command)

    def hand_over(self, command: Command) -> None:
        self.handed.append(command)
        self.run(self.runtime.execute(command))

    @rule(place=places, quantity=quantities)
    def ask(self, place: int, quantity: int) -> None:
        reservation = ReserveStock(
            campaign_id=uuid4(),
            reservation_id=uuid4(),
            line_id=self.lines[place % len(self.lines)],
            quantity=quantity,
        )
        self.reservations.append(reservation)
        self.waiting.append(reservation)

    @rule(place=places, quantity=st.integers(0, 40))
    def extract(self, place: int, quantity: int) -> None:
        if self.reservations:
            of = self.reservations[place % len(self.reservations)]
            self.waiting.append(
                ConsumeStock(
                    campaign_id=of.campaign_id,
                    reservation_id=of.reservation_id,
                    cause_id=uuid4(),
                    quantity=quantity,
                )
            )

    @rule(place=places)
    def give_back(self, place: int) -> None:
        if self.reservations:
            of = self.reservations[place % len(self.reservations)]
            self.waiting.append(
                ReleaseStock(
                    campaign_id=of.campaign_id, reservation_id=of.reservation_id, reason="cancelled"
                )
            )

    @rule(place=places, quantity=quantities, days=st.integers(0, 30))
    def order(self, place: int, quantity: int, days: int) -> None:
        self.waiting.append(
            OrderStock(
                order_id=uuid4(),
                line_id=self.lines[place % len(self.lines)],
                quantity=quantity,
                due_on=LONG_AGO + timedelta(days=days),
                actor=STOCK,
            )
        )

    @rule(place=places)
    def hand_over_any(self, place: int) -> None:
        if self.waiting:
            self.hand_over(self.waiting.pop(place % len(self.waiting)))

    @rule(place=places)
    def hand_over_again(self, place: int) -> None:
        self.hand_over(self.handed[place % len(self.handed)])

    @rule()
    def replay_all(self) -> None:
        before = self.rows()
        for command in list(self.handed):
            if not isinstance(command, SaveStockLine):
                self.run(self.runtime.execute(command))
        assert self.rows() == before

    @rule()
    def work_off(self) -> None:
        self.exhaust(manage_stock)

    def rows(self) -> list[tuple[Any, ...]]:
        return self.read(
            "SELECT line_id, initial, delivered, consumed, reserved, on_order FROM stock_lines"
            " WHERE line_id = ANY ($1::uuid[]) ORDER BY line_id",
            self.lines,
        )

    @invariant()
    def ledgers_sum_and_nothing_is_below_zero(self) -> None:
        assert self.broken(broken) == []
        for _, initial, delivered, consumed, reserved, on_order in self.rows():
            assert min(initial, delivered, consumed, reserved, on_order) >= 0
            assert initial + delivered - consumed - reserved >= 0


def test_random_sequences_of_commands_keep_the_stock_true(servers: Servers) -> None:
    play(Goods, SERVICE, servers, examples=12)
