"""An array that no reader takes as a whole, taken apart: its good items, in bounded time."""

from __future__ import annotations

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.events.reading import NotRead, Read, Wrong, read_json
from services.web.events.splitting import apart

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
GOOD = orjson.dumps({"type": "a", "email": "ann@example.org"})


@given(st.lists(VALUES, min_size=1))
def test_items_are_found_as_they_are_written(values: list[object]) -> None:
    pieces = apart(orjson.dumps(values, option=orjson.OPT_INDENT_2))
    assert pieces is not None
    assert [orjson.loads(piece) for piece in pieces] == values


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"{}", b"[1]]", b"[1,]", b'["a]', b"[1] 2"])
def test_what_is_not_one_whole_array_is_not_taken_apart(body: bytes) -> None:
    assert apart(body) is None


@pytest.mark.parametrize(
    "poison", [b'{"a": "\\ud800"}', b"[" * 5000 + b"]" * 5000, b"NaN", b'{"a": 1', b"\xff"]
)
def test_one_bad_item_leaves_the_others(poison: bytes) -> None:
    if poison.count(b"{") != poison.count(b"}"):
        with pytest.raises(NotRead):
            read_json(b"[%b,%b]" % (GOOD, poison))
        return
    chunk, single = read_json(b"[%b,%b,%b]" % (GOOD, poison, GOOD))
    assert not single
    assert [type(one) for one in chunk.items] == [Read, Wrong, Read]
    bad = chunk.items[1]
    assert isinstance(bad, Wrong)
    assert bad.status == 422


def test_eight_megabytes_of_quotes_and_brackets_take_no_time() -> None:
    began = time.perf_counter()
    for filler in (b'"', b"\\", b'"\\"', b"[", b'["'):
        assert apart(b"[" + filler * (8_000_000 // len(filler))) is None
    assert time.perf_counter() - began < 20
