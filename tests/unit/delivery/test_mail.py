"""Mails and unsubscribe links."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default
from uuid import UUID

import pytest

from services.delivery.content.attached import parts_of_files
from services.delivery.domain.attachments import Attachment
from services.delivery.links import (
    Link,
    ListUnsubscribe,
    last_day,
    list_unsubscribe,
    read_token,
    token_of,
)
from services.delivery.mail import Envelope, Writer, is_address, message_id, parts_of
from services.delivery.rendering import Rendered

SECRET = b"a-secret-for-tests"
LINK = Link("ab" * 16, UUID(int=5), date(2027, 3, 3))
ENVELOPE = Envelope(
    to="ada@x.example",
    message_id=message_id(UUID(int=1), UUID(int=2), "news@example.org"),
    unsubscribe=ListUnsubscribe("<https://m.example/u/x>", one_click=True),
    at=datetime(2026, 3, 2, 12, tzinfo=UTC),
)
FILE = Attachment("a.csv", "text/csv", "5" * 64)
ATTACHED = parts_of_files([FILE], {FILE.sha256: b"a,b"})
WRITER = Writer("Société, Été", "news@example.org")
PARTS = parts_of(Rendered("Été " * 40, "<p>Été</p>\n.\n" + "x" * 2000, "Été\n.\nfin"))


def test_a_mail_survives_the_way_through_seven_bit_lines() -> None:
    raw = WRITER.write(PARTS, ENVELOPE)
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    mail = message_from_bytes(raw, policy=default)
    assert mail["From"].addresses[0].display_name == "Société, Été"
    assert mail["Subject"].strip() == ("Été " * 40).strip()
    assert mail["Date"] == "Mon, 02 Mar 2026 12:00:00 +0000"
    assert mail["Message-ID"].endswith("@example.org>")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    html = mail.get_body(("html",))
    assert html is not None
    assert html.get_content().splitlines()[:2] == ["<p>Été</p>", "."]


@pytest.mark.parametrize("attached", [b"", ATTACHED])
def test_who_reads_text_gets_no_html(attached: bytes) -> None:
    writer = Writer("News", "news@example.org", attached=attached)
    raw = writer.write(replace(PARTS, html=b""), ENVELOPE)
    mail = message_from_bytes(raw, policy=default)
    assert mail.get_body(("html",)) is None
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().splitlines()[:3] == ["Été", ".", "fin"]
    kinds = [one.get_content_type() for one in mail.walk()]
    assert kinds == (["multipart/mixed", "text/plain", "text/csv"] if attached else ["text/plain"])
    assert [one.get_content() for one in mail.iter_attachments()] == (["a,b"] if attached else [])
    assert raw.endswith(b"\r\n")


def test_without_a_link_there_is_no_header() -> None:
    raw = WRITER.write(PARTS, replace(ENVELOPE, unsubscribe=ListUnsubscribe(None, one_click=False)))
    assert b"List-Unsubscribe" not in raw


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("ada@x.example", True),
        ("a.b+c@sub.x.example", True),
        ("ada", False),
        ("ada@x", False),
        ("ada@x.example\r\nBcc: b@x.example", False),
        ("<ada@x.example>", False),
        ("ada..b@x.example", False),
        ("été@x.example", False),
        ("a" * 65 + "@x.example", False),
        ("", False),
    ],
)
def test_an_address_is_one_plain_mailbox(address: str, *, good: bool) -> None:
    assert is_address(address) is good


def test_a_token_says_whose_it_is_and_only_when_signed_here() -> None:
    token = token_of(SECRET, LINK)
    assert len(token) == 68
    assert read_token(SECRET, token) == LINK
    assert read_token(b"another", token) is None
    for i in (0, 20, 40, 63):
        other = "A" if token[i] != "A" else "B"
        assert read_token(SECRET, token[:i] + other + token[i + 1 :]) is None
    for bad in ("", "proof", token[:-4], token + "AAAA", "é" * 64):
        assert read_token(SECRET, bad) is None


def test_a_link_is_good_for_a_year() -> None:
    assert last_day(datetime(2027, 3, 2, 23, 59, tzinfo=UTC)) >= date(2028, 3, 2)
    assert last_day(datetime(2026, 3, 2, tzinfo=UTC)) == date(2027, 3, 3)


def test_one_click_needs_https() -> None:
    assert list_unsubscribe("https://m/u/x", None).one_click
    assert list_unsubscribe("http://m/u/x", None).header is None
    plain = list_unsubscribe("http://m/u/x", "out@x.example")
    assert (plain.header, plain.one_click) == ("<mailto:out@x.example?subject=unsubscribe>", False)
