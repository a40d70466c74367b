"""Attachments: what may be attached, and how it arrives."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as without_deadline
from hypothesis import strategies as st

from services.delivery.compose import Composer
from services.delivery.domain.attachments import MOST, MOST_BYTES, Attachment, why_not
from services.delivery.rendering import prepare
from tests.unit.delivery.test_composing import NOW, SOURCE, decoded, merge_of, read, row, settings

PDF = Attachment("Offre d'été.pdf", "application/pdf", "a" * 64)
CSV = Attachment("a.csv", "text/csv", "b" * 64)
FILES = {"a" * 64: bytes(range(256)) * 50, "b" * 64: b"a;b\n--=_muster_mixed\n.\nFrom x"}
MERGE = merge_of("Ada", "L", "Moulin", "a", "b", "https://x.example")


def test_files_arrive_as_they_are_beside_the_same_message() -> None:
    bare, both = prepare(SOURCE), prepare(replace(SOURCE, attachments=(PDF, CSV)))
    plain = read(Composer(bare, settings()).compose(row(MERGE), at=NOW))
    mail = read(Composer(both, settings(), files=FILES).compose(row(MERGE), at=NOW))
    assert decoded(mail) == decoded(plain)
    found = [
        (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
        for part in mail.iter_attachments()
    ]
    assert found == [(one.name, one.content_type, FILES[one.sha256]) for one in (PDF, CSV)]


def test_a_mail_without_its_file_is_not_made() -> None:
    with pytest.raises(KeyError):
        Composer(prepare(replace(SOURCE, attachments=(PDF,))), settings(), files={})


@without_deadline(deadline=None)
@given(st.text(alphabet="aé \"'%;=ß漢😀-", min_size=1, max_size=110))
def test_names_of_files_arrive_in_lines_of_78_octets(stem: str) -> None:
    name = f"x{stem}.pdf"
    content = prepare(replace(SOURCE, attachments=(replace(PDF, name=name),)))
    raw = Composer(content, settings(), files=FILES).compose(row(MERGE), at=NOW)
    assert max(map(len, raw.partition(b"Content-Disposition")[2].split(b"\r\n"))) <= 78
    mail = read(raw)
    [part] = mail.iter_attachments()
    assert part.get_filename() == name


def test_every_part_of_an_attachment_changes_the_hash() -> None:
    sources = [
        SOURCE,
        replace(SOURCE, attachments=(PDF,)),
        replace(SOURCE, attachments=(CSV,)),
        replace(SOURCE, attachments=(PDF, CSV)),
        replace(SOURCE, attachments=(CSV, PDF)),
        replace(SOURCE, attachments=(replace(PDF, name="b.pdf"),)),
        replace(SOURCE, attachments=(replace(PDF, sha256="c" * 64),)),
    ]
    assert len({one.template_hash for one in sources}) == len(sources)


@pytest.mark.parametrize(
    ("attachments", "reason"),
    [
        ([PDF, CSV], ""),
        ([replace(PDF, name="a.exe")], "number 1 has a name for another type"),
        ([replace(PDF, name="a.pdf\r\nX: y.pdf")], "number 1 has a name"),
        ([replace(PDF, name="../a.pdf")], "number 1 has a name"),
        ([replace(PDF, name=".pdf")], "number 1 has a name"),
        ([replace(PDF, name="fdp.\u202eexe.pdf")], "number 1 has a name"),
        (
            [CSV, replace(PDF, content_type="application/x-msdownload")],
            "number 2 cannot be",
        ),
        ([replace(PDF, content_type="text/html", name="a.html")], "number 1 cannot be"),
        ([replace(PDF, sha256="c" * 64)], "number 1 was not uploaded"),
        ([CSV, replace(CSV, name="A.CSV")], "two files have the same name"),
        ([replace(CSV, name=f"{i}.csv") for i in range(MOST + 1)], "at most 10 files"),
        ([replace(CSV, name=f"{i}.csv") for i in range(3)], "bytes are too many"),
    ],
)
def test_what_cannot_be_attached_is_named(attachments: list[Attachment], reason: str) -> None:
    large = MOST_BYTES // 2 if len(attachments) == 3 else 10
    found = why_not(attachments, {"a" * 64: large, "b" * 64: large})
    assert reason in found
    assert bool(found) == bool(reason)
