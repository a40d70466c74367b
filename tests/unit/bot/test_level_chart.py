"""The service-level picture: its lines, its colours, and that nothing else is in it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bot.cards import Setting
from bot.level_cards import level_card, shown
from bot.level_chart import COLOURS, chart
from tests.unit.bot.level_samples import told
from tests.unit.bot.screens import SETTINGS, WILD
from topics.levels import Grade, Indicator, LevelsTold

ENGLISH, FRENCH = SETTINGS


def svg_of(one: LevelsTold, setting: Setting = ENGLISH) -> ElementTree.Element:
    html = chart(one, setting)
    assert html is not None
    return ElementTree.fromstring(html[html.index("<svg") :])


def drawn(svg: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    return svg.findall(f"{{http://www.w3.org/2000/svg}}{tag}")


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_panel_has_its_lines_and_its_thresholds_colour(setting: Setting) -> None:
    svg = svg_of(told(), setting)
    colours = [circle.get("fill") for circle in drawn(svg, "circle")]
    assert colours == [COLOURS[grade] for grade in (Grade.NORMAL, Grade.ALERT, Grade.WARNING)]
    assert len(drawn(svg, "polyline")) == 4
    dashed = [line for line in drawn(svg, "line") if line.get("stroke-dasharray")]
    assert [line.get("stroke") for line in dashed] == [
        COLOURS[Grade.WARNING],
        COLOURS[Grade.ALERT],
    ]


def test_every_point_lies_inside_the_picture() -> None:
    svg = svg_of(told())
    width, height = float(svg.get("width", "")), float(svg.get("height", ""))
    for line in drawn(svg, "polyline"):
        for point in line.get("points", "").split():
            x, y = (float(part) for part in point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height


def test_the_minute_under_way_is_left_out_and_gaps_stay_gaps() -> None:
    one = told()
    points = [len(line.get("points", "").split()) for line in drawn(svg_of(one), "polyline")]
    assert points == [59, 59, 56, 59]
    holes = [
        m.model_copy(update={"queued": None}) if n == 20 else m for n, m in enumerate(one.minutes)
    ]
    broken = svg_of(one.model_copy(update={"minutes": tuple(holes)}))
    assert len(drawn(broken, "polyline")) == 5


def test_nothing_that_people_typed_is_drawn() -> None:
    assert chart(told(kind=WILD[:200]), ENGLISH) == chart(told(), ENGLISH)


def test_what_is_not_known_is_not_drawn_and_a_late_view_is_said() -> None:
    assert chart(told().model_copy(update={"as_of": None}), ENGLISH) is None
    assert chart(told().model_copy(update={"minutes": ()}), ENGLISH) is None
    late = chart(told().model_copy(update={"is_late": True}), ENGLISH)
    assert late is not None
    assert "does not keep up" in late


def test_a_card_says_its_figures_as_people_read_them() -> None:
    english, french = (level_card(told(), setting) for setting in SETTINGS)
    assert "5,321 in, 5,003 out, errors 7.7%, 118 queued" in english["text"]
    assert "erreurs 7,7 %" in french["text"].replace("\u00a0", " ").replace("\u202f", " ")
    assert "queue: 1,203, alert from 1,000" in str(english["blocks"])
    assert shown(Indicator.SENDING_TIME, 190, "en") == "3.2 min"
    assert shown(Indicator.SENDING_TIME, 2.44, "en") == "2.4 s"
    assert shown(Indicator.INCOMING_THROUGHPUT, 3600, "en") == "3,600 per hour"
    assert shown(Indicator.QUEUED, None, "en") == "–"
