"""The decisions of suppliers, without a database."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.supplier.domain.jobs import (
    DECIDED,
    Decision,
    JobState,
    after_attempt,
    after_writing,
    retry_at,
)
from services.supplier.domain.naming import (
    NAME_BYTES,
    Naming,
    address_problem,
    file_name,
    pattern_problem,
)
from shared.mail.outcome import Outcome

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
        "{number}.csv\n",
        "letters.csv",
        "Letters-0001.pdf",
        "{number}.csv.manifest.json",
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


@pytest.mark.parametrize(
    "address",
    [
        "a@b",
        "a b@c.example",
        "a@c.example\nBcc: x@y.example",
        "a@c.example\n",
        "a@b@c.example",
        "@c.fr",
    ],
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


def test_a_file_that_needs_approval_waits_until_these_very_bytes_are_approved() -> None:
    assert after_writing(needs_approval=False, approved=False) is JobState.FILE_WRITTEN
    assert after_writing(needs_approval=True, approved=True) is JobState.FILE_WRITTEN
    assert after_writing(needs_approval=True, approved=False) is JobState.FILE_TO_APPROVE


def test_nobody_gives_up_letters_that_may_be_printed_or_sends_what_was_not_approved() -> None:
    assert Decision.GIVE_UP not in DECIDED[JobState.AMBIGUOUS]
    assert set(DECIDED[JobState.FILE_RETURNED]) == {Decision.WRITE_AGAIN, Decision.GIVE_UP}
    assert JobState.FILE_TO_APPROVE not in DECIDED
