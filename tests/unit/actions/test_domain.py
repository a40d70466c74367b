"""The decisions of actions, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import product
from uuid import RFC_4122, UUID
from zoneinfo import ZoneInfo

import pytest

from services.actions.domain import (
    FITS,
    MOVES,
    ActionStatus,
    Totals,
    chunks_per_step,
    id_prefix,
    is_overdue,
    local_date,
    movable,
    nothing_to_move,
    sources,
    target,
)
from topics.actions import ActionMove, Filing, ModelKind
from topics.targeting import Counts

LEGAL = {
    (ActionMove.EXECUTE, ActionStatus.WAITING): ActionStatus.EXECUTED,
    (ActionMove.CANCEL, ActionStatus.WAITING): ActionStatus.CANCELLED,
    (ActionMove.CANCEL, ActionStatus.SUSPENDED): ActionStatus.CANCELLED,
    (ActionMove.SUSPEND, ActionStatus.WAITING): ActionStatus.SUSPENDED,
    (ActionMove.RESUME, ActionStatus.SUSPENDED): ActionStatus.WAITING,
    (ActionMove.FINISH, ActionStatus.EXECUTED): ActionStatus.FINISHED,
}


@pytest.mark.parametrize(("move", "status"), list(product(ActionMove, ActionStatus)))
def test_only_the_six_legal_moves_are_in_the_table(move: ActionMove, status: ActionStatus) -> None:
    assert MOVES[move].get(status) == LEGAL.get((move, status))


def test_every_move_leads_to_one_state_it_does_not_start_from() -> None:
    for move in ActionMove:
        assert target(move) not in sources(move)


def test_finished_and_cancelled_actions_are_final() -> None:
    left = {status for move in ActionMove for status in sources(move)}
    assert {ActionStatus.FINISHED, ActionStatus.CANCELLED}.isdisjoint(left)


def test_what_can_move_is_counted_over_the_states_the_move_leaves() -> None:
    totals = Totals(waiting=3, suspended=4, executed=5, finished=6, cancelled=7)
    assert movable(ActionMove.CANCEL, totals) == 7
    assert movable(ActionMove.FINISH, totals) == 5
    assert totals.counts().generated == 25


def test_a_refused_move_says_from_which_states_it_would_work() -> None:
    assert nothing_to_move(ActionMove.CANCEL).endswith("must be waiting or suspended")


def test_deals_take_no_models_for_sites_and_sites_none_for_deals() -> None:
    assert Counts.DEALS not in FITS[ModelKind.ACTION_ON_SITE]
    assert Counts.DEALS not in FITS[ModelKind.DEAL_ON_SITE]
    assert FITS[ModelKind.ACTION_ON_DEAL] == (Counts.DEALS,)


@pytest.mark.parametrize(
    ("models", "filing", "chunks"),
    [
        (1, Filing.NONE, 40),
        (1, Filing.PER_CONTACT, 20),
        (1, Filing.ONE_FOR_ALL, 40),
        (20, Filing.PER_CONTACT, 1),
        (3, Filing.NONE, 13),
    ],
)
def test_a_step_writes_at_most_twenty_thousand_rows(
    models: int, filing: Filing, chunks: int
) -> None:
    assert chunks_per_step([(ModelKind.ACTION_ON_SITE, filing)] * models) == chunks


def test_an_action_is_late_the_day_after_it_was_due_while_it_is_still_to_be_done() -> None:
    due = date(2026, 3, 1)
    assert not is_overdue(ActionStatus.WAITING, due, date(2026, 3, 1))
    assert is_overdue(ActionStatus.WAITING, due, date(2026, 3, 2))
    assert is_overdue(ActionStatus.SUSPENDED, due, date(2026, 3, 2))
    assert not is_overdue(ActionStatus.EXECUTED, due, date(2026, 3, 2))


def test_a_day_is_the_one_of_the_instance_s_zone() -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert local_date(late, ZoneInfo("Europe/Paris")) == date(2026, 3, 2)


def test_ids_made_by_the_database_are_version_7_with_the_time_they_were_made() -> None:
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    made = UUID(id_prefix(moment, UUID(int=0xABCDEF)) + "00000000002a")
    assert made.version == 7
    assert made.variant == RFC_4122
    assert made.int >> 80 == int(moment.timestamp() * 1000)
