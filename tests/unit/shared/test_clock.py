"""The clock that a file puts ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.clock import AheadClock, SystemClock, clock_of


def test_a_clock_is_ahead_by_what_its_file_says_at_that_moment(tmp_path: Path) -> None:
    file = tmp_path / "ahead"
    clock = clock_of(file)
    assert clock.now() - datetime.now(UTC) < timedelta(days=1)
    file.write_text(f"{7 * 86_400}\n")
    assert clock.now() - datetime.now(UTC) > timedelta(days=6)
    file.write_text("soon")
    with pytest.raises(ValueError, match="soon"):
        clock.now()


def test_without_a_file_the_machine_s_clock_counts(tmp_path: Path) -> None:
    assert isinstance(clock_of(None), SystemClock)
    assert isinstance(clock_of(tmp_path / "none"), AheadClock)


def test_a_clock_that_is_put_ahead_goes_on_from_there_and_never_back(tmp_path: Path) -> None:
    clock, path = AheadClock(tmp_path / "clock"), tmp_path / "clock"
    later = datetime.now(UTC) + timedelta(days=3)
    clock.go_on_to(later)
    reached = AheadClock(path).now()
    assert later <= reached < later + timedelta(minutes=5)
    clock.go_on_to(datetime.now(UTC))
    assert clock.now() >= reached
    assert [one.name for one in tmp_path.iterdir()] == ["clock"]
