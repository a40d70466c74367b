"""Where a command finds its servers, and how it keeps the instance's secret."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from services.cli import environment
from services.cli.environment import NEEDED, recall, remember, secret_in, settings_or_exit

GOOD = {
    "DATABASE_URL": "postgresql://owner@db/muster",
    "KAFKA_BOOTSTRAP": "broker:9092",
    "MUSTER_SECRET_KEY": "a-secret-for-tests",
}


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NEEDED:
        monkeypatch.setenv(name, "")  # so that what a test sets is undone, too
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_secret_is_made_once_and_is_its_owners_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    first = secret_in(folder)
    assert len(first) == 64
    assert secret_in(folder) == first
    assert mode(folder / "secret") == 0o600
    assert secret_in(tmp_path / "other") != first


def test_a_running_instance_is_found_again_and_the_environment_goes_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(tmp_path, GOOD)
    assert mode(tmp_path / "environment") == 0o600
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "mine:9092")
    recall(tmp_path)
    assert os.environ["DATABASE_URL"] == GOOD["DATABASE_URL"]
    assert os.environ["KAFKA_BOOTSTRAP"] == "mine:9092"


def test_without_servers_a_command_says_what_to_do() -> None:
    with pytest.raises(SystemExit) as found:
        settings_or_exit()
    said = str(found.value)
    assert all(name in said for name in NEEDED)
    assert "muster up" in said


def test_a_database_whose_name_cannot_name_roles_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    assert settings_or_exit().kafka_bootstrap == "broker:9092"
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner@db/My-Database")
    with pytest.raises(SystemExit, match="DATABASE_URL: 'My-Database' is no SQL identifier"):
        settings_or_exit()


def test_a_block_of_ports_leaves_out_those_that_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "is_free", lambda port: port not in {9003, 9012})
    assert environment.free_block(9000, 10) == 9020
    monkeypatch.setattr(environment, "is_free", lambda _: False)
    with pytest.raises(SystemExit, match="no 10 free ports in a row"):
        environment.free_block(9000, 10)
