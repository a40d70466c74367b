"""The mail catcher's rules and its reading of mails."""

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from pydantic import ValidationError

from deploy.embedded.mail.faults import Action, FaultPlayer, FaultRule, FaultScript
from deploy.embedded.mail.pages import framed, human_size
from deploy.embedded.mail.reading import header, headers_of, read
from deploy.embedded.mail.store import StoredMail
from deploy.embedded.mail.words import _WORDS, choose_language

PICTURE = b"\x89PNG\r\n\x1a\n"


def stored(raw: bytes) -> StoredMail:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    return StoredMail(7, at, "a@muster.example", ("b@muster.example",), len(raw), raw)


def a_mail() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Équipe <a@muster.example>"
    message["Subject"] = "[BAT 1] Été à la montagne"
    message.set_content("Bonjour à tous")
    message.add_alternative('<html><head></head><img src="cid:logo"></html>', subtype="html")
    message.add_attachment(b"a;b\n", maintype="text", subtype="csv", filename="été.csv")
    html = next(part for part in message.walk() if part.get_content_subtype() == "html")
    html.add_related(PICTURE, "image", "png", cid="<logo>")
    return message


def player(*rules: FaultRule) -> FaultPlayer:
    return FaultPlayer(FaultScript(rules=rules))


def refused(rule: FaultRule, addresses: list[str]) -> list[str]:
    play = player(rule)
    return [address for address in addresses if play.at_recipient(address)]


def test_headers_texts_and_attachments_are_decoded() -> None:
    found = read(stored(a_mail().as_bytes()))
    assert header(found.headers, "subject") == "[BAT 1] Été à la montagne"
    assert header(headers_of(a_mail().as_bytes()), "From") == "Équipe <a@muster.example>"
    assert found.text is not None
    assert found.text.strip() == "Bonjour à tous"
    assert [part.filename for part in found.attachments] == ["été.csv"]


def test_inline_pictures_are_reachable_and_links_open_elsewhere() -> None:
    found = read(stored(a_mail().as_bytes()))
    picture = next(part for part in found.parts if part.content_id == "logo")
    assert picture.content == PICTURE
    html = framed(7, found)
    assert f'src="/messages/7/parts/{picture.index}"' in html
    assert '<head><base target="_blank"></head>' in html


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no header at all",
        b"Subject: =?utf-8?q?=ff=fe?=\r\n\r\nx",
        b"Content-Type: text/plain; charset=klingon\r\n\r\nqapla\xff",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--y\r\n",
        b"From: @@@<<<\r\nDate: never\r\nContent-Type: ///\r\n\r\nbody",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!not base64!!!",
    ],
)
def test_no_mail_is_too_broken_to_be_shown(raw: bytes) -> None:
    read(stored(raw))
    headers_of(raw)


def test_a_refusal_by_pattern_ignores_case() -> None:
    rule = FaultRule(action=Action.REFUSE_RECIPIENT, recipient="*@slow.example", code=550)
    play = player(rule)
    assert play.at_recipient("B@SLOW.example") == rule
    assert play.at_recipient("b@fast.example") is None
    assert rule.answer == "550 5.0.0 Scripted refusal"


def test_a_percentage_hits_about_as_many_and_always_the_same() -> None:
    addresses = [f"{number}@muster.example" for number in range(2_000)]
    rule = FaultRule(action=Action.REFUSE_RECIPIENT, percent=30, seed=5)
    first = refused(rule, addresses)
    assert 500 < len(first) < 700
    assert refused(rule, addresses) == first
    assert sorted(refused(rule, addresses[::-1])) == sorted(first)
    assert refused(rule.model_copy(update={"seed": 6}), addresses) != first


def test_a_percentage_draws_anew_each_time_a_recipient_comes_back() -> None:
    play = player(FaultRule(action=Action.REFUSE_RECIPIENT, percent=50, seed=1))
    answers = {bool(play.at_recipient("b@muster.example")) for _ in range(50)}
    assert answers == {True, False}


def test_a_rule_with_a_number_of_times_is_spent() -> None:
    play = player(FaultRule(action=Action.REFUSE_MESSAGE, times=2))
    hits = [bool(play.at_data(["b@muster.example"])) for _ in range(4)]
    assert hits == [True, True, False, False]


def test_delays_add_up_before_the_first_rule_that_ends_the_mail() -> None:
    slow = FaultRule(action=Action.DELAY, delay_seconds=1)
    drop = FaultRule(action=Action.DROP_AFTER_KEEP)
    refuse = FaultRule(action=Action.REFUSE_MESSAGE)
    assert player(slow, slow, drop, refuse).at_data(["b@x.example"]) == [slow, slow, drop]


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "delay"},
        {"action": "refuse_message", "code": 250},
        {"action": "refuse_message", "text": "two\r\n250 lines"},
        {"action": "refuse_message", "percent": 101},
        {"action": "unknown"},
        {"action": "refuse_message", "recipent": "*"},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FaultRule.model_validate(rule)


def test_every_word_is_there_in_both_languages() -> None:
    assert all(english and french for english, french in _WORDS.values())


@pytest.mark.parametrize(
    ("asked", "accepted", "chosen"),
    [
        ("fr", "en", "fr"),
        (None, "fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        (None, "de,en;q=0.5", "en"),
        ("xx", "", "en"),
    ],
)
def test_the_language_is_the_one_asked_for(asked: str | None, accepted: str, chosen: str) -> None:
    assert choose_language(asked, accepted) == chosen


def test_sizes_are_readable() -> None:
    assert [human_size(n) for n in (999, 1_500, 2_500_000)] == ["999 B", "1.5 kB", "2.5 MB"]


def test_a_refusal_may_bring_its_enhanced_code() -> None:
    rule = FaultRule(action=Action.REFUSE_RECIPIENT, code=550, enhanced="5.1.1", text="gone")
    assert rule.answer == "550 5.1.1 gone"
    assert FaultRule(action=Action.REFUSE_RECIPIENT).answer == "451 4.0.0 Scripted refusal"
    with pytest.raises(ValidationError, match=r"4\.1\.1 does not go with code 550"):
        FaultRule(action=Action.REFUSE_RECIPIENT, code=550, enhanced="4.1.1")
