"""What root needs: binaries and data where an unprivileged user reaches them."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded import unprivileged
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.postgres import installation
from deploy.embedded.process import RunAs
from deploy.embedded.unprivileged import home_for, reachable_binaries, unprivileged_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="these happen only to root")


@pytest.fixture
def somebody() -> RunAs:
    found = unprivileged_user()
    assert found is not None
    return found


@pytest.fixture
def shelter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place like the real shelter, not made yet."""
    above = Path(tempfile.mkdtemp(dir="/var/tmp"))
    above.chmod(0o755)
    monkeypatch.setattr(unprivileged, "SHELTER", above / "shelter")
    yield above / "shelter"
    shutil.rmtree(above)


def run_as(somebody: RunAs, *command: str) -> str:
    answer = subprocess.run(
        command,
        user=somebody.uid,
        group=somebody.gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


def wheel_in(folder: Path) -> Path:
    """Return a copy of the installation, laid out as the wheel lays it out."""
    package = installation(18).parent
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(package / "pginstall18", folder / package.name / "pginstall18", symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return folder / package.name / "pginstall18"


def test_binaries_under_a_private_folder_are_copied_once(
    tmp_path: Path, shelter: Path, somebody: RunAs
) -> None:
    private = wheel_in(tmp_path)
    for path in tmp_path.rglob("*"):  # as pip leaves them under a strict umask
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o077)
    previous_umask = os.umask(0o077)
    try:
        copy = reachable_binaries(private, somebody)
    finally:
        os.umask(previous_umask)
    assert copy.is_relative_to(shelter)
    assert "PostgreSQL" in run_as(somebody, str(copy / "bin" / "initdb"), "--version")
    made = copy.stat().st_ctime_ns
    assert reachable_binaries(private, somebody) == copy
    assert copy.stat().st_ctime_ns == made
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_reachable_binaries_and_folders_are_used_where_they_are(
    shelter: Path, somebody: RunAs
) -> None:
    open_folder = shelter.parent / "open"
    open_folder.mkdir(mode=0o755)
    assert home_for(open_folder, somebody) == open_folder
    open_install = wheel_in(shelter.parent)
    assert reachable_binaries(open_install, somebody) == open_install
    assert not shelter.exists()


def test_a_home_whose_folder_was_removed_is_cleared_unless_a_server_is_there(
    tmp_path: Path, shelter: Path, somebody: RunAs
) -> None:
    homes: dict[str, Path] = {}
    for name in ("removed", "served", "kept"):
        folder = tmp_path / name / "postgres"
        folder.mkdir(parents=True)
        homes[name] = home_for(folder, somebody)
        (homes[name] / "data").mkdir()
    (homes["served"] / "data" / "postmaster.pid").touch()
    shutil.rmtree(tmp_path / "removed")
    shutil.rmtree(tmp_path / "served")
    home_for(tmp_path / "kept" / "postgres", somebody)
    assert {name: home.exists() for name, home in homes.items()} == {
        "removed": False,
        "served": True,
        "kept": True,
    }
    assert all(home.parent == shelter for home in homes.values())


def test_a_shelter_somebody_else_made_is_not_trusted(
    tmp_path: Path, shelter: Path, somebody: RunAs
) -> None:
    shelter.mkdir()
    os.chown(shelter, somebody.uid, somebody.gid)
    with pytest.raises(EmbeddedError, match="not a folder that only root may write to"):
        home_for(tmp_path, somebody)


def test_a_user_who_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_SERVER_USER", "no-such-user")
    with pytest.raises(EmbeddedError, match="no user 'no-such-user'"):
        unprivileged_user()
