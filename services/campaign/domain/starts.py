"""Which due campaigns start now, and what holds the others back. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.campaign.domain.campaigns import FINAL, Campaign, HeldBack
from services.campaign.domain.gates import start_is_open
from services.campaign.domain.waves import too_late
from topics.campaign import CampaignStatus as Status
from topics.campaign import Severity


@dataclass(frozen=True, slots=True)
class Window:
    """A time of day of low activity, in the instance's zone; it may pass midnight.

    One that opens when it closes is the whole day.
    """

    opens: time
    closes: time

    def is_open(self, now: datetime, zone: ZoneInfo) -> bool:
        """Whether a moment (aware) lies in the window."""
        shown = now.astimezone(zone).time()
        if self.opens < self.closes:
            return self.opens <= shown < self.closes
        return shown >= self.opens or shown < self.closes


def is_ready(campaign: Campaign) -> bool:
    """Whether nothing but its start is left to wait for."""
    ready = campaign.status is Status.READY_TO_RUN and campaign.approved
    return ready and not start_is_open(campaign)


def awaits_start(campaign: Campaign) -> bool:
    """Whether operationMgt is to look at it when its start comes, and has not yet."""
    return is_ready(campaign) and campaign.auto_start and campaign.held_back is None


def confirmed(campaign: Campaign, now: datetime) -> Campaign:
    """Return a campaign that a person wants started, whatever its date was."""
    return replace(
        campaign,
        auto_start=True,
        confirmed=True,
        held_back=None,
        ready_at=now if is_ready(campaign) else campaign.ready_at,
        modified_at=now,
    )


def is_prepared(campaign: Campaign) -> bool:
    """Whether a run has its recipients and actions, and its letters are with the supplier."""
    delivered = campaign.delivery_prepared or campaign.delivery_done
    generated = campaign.actions_completed or not campaign.action_model_ids
    return generated and (delivered or not campaign.has_message)


def takes_place(campaign: Campaign) -> bool:
    """Whether it is one of the few under way at once: its target is frozen, or its run prepared."""
    if campaign.is_series or campaign.status in FINAL:
        return False
    if campaign.status is Status.RUNNING:
        return not is_prepared(campaign)
    return campaign.snapshot_id is not None and campaign.snapshot_hash is None


def gives_work(before: Campaign, after: Campaign) -> bool:
    """Whether a change lets another campaign start, or may have been the end of a series."""
    ended = after.status in FINAL and before.status not in FINAL
    left = takes_place(before) and not takes_place(after)
    return left or (ended and after.series_id is not None)


_SEVERITIES: Final = (Severity.CRITICAL, Severity.PRODUCTION, Severity.NORMAL)


def first(campaign: Campaign) -> tuple[int, int, datetime, int]:
    """Return what campaigns are sorted by, the one to start first first."""
    severity = _SEVERITIES.index(campaign.severity)
    return campaign.priority, severity, campaign.start_at, campaign.number


def due_since(campaign: Campaign) -> datetime:
    """Return the time from which a start counts as late.

    An occurrence was meant for its date: approved after it, it asks whether it should still start.
    A unique campaign whose approval came after its start date is meant to start then.
    """
    if campaign.series_id is not None and not campaign.confirmed and campaign.started_at is None:
        return campaign.start_at
    return max(campaign.start_at, campaign.ready_at or campaign.start_at)


def is_late(due_at: datetime, now: datetime, grace: timedelta) -> bool:
    """Whether a start is no longer made without asking."""
    return now > due_at + grace


def is_missed(campaign: Campaign, now: datetime, grace: timedelta) -> bool:
    """Whether a due campaign was not started in time; one held back on purpose never is."""
    return campaign.held_back is None and is_late(due_since(campaign), now, grace)


@dataclass(frozen=True, slots=True)
class Picked:
    """What becomes of due campaigns: started, or held back and why."""

    started: Sequence[Campaign]
    held: Sequence[tuple[Campaign, HeldBack]]


def pick(
    due: Sequence[Campaign],
    *,
    free: int,
    open_now: bool,
    resting: Collection[UUID],
    now: datetime,
    grace: timedelta,
) -> Picked:
    """Return which of the due campaigns start now: by priority, severity, date, as many as may.

    Args:
        due: approved campaigns whose start has come; those held back before among them.
        free: how many more may be under way.
        open_now: whether the window of low activity is open.
        resting: suspended recurring campaigns, whose occurrences do not start.
        now: the time.
        grace: how late a start may be.
    """
    started: list[Campaign] = []
    held: list[tuple[Campaign, HeldBack]] = []
    for campaign in sorted(due, key=first):
        if campaign.series_id in resting:
            held.append((campaign, HeldBack.SERIES))
        elif is_missed(campaign, now, grace):
            held.append((campaign, HeldBack.MISSED))
        elif campaign.low_activity and not (open_now or campaign.confirmed):
            held.append((campaign, HeldBack.WINDOW))
        elif too_late(campaign, now):
            held.append((campaign, HeldBack.WAVES))
        elif len(started) >= free:
            held.append((campaign, HeldBack.QUEUED))
        else:
            started.append(campaign)
    return Picked(started, [(one, why) for one, why in held if one.held_back is not why])
