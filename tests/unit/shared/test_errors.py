"""Errors by what is done next, and reasons that hold no data."""

from __future__ import annotations

import asyncpg
import pytest

from shared.errors import (
    INFRASTRUCTURE,
    INTERRUPTIONS,
    NotAllowed,
    Permanent,
    Refused,
    Transient,
    is_permanent,
    reason_of,
)


@pytest.mark.parametrize(
    "problem",
    [
        Permanent("never"),
        Refused("no"),
        NotAllowed("no"),
        asyncpg.UniqueViolationError("(jane@example.org) already exists"),
        asyncpg.CharacterNotInRepertoireError("0x00"),
        asyncpg.UntranslatableCharacterError("\\u0000"),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    ],
)
def test_what_can_never_work_is_permanent(problem: Exception) -> None:
    assert is_permanent(problem)
    assert not isinstance(problem, INFRASTRUCTURE)


@pytest.mark.parametrize("problem", [Transient("not yet"), KeyError("x"), ConnectionResetError()])
def test_everything_else_is_tried_again(problem: Exception) -> None:
    assert not is_permanent(problem)


@pytest.mark.parametrize(
    "problem",
    [
        ConnectionResetError(),
        TimeoutError(),
        asyncpg.DeadlockDetectedError(""),
        asyncpg.AdminShutdownError(""),
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.IdleInTransactionSessionTimeoutError(""),
    ],
)
def test_a_failing_server_says_nothing_about_the_message(problem: Exception) -> None:
    assert isinstance(problem, INFRASTRUCTURE)


@pytest.mark.parametrize(
    "problem", [asyncpg.QueryCanceledError(""), asyncpg.TransactionTimeoutError("")]
)
def test_what_ran_out_of_time_may_be_the_messages_fault_and_ends_no_loop(
    problem: Exception,
) -> None:
    assert not isinstance(problem, INFRASTRUCTURE)
    assert isinstance(problem, INTERRUPTIONS)
    assert not is_permanent(problem)


def test_reasons_hold_no_values_and_can_be_stored() -> None:
    assert reason_of(Permanent("bad \x00 and \ud800")) == "bad \ufffd and ?"
    assert "jane" not in reason_of(asyncpg.UniqueViolationError("jane@example.org"))
    assert reason_of(ValueError("jane@example.org")) == "ValueError"
    assert reason_of(asyncpg.DataError("'\ud800'")) == (
        "a text or number that cannot be stored (DataError)"
    )
    assert len(reason_of(Refused("x" * 5000))) == 500
