"""Many records in one row of the outbox: all of them, as they were, in their order."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.outbox import PACK, PACK_BYTES, OutboxRow, _parts, pack, unpack
from shared.producer import unpack_headers

ROWS = st.builds(
    OutboxRow,
    topic=st.sampled_from(["events.status.v1", "events.state.v1"]),
    key=st.none() | st.text(max_size=5),
    headers=st.binary(max_size=20),
    value=st.binary(max_size=40),
)


@given(st.lists(ROWS, min_size=1, max_size=30))
def test_what_is_packed_comes_out_as_it_was(rows: list[OutboxRow]) -> None:
    assert unpack(pack(rows)) == rows


@given(st.lists(ROWS, min_size=2, max_size=5))
def test_a_relay_of_another_form_stops_at_a_packed_row_and_loses_nothing(
    rows: list[OutboxRow],
) -> None:
    # Before it has sent or deleted anything of its batch. From before packing, it takes the form
    # for headers; from before compression, for an index; ours knows another form.
    with pytest.raises(TypeError):
        unpack_headers(pack(rows).headers)
    with pytest.raises(TypeError):
        list(orjson.loads(pack(rows).headers))
    with pytest.raises(ValueError, match="another release"):
        unpack(replace(pack(rows), headers=orjson.dumps([["t", None, 0, 0]])))


def test_a_single_record_stays_readable() -> None:
    row = OutboxRow("events.state.v1", "k", b"[]", b"{}")
    assert pack([row]) is row


@given(st.lists(st.sampled_from([1, 1_000, PACK_BYTES // 3, 2 * PACK_BYTES]), max_size=400))
def test_a_row_holds_a_bounded_number_and_size(sizes: list[int]) -> None:
    rows = [OutboxRow("t", None, b"", bytes(size)) for size in sizes]
    parts = list(_parts(rows)) if rows else []
    assert [row for part in parts for row in part] == rows
    for part in parts:
        assert 1 <= len(part) <= PACK
        assert len(part) == 1 or sum(row.size for row in part) <= PACK_BYTES
