"""The wheel: all that an installed Muster needs, and none of its tests."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY
from tests.wheel import build_wheel

pytest.importorskip("hatchling", reason="hatchling builds the wheel; it is not installed here")

PACKAGES = ("services", "shared", "topics", "bot", "deploy")
# What code reads at run time, beside the code itself.
SUFFIXES = (".py", ".sql", ".csv", ".html", ".txt", ".css", ".js", ".json", ".yaml", ".sha256")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built from the checkout without a network."""
    with zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("wheel"))) as opened:
        yield opened


def names(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if not name.endswith("/")}


def sources() -> set[str]:
    """Return the files of the packages that are read at run time."""
    found = set()
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*"):
            if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                found.add(path.relative_to(REPOSITORY).as_posix())
    return found


def test_every_file_that_is_read_at_run_time_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    assert sources() - names(wheel) == set()


@pytest.mark.parametrize(
    "name",
    [
        "shared/migrations/0001_core.pre.sql",
        "services/stock/migrations/0001_stock.pre.sql",
        "bot/migrations/0001_bot.pre.sql",
        "deploy/embedded/jars.sha256",
        "deploy/sample/crm/sites.csv",
        "services/cli/demo/story.py",
    ],
)
def test_what_the_demo_needs_is_in_the_wheel(wheel: zipfile.ZipFile, name: str) -> None:
    assert name in names(wheel)


def test_templates_and_schemas_are_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    found = names(wheel)
    for folder, suffix in (
        ("services/web/templates/", ".html"),
        ("deploy/embedded/mail/templates/", ".html"),
        ("topics/schemas/", ".json"),
    ):
        assert any(one.startswith(folder) and one.endswith(suffix) for one in found), folder


def test_nothing_else_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in names(wheel)}
    (information,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {*PACKAGES, information}
    leftovers = [
        name
        for name in names(wheel)
        if "tests" in name.split("/") or name.endswith((".pyc", ".log", ".pid"))
    ]
    assert leftovers == []


def test_it_brings_the_command_its_licence_and_its_extra(wheel: zipfile.ZipFile) -> None:
    (points,) = (name for name in names(wheel) if name.endswith("entry_points.txt"))
    assert "muster = services.cli.main:main" in wheel.read(points).decode()
    (metadata,) = (name for name in names(wheel) if name.endswith("METADATA"))
    text = wheel.read(metadata).decode()
    assert "License-Expression: Apache-2.0" in text
    assert "Provides-Extra: embedded" in text
    assert "hypothesis" not in text.partition("Provides-Extra")[0]
    assert any(name.endswith("licenses/LICENSE") for name in names(wheel))
