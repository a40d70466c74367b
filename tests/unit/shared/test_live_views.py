"""What a live view's table recovers from its changelog."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.events_status.views import VIEW
from shared.live_views import contents, make_app
from shared.settings import Settings

Entry = tuple[str, Any]


def an_event(key: str, value: Any) -> SimpleNamespace:
    message = SimpleNamespace(value=None if value is None else b"it", partition=0)
    return SimpleNamespace(key=key, value=value, message=message)


def recovered(folder: Path, *batches: list[Entry]) -> Any:
    settings = Settings(
        database_url="postgresql://nobody@localhost/none",
        kafka_bootstrap="localhost:1",
        muster_secret_key="s" * 32,
    )
    _, table = make_app(VIEW, settings, folder)
    for batch in batches:
        table.apply_changelog_batch([an_event(key, value) for key, value in batch])
    return table


# What a frozen replica wrote before comes behind its successor's when it goes on.
BEFORE: list[Entry] = [("60:0", [4, "four"]), ("@0", 4)]
SUCCESSOR: list[Entry] = [("60:0", [7, "seven"]), ("@0", 7)]


@pytest.mark.parametrize("batches", [[SUCCESSOR, BEFORE], [SUCCESSOR + BEFORE]])
def test_an_entry_written_before_what_is_known_is_passed_by(
    tmp_path: Path, batches: list[list[Entry]]
) -> None:
    table = recovered(tmp_path, *batches)
    assert contents(table) == {"60:0": "seven"}
    assert table["@0"] == 7


def test_the_last_of_what_one_record_wrote_is_kept(tmp_path: Path) -> None:
    table = recovered(tmp_path, [("types", [7, "first"]), ("types", [7, "second"])])
    assert contents(table) == {"types": "second"}


def test_what_was_removed_stays_away(tmp_path: Path) -> None:
    assert contents(recovered(tmp_path, SUCCESSOR, [("60:0", None)])) == {}


def test_entries_of_before_there_were_marks_are_taken_and_written_over(tmp_path: Path) -> None:
    old: list[Entry] = [("60:0", {"lines": {}}), ("@0", 3)]
    assert contents(recovered(tmp_path, old)) == {"60:0": {"lines": {}}}
    assert contents(recovered(tmp_path, old, SUCCESSOR)) == {"60:0": "seven"}
