"""The service-level card: figures, what is not well, and the place of its picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot import formats
from bot.blocks import content, context, facts, header, section, slack_image
from bot.cards import Setting
from bot.cutting import esc
from bot.handlers import outgoing_of
from bot.limits import Json
from bot.teams import bare
from bot.words import say
from shared.uow import Work
from topics.levels import (
    OTHER,
    Grade,
    Indicator,
    Level,
    LevelsTold,
    ServiceLevelCrossed,
    ThresholdStanding,
    Window,
)

MARK: Final = {
    Grade.NORMAL: ":large_green_circle:",
    Grade.WARNING: ":large_orange_circle:",
    Grade.ALERT: ":red_circle:",
}
_SECONDS: Final = frozenset(
    {
        Indicator.QUEUE_TIME,
        Indicator.PROCESSING_TIME,
        Indicator.SENDING_TIME,
        Indicator.OLDEST_WAIT,
    }
)
_THROUGHPUT: Final = frozenset({Indicator.INCOMING_THROUGHPUT, Indicator.OUTGOING_THROUGHPUT})
_NOTHING: Final = "–"


def level_card(told: LevelsTold, setting: Setting) -> Json:
    """Return the card; its picture is put below the title once it is drawn."""
    language = setting.language
    whole = whole_of(told)
    if told.as_of is None or whole is None:
        return content(say(language, "levels_none"))
    at = formats.moment(told.as_of, setting.zone, language)
    blocks = [header(say(language, "levels_title"))]
    if told.is_late:
        blocks.append(section(say(language, "levels_late")))
    blocks += [facts(_facts(whole, language)), section(_standings(told.thresholds, language))]
    lines = [_line(one, language) for one in told.levels if one.event_type]
    if lines:
        blocks.append(section("\n".join(lines)))
    blocks.append(context(say(language, "levels_as_of", at=at)))
    return content(summary(whole, at, language), blocks)


def whole_of(told: LevelsTold) -> Level | None:
    """Return the level of the last hour in all."""
    wanted = ("", "", Window.HOUR)
    whole = (one for one in told.levels if (one.channel, one.event_type, one.window) == wanted)
    return next(whole, None)


def summary(whole: Level, at: str, language: str) -> str:
    """Return the figures in a sentence: what a picture's alternative text says too."""
    return _sum(whole, "levels_sum", language, at=at)


def _sum(level: Level, key: str, language: str, **more: str) -> str:
    return say(
        language,
        key,
        incoming=formats.count(level.incoming, language),
        outgoing=formats.count(level.outgoing, language),
        rate=shown(Indicator.ERROR_RATE, level.error_rate, language),
        queued=formats.count(level.queued, language),
        **more,
    )


def _line(level: Level, language: str) -> str:
    kind = esc(level.event_type, 80)
    if level.event_type == OTHER:
        kind = say(language, "levels_other")
    return _sum(level, "levels_type", language, type=kind, channel=esc(level.channel, 50))


def _facts(level: Level, language: str) -> list[tuple[str, str]]:
    queue = (level.queued_min, level.queued_avg, level.queued_max)
    times = (level.queue_seconds, level.processing_seconds, level.sending_seconds)
    rate = shown(Indicator.ERROR_RATE, level.error_rate, language)
    return [
        (say(language, "levels_in"), _flow(level.incoming, level.incoming_per_hour, language)),
        (say(language, "levels_out"), _flow(level.outgoing, level.outgoing_per_hour, language)),
        (say(language, "levels_errors"), f"{formats.count(level.errors, language)} ({rate})"),
        (
            say(language, "levels_queue"),
            f"{formats.count(level.queued, language)} ({_row(Indicator.QUEUED, queue, language)})",
        ),
        (say(language, "levels_times"), _row(Indicator.QUEUE_TIME, times, language)),
    ]


def _flow(count: int, per_hour: float, language: str) -> str:
    rate = formats.count(round(per_hour), language)
    return say(language, "levels_flow", count=formats.count(count, language), rate=rate)


def _row(indicator: Indicator, values: Sequence[float | None], language: str) -> str:
    return " / ".join(shown(indicator, value, language) for value in values)


def shown(indicator: Indicator, value: float | None, language: str) -> str:
    """Return a value as its indicator is read: a rate, a time, events, or events per hour."""
    if value is None:
        return _NOTHING
    if indicator is Indicator.ERROR_RATE:
        return formats.percent(value, language)
    if indicator in _SECONDS:
        is_long = value >= 120
        number = formats.number(value / 60 if is_long else value, language)
        return say(language, "minutes" if is_long else "seconds", n=number)
    number = formats.number(value, language)
    return say(language, "per_hour", n=number) if indicator in _THROUGHPUT else number


def _standings(standings: Sequence[ThresholdStanding], language: str) -> str:
    lines = []
    for one in standings:
        if one.grade is Grade.NORMAL:
            continue
        limit = one.alert if one.grade is Grade.ALERT else one.warning
        line = say(
            language,
            "levels_standing",
            name=_name(one, language),
            scope=_scope(one),
            value=shown(one.indicator, one.value, language),
            grade=say(language, f"grade_{one.grade}"),
            side=_side(one, language),
            limit=shown(one.indicator, limit, language),
        )
        lines.append(f"{MARK[one.grade]} {line}")
    well = say(language, "levels_all_well")
    return "\n".join(lines) or f"{MARK[Grade.NORMAL]} {well}"


def crossed(event: ServiceLevelCrossed, setting: Setting) -> Json:
    """Return the word that a level crossed its threshold, or came back."""
    return _told(
        event, setting, "level_crossed" if event.after is not Grade.NORMAL else "level_back"
    )


def over(event: ServiceLevelCrossed, setting: Setting) -> Json:
    """Return what the word of a crossing becomes once the level is back."""
    return _told(event, setting, "level_was_over")


def _told(event: ServiceLevelCrossed, setting: Setting, key: str) -> Json:
    language = setting.language
    grade = event.before if key == "level_was_over" else event.after
    value = shown(event.indicator, event.value, language)
    line = say(
        language,
        key,
        grade=say(language, f"grade_{grade}"),
        name=_name(event, language),
        scope=_scope(event),
        value=say(language, "level_nothing") if value == _NOTHING else value,
        side=_side(event, language),
        limit=shown(event.indicator, event.limit, language),
        window=say(language, f"window_{event.window}"),
        at=formats.moment(event.at, setting.zone, language),
    )
    return content(line, [section(f"{MARK[event.after]} {line}")])


def _name(one: ThresholdStanding | ServiceLevelCrossed, language: str) -> str:
    return say(language, f"indicator_{one.indicator}")


def _side(one: ThresholdStanding | ServiceLevelCrossed, language: str) -> str:
    return say(language, "levels_side_below" if one.below else "levels_side_over")


def _scope(one: ThresholdStanding | ServiceLevelCrossed) -> str:
    named = " ".join(esc(part, 80) for part in (one.channel, one.event_type) if part)
    return f" ({named})" if named else ""


async def show_chart(key: str, file_id: str, work: Work) -> None:
    """Have a message show its picture, below its title; its text is what the picture says."""
    outgoing = outgoing_of(work)
    card, target = await outgoing.content_of(key), await outgoing.place_of(key)
    if card is None or target is None:
        return
    first, *rest = card["blocks"]
    image = slack_image(bare(file_id), card["text"])
    await outgoing.show(key, target, card | {"blocks": [first, image, *rest]})
