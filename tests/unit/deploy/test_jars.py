"""The jars' lock file, and files that are not what it says."""

import re
from pathlib import Path, PurePosixPath

import pytest

from deploy.embedded import jars
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.jars import Jar, ensure_jars, locked_jars, sha256_of


def place(folder: Path, path: str, content: bytes) -> Jar:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return Jar(PurePosixPath(path), sha256_of(target))


def test_the_lock_file_names_each_jar_once_with_its_digest() -> None:
    found = locked_jars()
    assert len({jar.path for jar in found}) == len(found) > 40
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in found)
    assert all(jar.path.name == f"{jar.artifact}-{jar.version}.jar" for jar in found)


def test_everything_of_kafka_has_one_version_and_a_log_binding_is_there() -> None:
    found = locked_jars()
    assert {jar.version for jar in found if jar.group == "org.apache.kafka"} == {"4.3.0"}
    assert "log4j-slf4j-impl" in {jar.artifact for jar in found}


def test_jars_that_are_good_need_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "_maven", lambda _: pytest.fail("the network was used"))
    one = place(tmp_path, "org/example/a/1/a-1.jar", b"a")
    assert ensure_jars(tmp_path, (one,)) == (tmp_path / one.path,)


def test_a_jar_that_was_changed_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[Jar] = []
    monkeypatch.setattr(jars, "_fetch", lambda missing, _: fetched.extend(missing))
    one = place(tmp_path, "org/example/a/1/a-1.jar", b"a")
    two = place(tmp_path, "org/example/b/1/b-1.jar", b"b")
    (tmp_path / two.path).write_bytes(b"tampered")
    ensure_jars(tmp_path, (one, two))
    assert fetched == [two]


def test_too_little_room_is_said_before_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "_MIN_FREE_BYTES", 2**62)
    with pytest.raises(EmbeddedError, match="Free some space"):
        ensure_jars(tmp_path, (Jar(PurePosixPath("org/example/a/1/a-1.jar"), "0" * 64),))
