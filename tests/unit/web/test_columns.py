"""How a row of columns becomes an event."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.web.events.columns import check_columns, event_line
from services.web.events.reading import NotRead, Unreadable

GOLDEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "a", "email": "", "phone": None}, {"type": "a"}),
    ({"ctx.a.b": "1", "ctx.a.c": 2, "ctx.d": ""}, {"ctx": {"a": {"b": "1", "c": 2}}}),
    ({"ctx": '{"a": [1, null]}'}, {"ctx": {"a": [1, None]}}),
    ({"ctx": {"a": "x"}}, {"ctx": {"a": "x"}}),
    ({"ctx": "[1]"}, {"ctx": [1]}),
    ({"external_id": 1042, "ctx.n": 1042}, {"external_id": "1042", "ctx": {"n": 1042}}),
    ({"external_id": True}, {"external_id": True}),
    ({"ctx.total": Decimal("9.90")}, {"ctx": {"total": "9.90"}}),
    ({"ctx.day": date(2026, 1, 2)}, {"ctx": {"day": "2026-01-02"}}),
    (
        {"scheduled": datetime(2026, 1, 2, 3, tzinfo=UTC)},
        {"scheduled": "2026-01-02T03:00:00+00:00"},
    ),
]


@pytest.mark.parametrize(("cells", "event"), GOLDEN)
def test_a_row_becomes_an_event_by_one_rule(cells: dict[str, Any], event: dict[str, Any]) -> None:
    line = event_line(cells.items())
    assert isinstance(line, bytes)
    assert json.loads(line) == event


def test_a_number_that_is_not_finite_stays_one_for_the_contract_to_refuse() -> None:
    assert event_line([("ctx.n", math.nan)]) == b'{"ctx":{"n":NaN}}'


@pytest.mark.parametrize("text", ["{", "[" * 1000, '{"a": "\\ud800"}', "x"])
def test_a_context_that_is_no_json_keeps_its_row_out_alone(text: str) -> None:
    wrong = event_line([("type", "a"), ("ctx", text)])
    assert isinstance(wrong, Unreadable)
    assert (wrong.field, wrong.text) == ("ctx", text.encode())


def test_text_that_is_none_keeps_its_row_out() -> None:
    assert isinstance(event_line([("ctx.a", "\ud800")]), Unreadable)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), "no column type"),
        (("email", "ctx"), "no column type"),
        (("type", "mail"), "'mail' is not known"),
        (("type", "ctx."), "'ctx.' is not known"),
        (("type", "ctx..a"), "'ctx..a' is not known"),
        (("type", "email.a"), "'email.a' is not known"),
        (("type", "email", "email"), "'email' is there twice"),
        (("type", "ctx.a.b", "ctx.a"), "'ctx.a.b' is inside 'ctx.a'"),
        (("type", "ctx", "ctx.a"), "'ctx.a' is inside 'ctx'"),
    ],
)
def test_columns_that_no_event_has_are_refused(names: tuple[str, ...], reason: str) -> None:
    with pytest.raises(NotRead, match=reason):
        check_columns(names)


def test_the_columns_of_an_event_are_taken() -> None:
    check_columns(("type", "email", "idempotency_key", "ctx.a.b", "ctx.a.c", "ctx.ab"))
