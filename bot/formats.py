"""Times, amounts and numbers as people read them, in their language and the instance's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision

from bot.words import say


def moment(at: datetime, zone: ZoneInfo, language: str) -> str:
    """Return a time with its zone beside it: ``1 Dec 2026, 09:00 (Europe/Paris)``."""
    shown = format_datetime(at, "d MMM yyyy, HH:mm", tzinfo=zone, locale=language)
    return f"{shown} ({zone.key})"


def money(minor: int, currency: str, language: str) -> str:
    """Return an amount of minor units with its currency."""
    amount = Decimal(minor).scaleb(-get_currency_precision(currency))
    return str(format_currency(amount, currency, locale=language))


def count(number: int, language: str) -> str:
    """Return a number with the language's thousands separator."""
    return str(format_decimal(number, locale=language))


def number(value: float, language: str) -> str:
    """Return a number with one decimal where it has some and is small."""
    form = "#,##0.#" if value < 100 else "#,##0"
    return str(format_decimal(value, format=form, locale=language))


def percent(rate: float, language: str) -> str:
    """Return a rate as a percentage with one decimal where it has some."""
    form = "#,##0.# %" if language == "fr" else "#,##0.#%"
    return str(format_percent(rate, format=form, locale=language))


def time_left(left: timedelta, language: str) -> str:
    """Return a duration in days and hours, or hours and minutes when it is under a day."""
    seconds = max(0, int(left.total_seconds()))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    if days:
        return say(language, "days", d=days, h=hours)
    return say(language, "hours", h=hours, m=rest // 60)


def short_hash(whole: str) -> str:
    """Return what people compare of a hash: its first ten characters."""
    return whole[:10]


def local_to_utc(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return a local time in UTC.

    A doubled time means its first occurrence; one that does not exist, the next that does.
    """
    wanted = datetime.combine(day, clock, tzinfo=zone)
    moment_utc = wanted.astimezone(UTC)
    if moment_utc.astimezone(zone).replace(tzinfo=None) == wanted.replace(tzinfo=None):
        return moment_utc
    before = wanted.utcoffset()
    after = wanted.replace(fold=1).utcoffset()
    skipped = abs((after or timedelta()) - (before or timedelta()))
    edge = moment_utc - skipped
    # The first local minute after the gap: walk on from an hour that is surely before it.
    while edge.astimezone(zone).replace(tzinfo=None) < wanted.replace(tzinfo=None):
        edge += timedelta(minutes=1)
    return edge


def progress_bar(done: int, total: int) -> str:
    """Return a bar of ten cells and the percentage; 100 % only when nothing is left."""
    if total <= 0:
        return "–"
    share = max(0, done) / total
    percent = 100 if done >= total else min(99, int(share * 100))
    full = 10 if done >= total else min(9, int(share * 10))
    return f"{'█' * full}{'░' * (10 - full)} {percent} %"
