"""The relay's watermark: it passes a sequence only when no open transaction can still fill it."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from shared.relay import Watermark


def test_the_first_probe_passes_nothing() -> None:
    mark = Watermark()
    mark.observe(xmin=10, xmax=12, last=100)
    assert mark.passed == 0


def test_a_probe_is_passed_once_every_transaction_of_its_time_has_ended() -> None:
    mark = Watermark()
    mark.observe(xmin=10, xmax=12, last=100)
    mark.observe(xmin=10, xmax=15, last=150)
    mark.observe(xmin=11, xmax=15, last=160)
    assert mark.passed == 0, "transactions 10 and 11 may still write below 100"
    mark.observe(xmin=12, xmax=16, last=170)
    assert mark.passed == 100
    mark.observe(xmin=16, xmax=20, last=200)
    assert mark.passed == 170


class Database:
    """Transactions that take an id, then numbers, and commit or roll back in any order."""

    def __init__(self) -> None:
        self.next_xid, self.last = 1, 0
        self.open: dict[int, list[int]] = {}
        self.rows: set[int] = set()

    def begin(self) -> None:
        self.open[self.next_xid] = []
        self.next_xid += 1

    def take_number(self, which: int) -> None:
        if self.open:
            self.last += 1
            self.open[sorted(self.open)[which % len(self.open)]].append(self.last)

    def end(self, which: int, *, commit: bool) -> None:
        if self.open:
            numbers = self.open.pop(sorted(self.open)[which % len(self.open)])
            self.rows |= set(numbers if commit else [])

    @property
    def xmin(self) -> int:
        return min(self.open, default=self.next_xid)


MOVES = st.tuples(
    st.sampled_from(["begin", "number", "commit", "roll back", "relay"]), st.integers(0, 9)
)


def relayed(database: Database, mark: Watermark) -> Iterator[int]:
    """Do what the relay does between two sleeps."""
    found = sorted(row for row in database.rows if row > mark.passed)
    database.rows -= set(found)
    yield from found
    mark.observe(xmin=database.xmin, xmax=database.next_xid, last=database.last)


@given(st.lists(MOVES, max_size=80))
def test_no_row_is_ever_passed_by(moves: list[tuple[str, int]]) -> None:
    database, mark = Database(), Watermark()
    sent: list[int] = []
    for move, which in moves:
        if move == "begin":
            database.begin()
        elif move == "number":
            database.take_number(which)
        elif move == "relay":
            sent += relayed(database, mark)
        else:
            database.end(which, commit=move == "commit")
        below = [row for row in database.rows if row <= mark.passed]
        assert below == [], "a row appeared below the watermark: nobody would ever read it"
    assert len(sent) == len(set(sent))
