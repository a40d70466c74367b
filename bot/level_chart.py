"""The picture on the service-level card: throughput, queue and errors of the last hour, as SVG.

Its texts are the bot's own and numbers: nothing that people typed is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Final

from babel.dates import format_time

from bot import formats
from bot.cards import Setting
from bot.level_cards import shown, whole_of
from bot.words import say
from topics.levels import Grade, Indicator, Level, LevelsTold, MinuteFigures, ThresholdStanding

WIDTH: Final = 640
PANEL: Final = 120
LEFT: Final = 64
RIGHT: Final = 16
TOP: Final = 34
HEIGHT: Final = TOP + PANEL + 26
COLOURS: Final = {Grade.NORMAL: "#2e7d32", Grade.WARNING: "#ef6c00", Grade.ALERT: "#c62828"}
BLUE: Final = "#1565c0"
GREEN: Final = "#00897b"
GREY: Final = "#78909c"
RED: Final = "#c62828"
_RANK: Final = list(Grade)
_STYLE: Final = (
    "body{margin:0;background:#fff;font-family:'DejaVu Sans','Liberation Sans',Arial,sans-serif}"
    "h1{font-size:17px;margin:12px 16px 0}p{font-size:12px;color:#546e7a;margin:2px 16px 4px}"
    "text{font-size:11px;fill:#455a64}.title{font-size:13px;font-weight:bold;fill:#263238}"
)


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a panel: its values minute by minute; gaps are ``None``."""

    name: str
    colour: str
    values: Sequence[float | None]
    is_filled: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A diagram: its lines, and the thresholds it is coloured by."""

    title: str
    lines: Sequence[Series]
    indicators: frozenset[Indicator]
    limits: Indicator | None = None


def chart(told: LevelsTold, setting: Setting) -> str | None:
    """Return the page to be drawn; ``None`` while there is nothing to show."""
    whole = whole_of(told)
    # The minute under way would look like a fall.
    whole_minutes = [one for one in told.minutes if _is_over(one, told.as_of)]
    if told.as_of is None or whole is None or not whole_minutes:
        return None
    language = setting.language
    at = formats.moment(told.as_of, setting.zone, language)
    title, as_of = say(language, "levels_title"), say(language, "levels_as_of", at=at)
    late = f"<p style='color:{RED}'>{escape(_late(language))}</p>" if told.is_late else ""
    panels = _panels(whole_minutes, whole, language)
    ticks = _ticks(whole_minutes, setting)
    drawn = "".join(
        _panel(one, HEIGHT * place, told.thresholds, ticks, language)
        for place, one in enumerate(panels)
    )
    height = HEIGHT * len(panels)
    return (
        f"<!doctype html><meta charset='utf-8'><style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1><p>{escape(as_of)}</p>{late}"
        "<svg xmlns='http://www.w3.org/2000/svg' style='display:block'"
        f" width='{WIDTH}' height='{height}'>{drawn}</svg>"
    )


def _is_over(one: MinuteFigures, as_of: datetime | None) -> bool:
    return as_of is not None and one.minute + timedelta(minutes=1) <= as_of


def _late(language: str) -> str:
    return say(language, "levels_late").removeprefix(":warning:").strip()


def _panels(minutes: Sequence[MinuteFigures], whole: Level, language: str) -> tuple[Panel, ...]:
    rate = shown(Indicator.ERROR_RATE, whole.error_rate, language)
    return (
        Panel(
            say(language, "levels_chart_flow"),
            (
                Series(say(language, "levels_in"), BLUE, [one.incoming * 60 for one in minutes]),
                Series(say(language, "levels_out"), GREEN, [one.outgoing * 60 for one in minutes]),
            ),
            frozenset({Indicator.INCOMING_THROUGHPUT, Indicator.OUTGOING_THROUGHPUT}),
        ),
        Panel(
            say(language, "levels_chart_queue", queued=formats.count(whole.queued, language)),
            (Series("", GREY, [one.queued for one in minutes], is_filled=True),),
            frozenset(one for one in Indicator if "queue" in one or one is Indicator.OLDEST_WAIT),
            Indicator.QUEUED,
        ),
        Panel(
            say(language, "levels_chart_errors", rate=rate),
            (Series("", RED, [one.errors for one in minutes], is_filled=True),),
            frozenset({Indicator.ERROR_RATE}),
        ),
    )


def _panel(
    panel: Panel,
    top: int,
    standings: Iterable[ThresholdStanding],
    ticks: Sequence[tuple[float, str]],
    language: str,
) -> str:
    mine = [one for one in standings if one.indicator in panel.indicators]
    grade = max((one.grade for one in mine), key=_RANK.index, default=Grade.NORMAL)
    limits = [one for one in mine if one.indicator is panel.limits and not one.channel]
    found = [value for line in panel.lines for value in line.values if value is not None]
    top_value = _rounded(max([*found, 1]))
    colour = COLOURS[grade]
    word = "" if grade is Grade.NORMAL else f" · {say(language, f'grade_{grade}')}"
    parts = [
        f"<rect x='0' y='{top + 8}' width='6' height='{HEIGHT - 14}' fill='{colour}'/>",
        f"<circle cx='22' cy='{top + 17}' r='6' fill='{colour}'/>",
        f"<text class='title' x='34' y='{top + 22}'>{escape(panel.title + word)}</text>",
        *_axes(top, top_value, ticks, language),
        *(_limit(one, top, top_value) for one in limits),
        *(_series(line, top, top_value) for line in panel.lines),
        *_legend(panel.lines, top),
    ]
    return "".join(parts)


def _rounded(value: float) -> float:
    """Return the next round number: 1, 2 or 5 times a power of ten."""
    power = 1.0
    while power * 10 <= value:
        power *= 10
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value)


def _x(place: float, minutes: int) -> float:
    return LEFT + place * (WIDTH - LEFT - RIGHT) / max(minutes - 1, 1)


def _y(value: float, top: int, most: float) -> float:
    return top + TOP + PANEL - PANEL * min(value / most, 1)


def _axes(
    top: int, most: float, ticks: Sequence[tuple[float, str]], language: str
) -> Iterable[str]:
    for value in (0, most / 2, most):
        y = _y(value, top, most)
        yield (
            f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='#eceff1'/>"
            f"<text x='{LEFT - 6}' y='{y + 4:.1f}' text-anchor='end'>"
            f"{escape(formats.number(value, language))}</text>"
        )
    for x, text in ticks:
        yield f"<text x='{x:.1f}' y='{top + TOP + PANEL + 14}' text-anchor='middle'>{text}</text>"


def _ticks(minutes: Sequence[MinuteFigures], setting: Setting) -> list[tuple[float, str]]:
    return [
        (
            _x(place, len(minutes)),
            escape(format_time(one.minute, "HH:mm", tzinfo=setting.zone, locale=setting.language)),
        )
        for place, one in enumerate(minutes)
        if one.minute.minute % 15 == 0
    ]


def _series(line: Series, top: int, most: float) -> str:
    drawn = []
    for part in _unbroken(line.values):
        points = " ".join(
            f"{_x(place, len(line.values)):.1f},{_y(value, top, most):.1f}" for place, value in part
        )
        if line.is_filled:
            first, last = (_x(part[n][0], len(line.values)) for n in (0, -1))
            base = _y(0, top, most)
            drawn.append(
                f"<polygon points='{first:.1f},{base} {points} {last:.1f},{base}'"
                f" fill='{line.colour}' fill-opacity='0.25'/>"
            )
        drawn.append(
            f"<polyline points='{points}' fill='none' stroke='{line.colour}' stroke-width='2'"
            " stroke-linecap='round'/>"
        )
    return "".join(drawn)


def _unbroken(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    parts: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            parts.append([])
        else:
            parts[-1].append((place, value))
    return [part for part in parts if part]


def _limit(one: ThresholdStanding, top: int, most: float) -> str:
    drawn = ""
    for grade, limit in ((Grade.WARNING, one.warning), (Grade.ALERT, one.alert)):
        if limit is not None and limit <= most:
            y = _y(limit, top, most)
            drawn += (
                f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}'"
                f" stroke='{COLOURS[grade]}' stroke-dasharray='5 4'/>"
            )
    return drawn


def _legend(lines: Sequence[Series], top: int) -> Iterable[str]:
    x = WIDTH - RIGHT
    for line in reversed([one for one in lines if one.name]):
        yield (
            f"<text x='{x}' y='{top + 22}' text-anchor='end'"
            f" style='fill:{line.colour};font-weight:bold'>{escape(line.name)}</text>"
        )
        x -= 90
