"""Files of suppliers on disk, whole or not there, and the mail that takes them along."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.supplier import files, mail, wording

NOTICE = wording.Notice(
    supplier="Imprimerie Morel",
    service="Letters",
    number=1042,
    campaign="Autumn\r\nBcc: everybody@sample.example",
    file_name="C-1042.csv",
    rows=12,
    sha256="ab" * 32,
)


def test_a_file_is_there_whole_after_the_commit_and_not_before(tmp_path: Path) -> None:
    path = files.path_of(tmp_path, uuid4(), "a.csv")
    with files.FileWriter(path, 1) as writer:
        writer.write(b"one\r\n")
        assert not path.exists()
        sha256 = writer.place()
    assert sha256 == hashlib.sha256(b"one\r\n").hexdigest()
    assert files.read_if_intact(path, sha256) == b"one\r\n"
    assert path.stat().st_mode & 0o077 == 0


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = files.path_of(tmp_path, uuid4(), "a.csv")
    with files.FileWriter(path, 1) as writer:
        writer.write(b"old")
        writer.place()
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_bytes() == b"old"
    assert [one.name for one in path.parent.iterdir()] == ["a.csv"]


def write_half(path: Path) -> None:
    with files.FileWriter(path, 2) as writer:
        writer.write(b"half")
        raise RuntimeError


def test_a_changed_or_missing_file_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert files.read_if_intact(path, "") is None
    path.write_bytes(b"changed")
    assert files.read_if_intact(path, hashlib.sha256(b"original").hexdigest()) is None


@pytest.mark.parametrize("name", ["../a.csv", "b/a.csv", "/etc/passwd", "..", "."])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(files.OutsideFolder):
        files.path_of(tmp_path, uuid4(), name)


def test_a_link_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    elsewhere, folder, file_id = tmp_path / "elsewhere", tmp_path / "files", uuid4()
    elsewhere.mkdir()
    folder.mkdir()
    (folder / str(file_id)).symlink_to(elsewhere)
    with pytest.raises(files.OutsideFolder):
        files.path_of(folder, file_id, "a.csv")


def test_removing_takes_the_folder_and_a_killed_writer_s_draft(tmp_path: Path) -> None:
    path = files.path_of(tmp_path, uuid4(), "a.csv")
    path.parent.mkdir()
    path.write_bytes(b"x")
    (path.parent / ".draft-1").write_bytes(b"half")
    (path.parent / ".sheet-1").mkdir()
    (path.parent / ".sheet-1" / "draft.xlsx").write_bytes(b"half")
    files.remove(path)
    files.remove(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("language", "word"), [("en", "addressees"), ("fr", "destinataires")])
def test_the_mail_has_the_file_speaks_the_service_s_language_and_no_label_adds_a_header(
    language: str, word: str
) -> None:
    letter = mail.Letter(
        file_id=UUID(int=7),
        sender="muster@localhost",
        router="router@morel.example",
        copies=["anne@morel.example"],
        language=language,
        notice=NOTICE,
        attached=[
            mail.Attachment(NOTICE.file_name, "text/csv; charset=utf-8", b"Zo\xc3\xa9\r\n"),
            mail.Attachment("C-1042.csv.manifest.json", "application/json", b"{}"),
        ],
        at=datetime(2026, 3, 2, 12, 0, tzinfo=UTC),
    )
    message = message_from_bytes(mail.build(letter), policy=policy.default)
    assert word in str(message["Subject"])
    assert message["Bcc"] is None
    assert message["Cc"] == "anne@morel.example"
    assert message["Message-ID"] == f"<{UUID(int=7).hex}@localhost>"
    attachment, note = message.iter_attachments()
    assert attachment.get_filename() == "C-1042.csv"
    assert attachment.get_payload(decode=True) == b"Zo\xc3\xa9\r\n"
    assert (attachment.get_content_type(), attachment.get_content_charset()) == (
        "text/csv",
        "utf-8",
    )
    assert note.get_content_type() == "application/json"
    text = message.get_body(("plain",))
    assert text is not None
    assert "ab" * 32 in text.get_content()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_mail_says_where_the_file_is_and_until_when(language: str) -> None:
    link = "https://muster.example/f/abc"
    linked = dataclasses.replace(
        NOTICE, file_attached=False, link=link, until="2026-03-09 12:00", pages=3
    )
    assert link not in wording.body(NOTICE, language)
    text = wording.body(linked, language)
    assert text.count(link) == 1
    assert "2026-03-09 12:00" in text
    assert "{" not in text
