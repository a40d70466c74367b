"""The decisions of suppliers, without a database."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.supplier.domain import (
    NAME_BYTES,
    JobState,
    Naming,
    Outcome,
    address_problem,
    after_attempt,
    column_problem,
    file_name,
    pattern_problem,
    retry_at,
)

RUN = UUID("01990000-0000-7000-8000-123456789abc")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def naming(label: str = "Été à la carte") -> Naming:
    return Naming(1042, label, date(2026, 3, 2), RUN)


def test_a_name_is_made_of_the_variables() -> None:
    name = file_name("{number} {label}-{date}_{run}.csv", naming())
    assert name == "C-1042 Ete-a-la-carte-2026-03-02_123456789abc.csv"


@pytest.mark.parametrize(
    "pattern",
    [
        "../{number}.csv",
        "a/{number}.csv",
        "a\\{number}.csv",
        ".{number}.csv",
        "{number}..csv",
        "{number}.csv.",
        "{number}\n.csv",
        "{number}\0.csv",
        "C:{number}.csv",
        "{number",
        "{}",
        "{0}",
        "{number.real}.csv",
        "{number.__class__}.csv",
        "{number[0]}.csv",
        "{number!r}.csv",
        "{number:>900}.csv",
        "{password}.csv",
        "{number}-{{label}}.csv",
        "nul.csv",
        "COM1.csv",
        "été.csv",
    ],
)
def test_a_pattern_that_could_leave_the_folder_or_say_more_is_refused(pattern: str) -> None:
    problem = pattern_problem(pattern)
    assert problem
    with pytest.raises(ValueError, match=re.escape(problem)):
        file_name(pattern, naming())


@given(label=st.text(max_size=200))
def test_no_label_makes_a_name_that_leaves_the_folder(label: str) -> None:
    name = file_name("{label}-{number}.csv", naming(label))
    assert "/" not in name
    assert "\\" not in name
    assert ".." not in name
    assert len(name.encode()) <= NAME_BYTES
    assert name.endswith("-C-1042.csv")


def test_a_long_name_keeps_its_ending() -> None:
    name = file_name("a" * 110 + "-{label}.csv", naming("b" * 100))
    assert len(name) == NAME_BYTES
    assert name.endswith("b.csv")


def test_columns_are_fields_of_the_rows_each_once() -> None:
    assert column_problem(("recipient", "town")) is None
    assert "no column 'email'" in (column_problem(("recipient", "email")) or "")
    assert column_problem(("town", "town"))
    assert column_problem(())


@pytest.mark.parametrize(
    "address", ["a@b", "a b@c.example", "a@c.example\nBcc: x@y.example", "a@b@c.example", "@c.fr"]
)
def test_a_router_has_one_plain_address(address: str) -> None:
    assert address_problem(address)


def test_what_comes_of_an_attempt_decides_the_state() -> None:
    assert after_attempt(Outcome.ACCEPTED, 0, 3) is JobState.NOTIFIED
    assert after_attempt(Outcome.DEFERRED, 2, 3) is JobState.FILE_WRITTEN
    assert after_attempt(Outcome.DEFERRED, 3, 3) is JobState.FAILED
    assert after_attempt(Outcome.REFUSED, 1, 3) is JobState.FAILED
    assert after_attempt(Outcome.AMBIGUOUS, 1, 3) is JobState.AMBIGUOUS


def test_retries_come_twice_as_late_each_time_and_within_an_hour() -> None:
    waits = [retry_at(NOON, failures, 60) - NOON for failures in (0, 1, 2, 10, 1000)]
    assert waits == [
        timedelta(minutes=1),
        timedelta(minutes=2),
        timedelta(minutes=4),
        timedelta(hours=1),
        timedelta(hours=1),
    ]
