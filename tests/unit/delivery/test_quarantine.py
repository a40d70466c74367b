"""Quarantine: what errors make of an address, over a driven clock."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.domain.quarantine import (
    AddressError,
    Limits,
    Standing,
    held,
    standing_of,
)
from shared.clock import DrivenClock
from topics.bounces import AddressStatus, ErrorReason, Severity

START = datetime(2026, 3, 14, 8, tzinfo=UTC)
LIMITS = Limits()
UNREACHABLE, FULL, UNKNOWN, COMPLAINT = (
    ErrorReason.UNREACHABLE,
    ErrorReason.MAILBOX_FULL,
    ErrorReason.USER_UNKNOWN,
    ErrorReason.DENYLISTED,
)


def soft(at: datetime, reason: ErrorReason = UNREACHABLE) -> AddressError:
    return AddressError(at, Severity.SOFT, reason)


def softs(*days: float, reason: ErrorReason = UNREACHABLE) -> list[AddressError]:
    return [soft(START + timedelta(days=day), reason) for day in days]


def of(*errors: AddressError) -> tuple[AddressStatus, int]:
    standing = standing_of(errors, LIMITS)
    return standing.status, standing.soft_errors


def test_a_hard_error_quarantines_at_once() -> None:
    assert of(AddressError(START, Severity.HARD, UNKNOWN)) == (AddressStatus.QUARANTINE, 0)


def test_a_complaint_denylists_whatever_else_there_is() -> None:
    complaint = AddressError(START, Severity.HARD, COMPLAINT)
    later = AddressError(START + timedelta(days=1), Severity.HARD, UNKNOWN)
    assert of(complaint, later)[0] is AddressStatus.DENYLISTED
    assert standing_of([later, complaint], LIMITS).reason is COMPLAINT


def test_an_ignored_error_is_none() -> None:
    assert of(AddressError(START, Severity.IGNORED, ErrorReason.ERROR_IGNORED)) == (
        AddressStatus.VALID,
        0,
    )


def test_five_soft_errors_are_borne_and_the_sixth_quarantines() -> None:
    clock, errors = DrivenClock(START), []
    for number in range(1, 7):
        errors.append(soft(clock.now()))
        status = AddressStatus.WITH_ERRORS if number <= 5 else AddressStatus.QUARANTINE
        assert of(*errors) == (status, number)
        clock.advance(timedelta(days=1))


def test_errors_less_than_a_day_apart_count_once() -> None:
    assert of(*softs(0, 0.2, 0.5, 0.99)) == (AddressStatus.WITH_ERRORS, 1)
    assert of(*softs(0, 0.99, 1.0))[1] == 2, "a day is measured from the last that counted"


def test_after_ten_days_without_an_error_the_counter_begins_again() -> None:
    assert of(*softs(0, 1, 2, 3, 13))[1] == 5, "ten days are not more than ten days"
    assert of(*softs(0, 1, 2, 3, 13.01))[1] == 1
    # An error that did not count still shows that the address is in trouble.
    assert of(*softs(0, 1, 2, 3, 3.5, 13.2))[1] == 5


def test_a_full_mailbox_is_remembered_for_thirty_days() -> None:
    assert of(*softs(0, reason=FULL), *softs(29))[1] == 2
    assert of(*softs(0, reason=FULL), *softs(30.1))[1] == 1
    assert of(*softs(0, reason=FULL), *softs(1), *softs(29))[1] == 3


def test_who_is_quarantined_stays_so_after_the_counter_began_again() -> None:
    assert of(*softs(0, 1, 2, 3, 4, 5), *softs(90)) == (AddressStatus.QUARANTINE, 1)


def test_no_rule_releases_a_blocked_address() -> None:
    blocked = Standing(AddressStatus.QUARANTINE, reason=UNKNOWN)
    assert held(blocked, Standing()).status is AddressStatus.QUARANTINE
    denied = Standing(AddressStatus.DENYLISTED)
    assert held(blocked, denied) == denied
    errors = Standing(AddressStatus.WITH_ERRORS, soft_errors=3)
    assert held(errors, Standing()) == Standing()


def test_the_numbers_are_settings() -> None:
    strict = Limits(soft_errors=0, significant=timedelta(hours=1))
    assert standing_of(softs(0), strict).status is AddressStatus.QUARANTINE


moments = st.lists(
    st.tuples(
        st.integers(0, 90 * 24),
        st.sampled_from([(Severity.SOFT, UNREACHABLE), (Severity.SOFT, FULL)]),
    ),
    max_size=30,
)


def errors_of(drawn: list[tuple[int, tuple[Severity, ErrorReason]]]) -> list[AddressError]:
    return [AddressError(START + timedelta(hours=hours), *kind) for hours, kind in drawn]


@given(moments, st.randoms(use_true_random=False))
def test_the_order_of_reports_changes_nothing(
    drawn: list[tuple[int, tuple[Severity, ErrorReason]]], chance: random.Random
) -> None:
    errors = errors_of(drawn)
    shuffled = errors * 3
    chance.shuffle(shuffled)
    assert standing_of(shuffled, LIMITS) == standing_of(errors, LIMITS)


@given(moments, st.integers(0, 90 * 24))
def test_one_more_error_never_improves_a_standing(
    drawn: list[tuple[int, tuple[Severity, ErrorReason]]], hours: int
) -> None:
    errors = errors_of(drawn)
    rank = list(AddressStatus).index
    before = standing_of(errors, LIMITS)
    after = standing_of([*errors, soft(START + timedelta(hours=hours))], LIMITS)
    assert rank(after.status) >= rank(before.status)


@pytest.mark.parametrize("status", [AddressStatus.VALID, AddressStatus.WITH_ERRORS])
def test_only_two_statuses_block(status: AddressStatus) -> None:
    assert not Standing(status).blocked
