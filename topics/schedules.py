"""Messages of campaigns that come back: schedules, occurrences, starts that were missed."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from topics.approval_rules import ApproveOnce
from topics.message import Actor, Command, Event, Value
from topics.names import CAMPAIGN_COMMANDS, CAMPAIGN_EVENTS


class CampaignKind(StrEnum):
    """How often a campaign takes place.

    A recurring one stays one campaign with numbered occurrences; a periodic one is the template of
    a new campaign on each date.
    """

    UNIQUE = "unique"
    RECURRING = "recurring"
    PERIODIC = "periodic"


class Frequency(StrEnum):
    """What a recurrence counts."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


WeekdayText = Annotated[str, Field(pattern=r"^(-?[1-5])?(mo|tu|we|th|fr|sa|su)$")]
ClockText = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
LocalText = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]$")
]


class Recurrence(Value):
    """Which days a schedule falls on, counted from the campaign's start (RFC 5545, 3.3.10).

    ``weekdays`` are for weekly (``mo``) and monthly rules (``1mo``, ``-1fr``: the first Monday, the
    last Friday), ``month_days`` for monthly ones (``-1``: the last day; a month without the day is
    left out). Without either, the start's own weekday or day of the month counts. ``count`` ends
    the rule after so many lines.
    """

    frequency: Frequency
    interval: int = Field(default=1, ge=1, le=366)
    weekdays: tuple[WeekdayText, ...] = Field(default=(), max_length=35)
    month_days: tuple[int, ...] = Field(default=(), max_length=62)
    count: int | None = Field(default=None, ge=1, le=10_000)


class ScheduleLine(Value):
    """One date of a schedule, in the campaign's zone; what is not set is as the schedule says."""

    at: LocalText
    to_be_approved: bool | None = None
    to_be_started: bool | None = None


class Schedule(Value):
    """When a campaign takes place, between its start and its end, in its zone.

    ``recurrence`` at each of ``times`` (without any: the start's time of day), and the single
    ``lines``, which may also name a date of the recurrence to give it flags of its own; nothing
    on the days of ``without``. An occurrence is created ``create_ahead_days`` before its date. One
    that is ``to_be_approved`` has its approval asked for ``prove_before_hours`` before it, or when
    it is created; one that is ``to_be_started`` starts by itself, another waits to be launched.
    With ``approve_once`` the approval of one stands for others of the same content. An occurrence
    ends ``duration_days`` after its start.
    """

    recurrence: Recurrence | None = None
    times: tuple[ClockText, ...] = Field(default=(), max_length=24)
    lines: tuple[ScheduleLine, ...] = Field(default=(), max_length=366)
    without: tuple[date, ...] = Field(default=(), max_length=366)
    create_ahead_days: int = Field(default=7, ge=0, le=366)
    prove_before_hours: int = Field(default=72, ge=0, le=8784)
    to_be_approved: bool = True
    to_be_started: bool = True
    approve_once: ApproveOnce | None = None
    duration_days: int = Field(default=90, ge=1, le=3660)


class SetSchedule(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Make a campaign recurring or periodic, change its schedule, or make it unique again.

    Its first launch starts the schedule. On a running one, occurrences that have not started and
    whose date is no longer in the schedule are cancelled.
    Source: web, cli. Answers: ``ScheduleSet`` or ``CampaignRefused``.
    """

    campaign_id: UUID
    actor: Actor
    kind: CampaignKind
    schedule: Schedule | None = None


class AnswerMissedStart(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Say whether a campaign whose start was missed is to start now, or is dropped (cancelled).

    Source: bot, web, cli. Answers: ``CampaignMoved`` when dropped, ``CampaignState``; or
    ``CampaignRefused``.
    """

    campaign_id: UUID
    actor: Actor
    start: bool


class ScheduleSet(Event, topic=CAMPAIGN_EVENTS, key="campaign_id"):
    """A campaign's schedule was set; ``next_at`` is its next date, if there is one."""

    campaign_id: UUID
    number: int
    label: str
    kind: CampaignKind
    next_at: datetime | None = None
    actor: Actor


class OccurrenceCreated(Event, topic=CAMPAIGN_EVENTS, key="campaign_id"):
    """A schedule made a campaign of one of its dates.

    ``campaign_id`` is the recurring or periodic campaign, ``occurrence_id`` the new one;
    (campaign, ``local_at``, ``zone``) is the identity of the occurrence, ``starts_at`` its instant.
    """

    campaign_id: UUID
    occurrence_id: UUID
    number: int = Field(ge=1)
    label: str
    local_at: LocalText
    zone: str
    starts_at: datetime


class StartMissed(Event, topic=CAMPAIGN_EVENTS, key="campaign_id"):
    """A start was not made in time; nothing leaves until somebody answers (AnswerMissedStart)."""

    campaign_id: UUID
    number: int
    label: str
    start_at: datetime
