"""Ids in order of making, keys that stand for addresses, traces that are carried on."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from shared.ids import child_traceparent, new_id, new_id_text, normalise_email, recipient_key

SECRET = b"a-secret-for-tests"
TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def test_ids_are_uuid7_unique_and_in_order_of_making() -> None:
    made = [new_id() for _ in range(2000)]
    assert {one.version for one in made} == {7}
    assert len(set(made)) == len(made)
    assert made == sorted(made)
    texts = [str(new_id()) if i % 2 else new_id_text() for i in range(100)]
    assert texts == sorted(texts)


@given(st.emails())
def test_spellings_of_an_address_share_a_key(address: str) -> None:
    key = recipient_key(SECRET, "email", address)
    assert re.fullmatch("[0-9a-f]{32}", key)
    assert recipient_key(SECRET, "email", f" {normalise_email(address)} ") == key


def test_channel_secret_and_address_each_make_another_key() -> None:
    keys = {
        recipient_key(SECRET, "email", "a@example.org"),
        recipient_key(SECRET, "email", "b@example.org"),
        recipient_key(SECRET, "phone", "a@example.org"),
        recipient_key(b"another", "email", "a@example.org"),
    }
    assert len(keys) == 4


def test_a_child_span_stays_in_its_parents_trace() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    child = child_traceparent(parent)
    assert TRACE.fullmatch(child)
    assert (child[3:35], child[53:]) == (parent[3:35], "00")
    assert child[36:52] != parent[36:52]


def test_without_a_parent_a_trace_begins() -> None:
    first, second = child_traceparent(None), child_traceparent(None)
    assert TRACE.fullmatch(first)
    assert first[3:35] != second[3:35]
