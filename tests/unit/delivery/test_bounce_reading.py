"""Tokens of envelope senders, and what inbound mails say; hostile ones too."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.bounces.parsing import Kind, Told, read
from services.delivery.bounces.verp import (
    Sent,
    envelope_sender,
    read_token,
    token_of,
    tokens_in,
)
from services.delivery.mail import is_address
from services.delivery.settings import DeliverySettings
from tests.bounce_mails import complaint, dsn, holiday, in_words

SECRET = b"a-secret-for-tests-only"
SENT = Sent(UUID(int=7), UUID(int=2**128 - 1))


def settings(**more: str) -> DeliverySettings:
    needed = {
        "database_url": "postgresql://u:p@h:1/d",
        "kafka_bootstrap": "h:1",
        "muster_secret_key": SECRET.decode(),
    }
    return DeliverySettings.model_validate(needed | more)


def test_an_envelope_sender_is_an_address_that_says_which_message_it_was() -> None:
    here = settings(bounce_domain="bounces.example.org")
    sender = envelope_sender(here, SENT.run_id, SENT.member_id, "news@example.org")
    assert is_address(sender)
    assert len(sender.partition("@")[0]) <= 64
    [token] = tokens_in(f"<{sender}>")
    assert read_token(SECRET, token) == SENT


def test_without_a_domain_for_bounces_it_is_the_senders_own_address() -> None:
    assert envelope_sender(settings(), SENT.run_id, SENT.member_id, "n@x.org") == "n@x.org"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"bounce_smtp_port": "2525"}, "needs BOUNCE_DOMAIN"),
        ({"bounce_imap_host": "imap.x.example", "bounce_imap_tls": "none"}, "BOUNCE_IMAP_TLS"),
        ({"bounce_domain": "no domain"}, "bounce_domain"),
    ],
)
def test_settings_that_cannot_work_name_what_is_wrong(wrong: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        settings(**wrong)


@given(st.uuids(), st.uuids())
def test_a_token_survives_a_change_of_case(run_id: UUID, member_id: UUID) -> None:
    sent = Sent(run_id, member_id)
    token = token_of(SECRET, sent)
    assert read_token(SECRET, token.upper()) == read_token(SECRET, token.title()) == sent


def test_a_token_somebody_changed_or_another_instance_signed_is_none() -> None:
    token = token_of(SECRET, SENT)
    for place in range(60):
        other = "a" if token[place] != "a" else "b"
        assert read_token(SECRET, token[:place] + other + token[place + 1 :]) is None
    assert read_token(b"another secret", token) is None


@given(st.text(max_size=80))
def test_what_is_no_token_is_none(text: str) -> None:
    assert read_token(SECRET, text) is None


def test_a_delivery_status_notification_is_read() -> None:
    token = token_of(SECRET, SENT)
    to = f"b+{token}@bounces.example.org"
    named = f"Message-ID: <{SENT.run_id.hex}.{SENT.member_id.hex}@example.org>\n"
    report = read(dsn(to, "gone@x.example", returned=named))
    assert report.kind is Kind.FAILURE
    said = "550 5.1.1 <gone@x.example>: Recipient address rejected: User unknown"
    assert report.told == (Told("gone@x.example", "5.1.1", said),)
    assert report.tokens == (token,)
    assert report.sent == (SENT,)


def test_the_envelopes_recipient_tells_more_than_headers_anybody_wrote() -> None:
    first, second = (token_of(SECRET, Sent(UUID(int=n), UUID(int=n))) for n in (1, 2))
    report = read(dsn(f"b+{second}@x.org", "a@x.example"), [f"b+{first}@x.org"])
    assert report.tokens == (first, second)


def test_a_token_is_found_in_the_return_path_of_what_comes_back() -> None:
    token = token_of(SECRET, SENT)
    mail = dsn("postmaster@x.org", "a@x.example", returned=f"Return-Path: <b+{token}@x.org>\n")
    assert read(mail).tokens == (token,)


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_has_not_failed_is_no_failure(action: str) -> None:
    report = read(dsn("b@x.org", "a@x.example", action=action))
    assert (report.kind, report.told) == (Kind.NOTICE, ())


def test_a_complaint_is_read_with_the_envelope_it_quotes() -> None:
    token = token_of(SECRET, SENT)
    report = read(complaint("fbl@x.org", "a@x.example", token_of=f"b+{token}@x.org"))
    assert report.kind is Kind.COMPLAINT
    assert report.told == (Told("a@x.example"),)
    assert report.tokens == (token,)
    assert read(complaint("fbl@x.org", "a@x.example", kind="not-spam")).kind is Kind.NOTICE


def test_a_bounce_in_a_servers_own_words_is_read_with_the_line_that_says_why() -> None:
    report = read(in_words("b@x.org", "gone@x.example"))
    assert report.kind is Kind.FAILURE
    said = "Remote host said: 550 5.1.1 gone@x.example user unknown"
    assert report.told == (Told("gone@x.example", "", said),)


def test_an_automatic_reply_is_no_bounce() -> None:
    assert read(holiday("b@x.org")).kind is Kind.NOTICE
    assert read(b"Subject: hello\r\n\r\nplease call me\r\n").kind is Kind.UNKNOWN


@given(st.binary(max_size=2_000))
def test_any_bytes_are_read_as_something(raw: bytes) -> None:
    read(raw)
    read(dsn("b@x.org", "a@x.example")[:-200] + raw)


HOSTILE = {
    "nested parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(5_000)
    ),
    "a nest as deep as is read": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(15)
    )
    + b"x\r\n" * 100_000,
    "one endless header": b"Subject: " + b"a" * 2_000_000,
    "headers without end": b"X: y\r\n" * 300_000,
    "many recipients": dsn("b@x.org", "a@x.example").replace(
        b"Final-Recipient",
        b"Final-Recipient: rfc822; a@x.y\r\nAction: failed\r\n\r\n" * 9_000,
    ),
    "addresses in a row": b"From: " + b"<a@b.c>," * 50_000 + b"\r\n\r\n" + b"<a@b.c> 550 " * 50_000,
    "brackets": b"From: a@b.c\r\n\r\n" + b"<" * 100_000 + b"@" * 100_000,
    "folded codes": b"From: a@b.c\r\n\r\n" + b"550 5.1.1 " * 100_000,
    "a mail inside a mail": b"Content-Type: message/rfc822\r\n\r\n" * 4_000,
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_mails_raise_nothing_and_say_little(name: str) -> None:
    assert len(read(HOSTILE[name]).told) <= 20


def test_two_ids_of_one_message_are_no_secret_but_its_signature_is() -> None:
    sent = Sent(uuid4(), uuid4())
    tokens = {token_of(secret, sent) for secret in (b"one", b"two")}
    assert len(tokens) == 2
