"""Recurring and periodic campaigns: what their occurrences are made of, and when they end. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Final
from uuid import UUID

from services.campaign.domain.campaigns import Campaign, HeldBack, named
from services.campaign.domain.local_times import instant_of, local_of
from services.campaign.domain.schedules import Line, checked, lines
from services.campaign.domain.starts import is_late
from shared.errors import Refused
from topics.approval_rules import ApprovalRules
from topics.campaign import CampaignStatus as Status
from topics.schedules import CampaignKind, Schedule

LABEL_LENGTH: Final = 200
PLANNABLE: Final = frozenset(
    {Status.NEW, Status.READY_TO_TEST, Status.READY_TO_RUN, Status.SUSPENDED}
)


@dataclass(frozen=True, slots=True)
class Series:
    """How far a campaign's schedule was followed.

    Attributes:
        since: dates whose instant is not after it are past: when the schedule was launched.
        through: dates up to this local time (naive) were created.
        look_at: when the next date comes within the horizon; ``None``: there is none, or the
            schedule does not run.
        created: how many occurrences there are: the last one's number.
    """

    campaign_id: UUID
    schedule: Schedule
    since: datetime
    through: datetime | None = None
    look_at: datetime | None = None
    created: int = 0


def dates(campaign: Campaign, series: Series) -> Iterator[Line]:
    """Yield the dates of a series that were not created yet, in order."""
    found = lines(
        series.schedule,
        zone=campaign.zone,
        start_at=campaign.start_at,
        end_at=campaign.end_at,
        after=series.through,
    )
    return (line for line in found if line.at > series.since)


def due(campaign: Campaign, series: Series, now: datetime, limit: int) -> list[Line]:
    """Return up to ``limit`` dates that lie within the horizon and were not created yet."""
    horizon = now + _ahead(series.schedule)
    soon: list[Line] = []
    for line in islice(dates(campaign, series), limit):
        if line.at > horizon:
            break
        soon.append(line)
    return soon


def followed(campaign: Campaign, series: Series, made: int) -> tuple[Campaign, Series]:
    """Return a campaign and its series after occurrences were made: where to go on, and when."""
    series = replace(series, created=series.created + made)
    following = next(dates(campaign, series), None)
    look_at = following.at - _ahead(series.schedule) if following else None
    return (
        replace(campaign, next_at=following.at if following else None),
        replace(series, look_at=look_at),
    )


def launched(campaign: Campaign, series: Series, now: datetime) -> tuple[Campaign, Series]:
    """Return a campaign and its series with the schedule running from now on; past dates are past.

    Raises:
        Refused: it has no content or count yet, or runs already, or no date is left.
    """
    if campaign.status not in {Status.READY_TO_TEST, Status.READY_TO_RUN, Status.SUSPENDED}:
        reason = f"{campaign.short} is {campaign.status}: its schedule cannot be launched"
        raise Refused(reason, code="cannot_launch_schedule", **named(campaign))
    # Its dates may have been edited since its schedule was set.
    checked(
        series.schedule,
        zone=campaign.zone,
        start_at=campaign.start_at,
        end_at=campaign.end_at,
    )
    fresh = replace(series, since=now, through=None)
    running, fresh = followed(replace(campaign, status=Status.RUNNING, problem=""), fresh, 0)
    if running.next_at is None:
        reason = "no date of the schedule is left before the campaign's end"
        raise Refused(reason, field="schedule", code="schedule_over")
    return replace(running, modified_at=now), fresh


def occurrence(
    parent: Campaign,
    series: Series,
    line: Line,
    *,
    campaign_id: UUID,
    campaign_number: int,
    now: datetime,
    grace: timedelta,
) -> Campaign:
    """Return the campaign of one date, as its parent is now; the parent's edits change later ones.

    Created after its date (nothing ran then), it is missed: a person says whether it still starts.
    """
    schedule, number = series.schedule, series.created + 1
    prove_at = line.at - timedelta(hours=schedule.prove_before_hours)
    return Campaign(
        campaign_id=campaign_id,
        number=campaign_number,
        label=_label(parent, line, number),
        start_at=line.at,
        end_at=_end(line, schedule, parent.zone),
        zone=parent.zone,
        manager_id=parent.manager_id,
        created_at=now,
        modified_at=now,
        description=parent.description,
        remark=parent.remark,
        targeting_id=parent.targeting_id,
        template_id=parent.template_id,
        action_model_ids=parent.action_model_ids,
        budget_id=parent.budget_id,
        supplier_service_id=parent.supplier_service_id,
        stock_line_id=parent.stock_line_id,
        stock_per_letter=parent.stock_per_letter,
        reviewer_ids=parent.reviewer_ids,
        program_id=parent.program_id,
        series_id=parent.campaign_id,
        occurrence=number,
        priority=parent.priority,
        weight=parent.weight,
        severity=parent.severity,
        low_activity=parent.low_activity,
        control_group=parent.control_group,
        waves=parent.waves,
        approvals=_approvals(parent, schedule),
        auto_start=line.to_be_started,
        prove_at=prove_at if line.to_be_approved else None,
        held_back=HeldBack.MISSED if is_late(line.at, now, grace) else None,
    )


def _approvals(parent: Campaign, schedule: Schedule) -> ApprovalRules | None:
    if schedule.approve_once is None:
        return parent.approvals
    rules = parent.approvals or ApprovalRules()
    return rules.model_copy(update={"once": schedule.approve_once})


def _label(parent: Campaign, line: Line, number: int) -> str:
    if parent.kind is CampaignKind.RECURRING:
        suffix = f"#{number}"
    else:
        suffix = f" {line.local.isoformat(sep=' ', timespec='minutes')}"
    return parent.label[: LABEL_LENGTH - len(suffix)] + suffix


def _end(line: Line, schedule: Schedule, zone: str) -> datetime:
    return instant_of(local_of(line.at, zone) + timedelta(days=schedule.duration_days), zone)


def left_over(
    campaign: Campaign, schedule: Schedule, created: Collection[tuple[datetime, str]]
) -> set[tuple[datetime, str]]:
    """Return which dates (local time, zone) of those that were created a schedule lacks."""
    last = max((local for local, _ in created), default=None)
    has: set[tuple[datetime, str]] = set()
    if last is not None:
        found = lines(
            schedule, zone=campaign.zone, start_at=campaign.start_at, end_at=campaign.end_at
        )
        has = {(line.local, campaign.zone) for line in takewhile(lambda x: x.local <= last, found)}
    return set(created) - has


def _ahead(schedule: Schedule) -> timedelta:
    return timedelta(days=schedule.create_ahead_days)


def proof_wanted(campaign: Campaign) -> bool:
    """Whether a campaign's approval is to be asked for by operationMgt, once its time comes.

    That is an occurrence's, and one that a person asked for while too many were under way.
    """
    return (
        campaign.prove_at is not None
        and campaign.status in {Status.READY_TO_TEST, Status.READY_TO_RUN}
        and campaign.held_back is not HeldBack.MISSED
        and campaign.counts is not None
        and campaign.snapshot_id is None
        and not campaign.approved
    )


def check_plannable(campaign: Campaign) -> None:
    """Let a campaign's schedule be set.

    Raises:
        Refused: it is under way, an occurrence itself, or its approval was asked for.
    """
    if campaign.series_id is not None:
        reason = f"{campaign.short} is an occurrence: set the schedule of its campaign"
        raise Refused(reason, field="kind", code="schedule_of_occurrence", **named(campaign))
    suspended_alone = campaign.status is Status.SUSPENDED and not campaign.is_series
    if campaign.status not in PLANNABLE or suspended_alone or campaign.snapshot_id is not None:
        hint = "; suspend it first" if campaign.is_series else ""
        reason = f"{campaign.short} is {campaign.status}: its schedule cannot be set{hint}"
        raise Refused(reason, field="kind", code="cannot_schedule", **named(campaign))
