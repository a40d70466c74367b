"""The waterfall of counts, the cutting of snapshots, their hash, and masks."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.targeting.domain import (
    CHUNK_BYTES,
    CHUNK_MEMBERS,
    Cutter,
    Tally,
    mask_address,
    mask_number,
    mask_text,
    snapshot_hash,
    waterfall,
)
from topics.targeting import Counts


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_the_groups_of_persons_add_up(without: int, doubled: int, out: int, rest: int) -> None:
    tally = Tally(
        chosen=0,
        members=7,
        deals=3,
        organisations=5,
        persons=without + doubled + out + rest,
        without_email=without,
        addresses=out + rest,
        opted_out=out,
    )
    counts = waterfall(tally, Counts.CONTACTS)
    assert counts.persons - counts.duplicates - counts.opted_out == (
        counts.reachable + counts.without_email
    )
    assert (counts.duplicates, counts.reachable) == (doubled, rest)
    assert counts.records == 7
    assert waterfall(tally, Counts.DEALS).records == 5


def test_a_chunk_ends_at_500_members_or_before_a_message_grows_too_large() -> None:
    cutter = Cutter()
    places = [cutter.place(uuid4(), None, 100) for _ in range(CHUNK_MEMBERS + 1)]
    assert [chunk for _, chunk in places] == [0] * CHUNK_MEMBERS + [1]
    assert [position for position, _ in places] == list(range(CHUNK_MEMBERS + 1))
    assert cutter.chunks == 2
    large = Cutter()
    assert [large.place(uuid4(), None, CHUNK_BYTES // 2)[1] for _ in range(5)] == [0, 0, 1, 1, 2]
    assert Cutter().chunks == 0


def test_the_hash_covers_ids_keys_and_order() -> None:
    a, b = UUID(int=1), UUID(int=2)
    by_hand = hashlib.sha256(f"{a}:k\n{b}:\n".encode()).hexdigest()
    assert snapshot_hash([(a, "k"), (b, None)]) == by_hand
    others: list[list[tuple[UUID, str | None]]] = [
        [(b, None), (a, "k")],
        [(a, "k")],
        [(a, "other"), (b, None)],
        [],
    ]
    assert by_hand not in {snapshot_hash(members) for members in others}


@pytest.mark.parametrize(
    ("address", "masked"),
    [("megan.marsh@hartley.example", "m…@….example"), (None, None), ("", None)],
)
def test_a_masked_address_names_nobody(address: str | None, masked: str | None) -> None:
    assert mask_address(address) == masked
    assert mask_text("Œuvrard") == "Œ…"
    assert mask_text("") == ""
    assert mask_number("+33 6 39 98 09 84") == "…84"
    assert mask_number("") == ""
