"""Whatever people typed, no screen is over a limit, and the last gate mends one that would be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import limits
from bot.cutting import clip, esc, read_marked, size, typed
from bot.limits import Json, fitted_errors, fitted_message, fitted_options, fitted_view
from deploy.embedded.slack import check_blocks, check_view
from tests.unit.bot.screens import SETTINGS, messages, views

NAMES = {
    "long": "Spring sale " * 42,
    "emoji": "👩🏽‍🚀🇫🇷" * 70,
    "right to left": "مبيعات الربيع " * 40,
    "turned": "safe \u202egnp.exe " * 40,
    "pings": "<!channel> <!here|x> <!everyone> <@U0NOBODY001> @channel " * 9,
    "entities": "&<>" * 170,
    "accents": "e\u0301" * 250,
    "blank": " \u0000\u0007 ",
}
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=500)


def texts(shown: Any) -> list[tuple[str, str]]:
    """Return every text object in a payload as (type, text)."""
    if isinstance(shown, list):
        return [one for value in shown for one in texts(value)]
    if not isinstance(shown, dict):
        return []
    own = [(shown["type"], shown["text"])] if shown.get("type") in {"mrkdwn", "plain_text"} else []
    return own + [one for value in shown.values() for one in texts(value)]


def look_at_all(words: str) -> None:
    for setting in SETTINGS:
        for name, shown in messages(setting, words):
            assert check_blocks(shown["blocks"], "message") == [], name
            assert 0 < size(shown["text"]) <= limits.MESSAGE_CHARS, name
            # A screen keeps to the limits by itself: the gate has nothing to do.
            assert fitted_message(shown) == shown, name
            look_at_texts([("mrkdwn", shown["text"]), *texts(shown["blocks"])], name)
        for name, view in views(setting, words):
            assert check_view(view) == [], name
            assert fitted_view(view) == view, name


def look_at_texts(found: list[tuple[str, str]], name: str) -> None:
    for kind, text in found:
        assert "\u202e" not in text, name
        assert text.count("\u2068") == text.count("\u2069"), name
        if kind == "mrkdwn":
            assert "<!" not in text, name
            assert "<@U0NOBODY001>" not in text, name


@pytest.mark.parametrize("words", NAMES.values(), ids=NAMES.keys())
def test_500_strange_characters_in_every_name_are_shown_within_the_limits(words: str) -> None:
    look_at_all(words)


@settings(max_examples=8)
@given(ANYTHING)
def test_no_text_at_all_takes_a_screen_over_a_limit(words: str) -> None:
    look_at_all(words)


def careless(shown: Any) -> Any:
    """Return a screen as one would be that cuts nothing and escapes nothing."""
    if isinstance(shown, list):
        return [careless(one) for one in shown]
    if not isinstance(shown, dict):
        return shown
    grown = {key: careless(value) for key, value in shown.items()}
    if shown.get("type") in {"mrkdwn", "plain_text"}:
        grown["text"] = f"<!here> مبيعات 👩🏽‍🚀 {shown['text']}" * 40
    return grown


def test_a_screen_that_cuts_and_escapes_nothing_is_mended_whole() -> None:
    for name, shown in messages(SETTINGS[0], "Spring"):
        sent = fitted_message(careless(shown))
        assert check_blocks(sent["blocks"], "message") == [], name
        assert not any("<!" in text for kind, text in texts(sent["blocks"]) if kind == "mrkdwn")
    for name, view in views(SETTINGS[0], "Spring"):
        assert check_view(fitted_view(careless(view))) == [], name


@given(st.text(max_size=60), st.integers(3, 40))
def test_a_cut_text_fits_and_is_left_alone_when_it_did(text: str, most: int) -> None:
    cut = clip(text, most)
    assert size(cut) <= most
    assert (cut == text) == (size(text) <= most)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), st.integers(6, 60))
def test_a_typed_text_keeps_its_direction_to_itself(text: str, most: int) -> None:
    shown = typed(text, most)
    assert size(shown) <= most
    assert shown.count("\u2068") == shown.count("\u2069")
    assert "\n" not in shown


@pytest.mark.parametrize(
    ("given_text", "most", "wanted"),
    [
        ("👩🏽‍🚀👩🏽‍🚀", 10, "👩🏽‍🚀…"),
        ("🇫🇷🇩🇪", 7, "🇫🇷…"),
        ("aé" + "e\u0301" * 3, 5, "aé" + "e\u0301…"),
    ],
)
def test_a_cut_leaves_no_half_of_a_sign(given_text: str, most: int, wanted: str) -> None:
    assert clip(given_text, most) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Sale &amp; more &lt;b&gt;", "Sale & more <b>"),
        ("ask <@U0MANAGER01|Camille> in <#C01|general>", "ask Camille in general"),
        (
            "see <https://example.org|our page>, <https://example.org>",
            "see our page, https://example.org",
        ),
        ("<!channel> hear", "channel hear"),
        ("&amp;lt;", "&lt;"),
    ],
)
def test_a_message_is_read_as_its_reader_sees_it(text: str, wanted: str) -> None:
    assert read_marked(text) == wanted


def test_a_right_to_left_name_is_isolated_from_the_words_around_it() -> None:
    assert esc("مبيعات") == "\u2068مبيعات\u2069"
    assert esc("sales") == "sales"


TOO_MUCH: dict[str, tuple[Json, str]] = {
    "blocks": ({"text": "x", "blocks": [{"type": "divider"}] * 51}, "message.blocks: 51 of 50"),
    "section": (
        {
            "text": "x",
            "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "y" * 3001}}],
        },
        "section.text: 3001 of 3000",
    ),
    "button": (
        {
            "text": "x",
            "blocks": [
                {
                    "type": "actions",
                    "elements": [
                        {
                            "type": "button",
                            "action_id": "a",
                            "text": {"type": "plain_text", "text": "b" * 76},
                        }
                    ],
                }
            ],
        },
        "button.text: 76 of 75",
    ),
    "value": (
        {
            "text": "x",
            "blocks": [
                {
                    "type": "actions",
                    "elements": [
                        {
                            "type": "button",
                            "action_id": "a",
                            "value": "v" * 2001,
                            "text": {"type": "plain_text", "text": "b"},
                        }
                    ],
                }
            ],
        },
        "button.value: 2001 of 2000",
    ),
    "action id": (
        {
            "text": "x",
            "blocks": [
                {
                    "type": "section",
                    "text": {"type": "mrkdwn", "text": "kept"},
                    "accessory": {
                        "type": "button",
                        "action_id": "a" * 256,
                        "text": {"type": "plain_text", "text": "b"},
                    },
                }
            ],
        },
        "button.action_id: 256 of 255",
    ),
    "ping": (
        {
            "text": "<!channel> hear",
            "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "<!here|here>"}}],
        },
        "message.text: a mention of a whole channel",
    ),
}


@pytest.mark.parametrize(("content", "named"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_what_is_over_a_limit_is_mended_when_it_is_sent_and_named(
    content: Json, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = fitted_message(content)
    assert sent != content
    assert check_blocks(sent["blocks"], "message") == []
    assert all("<!" not in text for _, text in [("", sent["text"]), *texts(sent["blocks"])])
    assert named in capsys.readouterr().out


def test_a_view_a_select_and_errors_are_mended_too() -> None:
    plain = {"type": "plain_text", "text": "t" * 40}
    view = {"type": "modal", "title": plain, "blocks": [{"type": "divider"}] * 120}
    assert check_view(fitted_view(view)) == []
    home = {"type": "home", "blocks": [{"type": "divider"}] * 101}
    assert len(fitted_view(home)["blocks"]) == 100
    option = {"text": {"type": "plain_text", "text": "o" * 90}, "value": "v"}
    offered = fitted_options([option] * 120)
    assert (len(offered), len(offered[0]["text"]["text"])) == (100, 75)
    assert len(fitted_errors({"label": "e" * 400})["label"]) == 300
