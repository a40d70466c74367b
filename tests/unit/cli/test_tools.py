"""The parts of commands that decide: which tool, which time, which row breaks what."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from services.cli import backup
from services.cli.catalogue import NAMES, UnknownService, find, port_of
from services.cli.checking import WHAT, Verdict, table_of
from services.cli.replaying import _moment
from services.cli.running import configure_logs
from services.cli.supervision import owners
from shared.settings import SettingsError

SERVICES = Path(backup.__file__).parents[1]


def tool(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_the_newest_tool_is_taken_and_an_old_one_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tool(tmp_path / "a" / "pg_dump", "pg_dump (PostgreSQL) 15.14 (Debian 15.14-0)")
    new = tool(tmp_path / "b" / "pg_dump", "pg_dump (PostgreSQL) 18.1")
    monkeypatch.setattr(backup, "_candidates", lambda _: [old, new])
    assert backup._tool("pg_dump", 18) == new
    monkeypatch.setattr(backup, "_candidates", lambda _: [old])
    assert backup._tool("pg_dump", 15) == old
    with pytest.raises(
        SystemExit, match="pg_dump 18 or newer is needed, and the newest here is 15"
    ):
        backup._tool("pg_dump", 18)
    monkeypatch.setattr(backup, "_candidates", lambda _: [])
    with pytest.raises(SystemExit, match="the newest here is none"):
        backup._tool("pg_dump", 18)


def test_every_workflow_that_sends_is_stopped_by_a_restore() -> None:
    assert set(backup.SENDING) <= set(owners())
    assert set(owners()) - set(backup.SENDING) == {
        "agg_messageCenter_full",
        "bounces",
        "budgetMgt",
        "deliveryIndicators",
        "mcSynch_default",
        "messageCenterLevels",
        "messageCenterPurge",
        "stockMgt",
        "tracking",
        "updateEventsStatus",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [("yesterday", "neither 'earliest' nor a time"), ("2026-11-22T08:00:00", "add a zone")],
)
def test_a_time_to_replay_from_is_one_moment(text: str, reason: str) -> None:
    with pytest.raises(SystemExit, match=reason):
        _moment(text)
    assert _moment("2026-11-22T08:00:00+01:00") == _moment("2026-11-22T07:00:00Z")


def test_the_table_of_invariants_counts_the_rows_that_break_each() -> None:
    out = io.StringIO()
    broken = Verdict("stock", ("I7 a line", "I7 another", "I4 lost"))
    Console(file=out, width=120).print(table_of([broken, Verdict("web", ())]))
    lines = {line.split()[1]: line for line in out.getvalue().splitlines() if "│ I" in line}
    assert set(lines) == set(WHAT)
    assert "✗ 2 rows" in lines["I7"]
    assert "✗ 1 rows" in lines["I4"]
    assert "✓" in lines["I2"]


def test_every_invariant_of_a_service_has_a_line_in_the_table() -> None:
    sources = "".join(path.read_text() for path in SERVICES.glob("*/invariants.py"))
    assert set(re.findall(r"\bI\d\b", sources)) <= set(WHAT)


@pytest.mark.parametrize("name", NAMES)
def test_every_service_is_found_under_its_name_with_migrations_and_a_port(name: str) -> None:
    service = find(name)
    assert service.name == name
    assert list(service.migrations.glob("*.sql"))
    assert port_of(name, 8080) == 8080 + NAMES.index(name)


def test_an_unknown_service_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownService, match="there is no service 'x'; there are web, campaign"):
        find("x")


def test_an_unknown_log_level_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(SettingsError, match="LOG_LEVEL: Input should be one of 'debug', 'info'"):
        configure_logs("campaign")
