"""Words, times, amounts, and the cutting and escaping of what people typed."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot import blocks, cutting, formats, words
from tests.unit.bot.samples import PARIS

BOT = Path(words.__file__).parent
INDIRECT = (
    *("verb_", "code_", "do_", "no_", "approvals_", "funds_"),
    *("event_", "queue_", "trouble_", "hint_", "kind_", "snooze_", "ask_", "col_", "kept_"),
    *("grade_", "indicator_", "levels_side_", "window_"),
)


@pytest.mark.parametrize("key", words.all_keys())
def test_both_languages_use_the_same_values(key: str) -> None:
    english, french = words._WORDS[key]
    names = [
        {name for _, name, _, _ in string.Formatter().parse(text) if name}
        for text in (english, french)
    ]
    assert names[0] == names[1]


def test_every_sentence_is_said_somewhere() -> None:
    code = "".join(
        path.read_text() for path in BOT.glob("*.py") if not path.name.startswith("words")
    )
    unsaid = [
        key for key in words.all_keys() if f'"{key}"' not in code and not key.startswith(INDIRECT)
    ]
    assert unsaid == []


def test_a_language_we_do_not_speak_is_answered_in_english() -> None:
    assert words.say("de", "save") == "Save"


@pytest.mark.parametrize(
    ("given", "most", "wanted"),
    [
        ("short", 10, "short"),
        ("a" * 11, 10, "a" * 9 + "…"),
        ("1234567&amp;", 10, "1234567…"),
        ("see <@U0MANAGER01>", 12, "see…"),
    ],
)
def test_cutting_leaves_no_half_entity_or_mention(given: str, most: int, wanted: str) -> None:
    assert cutting.clip_marked(given, most) == wanted


def test_what_people_typed_is_escaped_once() -> None:
    assert cutting.esc("<!here> & 'x'") == "&lt;!here&gt; &amp; 'x'"


def test_a_value_slack_would_refuse_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="2001 characters"):
        blocks.button("x", "a", "v" * 2001)
    with pytest.raises(ValueError, match="metadata"):
        blocks.modal("c", "t", [], submit="s", close="c", metadata="m" * 3001)


@pytest.mark.parametrize(
    ("day", "clock", "wanted"),
    [
        (date(2026, 12, 1), time(9, 30), "2026-12-01T08:30:00+00:00"),
        # Clocks go forward at 02:00: 02:30 does not exist, 03:00 is the next that does.
        (date(2026, 3, 29), time(2, 30), "2026-03-29T01:00:00+00:00"),
        # Clocks go back at 03:00: the first 02:30 is meant.
        (date(2026, 10, 25), time(2, 30), "2026-10-25T00:30:00+00:00"),
    ],
)
def test_a_local_time_is_one_moment(day: date, clock: time, wanted: str) -> None:
    assert formats.local_to_utc(day, clock, PARIS).isoformat() == wanted


def test_times_amounts_and_numbers_read_as_their_language_has_them() -> None:
    at = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
    assert formats.moment(at, ZoneInfo("Europe/Paris"), "en") == "1 Dec 2026, 09:00 (Europe/Paris)"
    assert "déc." in formats.moment(at, PARIS, "fr")
    assert formats.money(123456, "EUR", "en") == "€1,234.56"
    assert formats.money(1234, "JPY", "en") == "¥1,234"
    assert formats.money(123456, "EUR", "fr").startswith("1\u202f234,56")
    assert formats.count(12345, "en") == "12,345"
    assert formats.time_left(timedelta(days=2, hours=3, minutes=5), "en") == "2 d 3 h"
    assert formats.time_left(timedelta(minutes=65), "en") == "1 h 5 min"
    assert formats.time_left(timedelta(seconds=-5), "en") == "0 h 0 min"


@pytest.mark.parametrize(
    ("done", "total", "wanted"),
    [(0, 0, "–"), (-(10**14), 5, "0 %"), (999, 1000, "99 %"), (1000, 1000, "100 %")],
)
def test_a_bar_is_full_only_when_nothing_is_left(done: int, total: int, wanted: str) -> None:
    assert formats.progress_bar(done, total).endswith(wanted)
