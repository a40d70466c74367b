"""Schedules, occurrences, missed starts, plans and programs on the command line."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest

from tests.integration.cli_shell import Shell
from tests.integration.test_cli_campaigns import COUNTS, MANAGER, cli, does, hear
from topics.targeting import TargetCounted

__all__ = ["cli"]

START, END = "2090-01-02 09:00", "2090-03-01 09:00"  # a Monday, far from any clock


@pytest.fixture
def campaign(cli: Shell) -> str:
    words = ("News", "--targeting", "North", "--model", str(uuid4()), "--zone", "Europe/Paris")
    state = does(cli, "create", *words, "--start", START, "--end", END)["state"]
    campaign_id = UUID(state["campaign_id"])
    hear(
        cli,
        "campaign",
        TargetCounted(
            campaign_id=campaign_id, targeting_id=UUID(state["targeting_id"]), counts=COUNTS
        ),
    )
    return f"C-{state['number']}"


def test_a_schedule_is_set_launched_and_its_dates_shown(cli: Shell, campaign: str) -> None:
    rule = ("--every", "weekly", "--on", "mo", "--on", "th", "--at", "09:30", "--count", "3")
    once = ("--approve-once", "60", "--tolerance", "5")
    single = ("--date", "2090-01-04 12:00", "--without", "2090-01-05")
    state = does(cli, "schedule", campaign, *rule, *single, *once)["state"]
    assert (state["kind"], state["next_at"]) == ("recurring", "2090-01-02T08:30:00Z")
    assert does(cli, "launch", campaign)["state"]["status"] == "running"
    shown = json.loads(cli.does("campaign", "occurrences", campaign, "--json").splitlines()[-1])
    assert [line["local"] for line in shown["coming"]] == [
        "2090-01-02T09:30",
        "2090-01-04T12:00",
        "2090-01-09T09:30",
    ]
    assert shown["schedule"]["approve_once"] == {"days": 60, "tolerance_percent": 5}
    said = cli.does("campaign", "occurrences", campaign)
    assert "recurring, in Europe/Paris" in said
    assert "to be created" in said


def test_what_is_wrong_with_a_schedule_is_said_with_its_field(cli: Shell, campaign: str) -> None:
    for words, what in (
        (("--every", "daily", "--on", "mo"), "weekdays are for weekly and monthly rules"),
        (("--every", "weekly", "--on", "someday"), "weekdays"),
        (("--date", "2020-01-01 09:00"), "no date between the campaign's start and its end"),
    ):
        assert what in cli.refuses("campaign", "schedule", campaign, *words, "--operator", MANAGER)
    failed = cli.refuses("campaign", "missed", campaign, "--start", "--operator", MANAGER)
    assert "has no missed start to answer" in failed


def test_a_campaign_is_put_under_a_program_of_a_plan(cli: Shell, campaign: str) -> None:
    dates = ("--start", "2090-01-01", "--end", "2090-12-31", "--operator", MANAGER)
    cli.does("plan", "save", "Year", *dates)
    cli.does("program", "save", "Winter", "--plan", "Year", *dates)
    assert "Winter" in cli.does("program", "list", "--plan", "Year")
    assert "Year" in cli.does("plan", "list", "--json")
    state = does(cli, "move", campaign, "--program", "Winter")["state"]
    (program,) = json.loads(cli.does("program", "list", "--json").splitlines()[-1])
    assert state["program_id"] == program["program_id"]
    assert does(cli, "move", campaign)["state"]["program_id"] is None
    assert "there is a plan" in cli.refuses("plan", "save", "year", *dates)


def test_waves_are_set_shown_refused_and_taken_back(cli: Shell, campaign: str) -> None:
    words = ("--operator", MANAGER)
    state = does(cli, "waves", campaign, "--size", "25%", "--every", "2h")["state"]
    equal = {"unit": "percent", "size": 25, "period_minutes": 120, "calendar": []}
    assert state["plan"]["waves"] == equal
    detail = does(cli, "edit", campaign, "--severity", "critical", "--priority", "2")
    assert (detail["waves"], detail["severity"], detail["priority"]) == (equal, "critical", 2)
    dates = ("--date", "2090-01-03 09:00 500", "--date", "2090-04-01 09:00 500")
    late = cli.refuses("campaign", "waves", campaign, *dates, *words)
    assert "its last wave would leave at 2090-04-01T09:00+02:00, not before its end" in late
    for wrong, what in (
        (("--size", "25%"), "waves have a size and a period"),
        (("--size", "25%", "--every", "soon"), "soon is no period"),
        (("--date", "someday 5"), "'someday' is no date"),
        (("--size", "x", "--every", "1h"), "size"),
    ):
        assert what in cli.refuses("campaign", "waves", campaign, *wrong, *words)
    assert does(cli, "waves", campaign, "--none")["state"]["plan"]["waves"] is None
