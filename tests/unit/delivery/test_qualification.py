"""Qualification: what servers' words are reduced to, and what they mean."""

from __future__ import annotations

import pytest

from services.delivery.domain.default_rules import DEFAULT_RULES
from services.delivery.domain.qualification import (
    ALLOWED,
    LABELS,
    UNQUALIFIED,
    qualify,
    refusal_of,
    reply_of,
)
from topics.bounces import ErrorReason, QualificationStatus, Severity

HARD, SOFT = Severity.HARD, Severity.SOFT
GMAIL = (
    "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
    " 550-5.1.1 double-checking the recipient's email address for typos or\n"
    " 550 5.1.1 https://support.example.com/mail/?p=NoSuchUser a1b2si123456plx.12 - gsmtp"
)
TRIED = (
    "550 5.1.1 the email account that you tried to reach does not exist. please try"
    " double-checking the recipient's email address for typos or #xxx# - gsmtp"
)


@pytest.mark.parametrize(
    ("code", "text", "reason", "severity"),
    [
        ("5.1.1", GMAIL, ErrorReason.USER_UNKNOWN, HARD),
        ("5.0.0", "550 5.1.1 <a@x.fr>: User unknown", ErrorReason.USER_UNKNOWN, HARD),
        ("550 5.1.1", "", ErrorReason.USER_UNKNOWN, HARD),
        ("550", "Requested action not taken: mailbox unavailable", ErrorReason.USER_UNKNOWN, HARD),
        ("550", "5.4.1 Recipient address rejected: Access denied", ErrorReason.USER_UNKNOWN, HARD),
        ("5.2.2", "552 5.2.2 The account is over quota", ErrorReason.MAILBOX_FULL, SOFT),
        ("452", "452 4.2.2 mailbox full", ErrorReason.MAILBOX_FULL, SOFT),
        ("5.2.1", "550 5.2.1 The account is disabled.", ErrorReason.ACCOUNT_DISABLED, HARD),
        ("450 4.2.1", "mailbox disabled", ErrorReason.ACCOUNT_DISABLED, SOFT),
        ("5.4.4", "Host or domain name not found", ErrorReason.INVALID_DOMAIN, SOFT),
        ("556 5.1.10", "", ErrorReason.INVALID_DOMAIN, SOFT),
        ("4.4.1", "connect to mx: Connection timed out", ErrorReason.UNREACHABLE, SOFT),
        ("421", "", ErrorReason.UNREACHABLE, SOFT),
        ("4.4.7", "delivery time expired", ErrorReason.UNREACHABLE, SOFT),
        ("550 5.7.1", "blocked using a blocklist: user <a@b.c>", ErrorReason.REFUSED, SOFT),
        ("550", "message rejected as spam; no such user", ErrorReason.REFUSED, SOFT),
        ("5.1.8", "bad sender's system address", ErrorReason.REFUSED, SOFT),
        ("552 5.3.4", "message size exceeds limit", ErrorReason.REFUSED, SOFT),
        # A server that says "try again" is never taken for one that says "never".
        ("450 4.1.1", "user unknown in local table", ErrorReason.UNREACHABLE, SOFT),
        ("551 5.0.0", "", ErrorReason.USER_UNKNOWN, HARD),
        ("451 4.0.0", "", ErrorReason.UNREACHABLE, SOFT),
        ("4.0.0", "", ErrorReason.UNREACHABLE, SOFT),
        ("550 5.0.0", "", ErrorReason.UNQUALIFIED, SOFT),
        ("550", "", ErrorReason.UNQUALIFIED, SOFT),
        ("5.0.0", "computer says no", ErrorReason.UNQUALIFIED, SOFT),
    ],
)
def test_the_shipped_rules_know_these(
    code: str, text: str, reason: ErrorReason, severity: Severity
) -> None:
    qualified = qualify(reply_of(code, text), DEFAULT_RULES)
    assert (qualified.reason, qualified.severity) == (reason, severity)
    waits = qualified.status is QualificationStatus.TO_QUALIFY
    assert waits == (qualified == UNQUALIFIED)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (GMAIL, TRIED),
        ("550 <Ann.Lee@x.fr>, ann.lee@x.fr: no ann.lee here", "550 *, *: no * here"),
        ("550 host mx1.x.fr[192.0.2.7] (2001:db8::1) at 2026-03-14T08:30 queue 4Xk2f",
         "550 host #xxx#) at #xxx# queue #xxx#"),
        ("554 see http://x.example/a?b=c now", "554 see #xxx# now"),
    ],
)  # fmt: skip
def test_nobodys_data_is_kept(text: str, kept: str) -> None:
    assert reply_of("", text, "ann.lee@x.fr").normalised == kept


def test_a_local_part_that_is_one_of_the_words_does_not_hide_what_they_mean() -> None:
    reply = reply_of("552 5.2.2", "mailbox is full", "full@x.example")
    assert reply.normalised == "552 5.2.2 mailbox is *"
    assert qualify(reply, DEFAULT_RULES).reason is ErrorReason.MAILBOX_FULL


def test_equal_bounces_of_different_messages_look_equal() -> None:
    texts = {
        reply_of("", f"550 {n}: <user{n}@x{n}.fr> unknown at mx{n}.fr", f"user{n}@x{n}.fr").text
        for n in range(20)
    }
    assert len(texts) == 1


@pytest.mark.parametrize("nasty", ["a.", "a@", "1 ", "#xxx#", "5.1.1 ", "<", "-.", "x:"])
def test_hostile_text_is_short_and_quick(nasty: str) -> None:
    reply = reply_of("550", nasty * 200_000, "a@b.example")
    assert len(reply.text) <= 300
    qualify(reply, DEFAULT_RULES)


def test_every_reason_has_its_label_in_both_languages() -> None:
    assert set(LABELS) == set(ErrorReason)
    assert all(set(words) == {"en", "fr"} for words in LABELS.values())
    numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 20, 25, 127}
    assert {reason.value for reason in ErrorReason} == numbers
    assert LABELS[ErrorReason(1)]["en"] == "User unknown"


def test_the_shipped_rules_say_only_what_is_allowed() -> None:
    assert all(rule.severity in ALLOWED[rule.reason] for rule in DEFAULT_RULES)


def test_people_can_say_no_more_than_makes_sense() -> None:
    keep = QualificationStatus.KEEP
    assert refusal_of(ErrorReason.USER_UNKNOWN, HARD, keep) is None
    assert refusal_of(ErrorReason.MAILBOX_FULL, HARD, keep) == "Mailbox full is soft, not hard"
    assert "1 (User unknown)" in (refusal_of(ErrorReason.DENYLISTED, HARD, keep) or "")
