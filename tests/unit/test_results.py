"""Results of benchmarks as files: what one run measured stays when another measures the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import results
from tests.bench.results import Figure, write
from tests.bench.tables import kept_lines


def a_figure(name: str, value: float) -> Figure:
    return Figure(name, "events/s", [value], None, "the disk")


def test_figures_of_another_run_stay_and_say_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    write("events", "replaying", [a_figure("events.replay", 1.0), a_figure("events.burst", 9.0)])
    for value in (2.0, 3.0):
        burst = [a_figure("events.burst", value)]
        path = write("events", "bench events", burst, keep="events.replay")
    result = json.loads(path.read_text())
    assert {one["name"]: one["median"] for one in result["figures"]} == {
        "events.burst": 3.0,
        "events.replay": 1.0,
    }
    assert result["command"] == "bench events"
    [line] = kept_lines(result)
    assert line.startswith("Of another run, `replaying`, commit ")
    assert line.endswith(": `events.replay`.")


def test_a_whole_run_replaces_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    write("events", "replaying", [a_figure("events.replay", 1.0)])
    path = write("events", "bench events", [a_figure("events.burst", 2.0)])
    result = json.loads(path.read_text())
    assert [one["name"] for one in result["figures"]] == ["events.burst"]
    assert kept_lines(result) == []
