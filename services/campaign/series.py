"""Recurring and periodic campaigns in motion: launched, followed, suspended, resumed, ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from services.campaign import conductor
from services.campaign.domain.campaigns import Campaign, HeldBack, move
from services.campaign.domain.schedules import Line
from services.campaign.domain.series import (
    Series,
    due,
    followed,
    launched,
    left_over,
    occurrence,
)
from services.campaign.domain.waves import check_waves
from services.campaign.places import free_places
from services.campaign.runs import freeze
from services.campaign.settings import settings_of
from services.campaign.store.campaigns import CampaignStore
from services.campaign.store.series import SeriesStore
from shared.errors import Refused
from shared.ids import new_id
from shared.rights import Right, find
from shared.timers import clear, set_timer
from shared.uow import Work
from shared.workflows import wake
from topics.campaign import CampaignStatus as Status
from topics.message import Actor
from topics.schedules import CampaignKind, OccurrenceCreated, StartMissed

SCHEDULE_TIMER: Final = "campaign.schedule"
# An occurrence is a dozen statements: a step of them stays well under a second.
AT_ONCE: Final = 10
LOOKED_AT: Final = 50


async def launch_series(work: Work, before: Campaign, actor: Actor) -> None:
    """Follow a schedule from now on; occurrences it no longer has, and that did not start, end."""
    store = SeriesStore(work.connection)
    series = await store.get(before.campaign_id)
    if series is None:
        raise Refused("set a schedule first", field="schedule", code="schedule_missing")
    days = timedelta(days=series.schedule.duration_days)
    check_waves(replace(before, kind=CampaignKind.UNIQUE, end_at=work.now + days), work.now)
    after, series = launched(before, series, work.now)
    await _cancel_left_over(work, after, series)
    await _free_held(work, after)
    await store.save(series)
    await _set_timer(work, series)
    await wake(work, "operationMgt")
    await conductor.save(work, before, after, actor, "the schedule was launched")


async def resume_series(work: Work, before: Campaign, actor: Actor) -> None:
    """Follow a suspended schedule again; dates that passed meanwhile are past."""
    await launch_series(work, before, actor)


async def suspend_series(
    work: Work, before: Campaign, after: Campaign, actor: Actor, reason: str
) -> None:
    """Create no occurrence, and start none, until resumed; what runs, runs on."""
    await _rest(work, after)
    await conductor.save(work, before, after, actor, reason)


async def cancel_series(
    work: Work, before: Campaign, after: Campaign, actor: Actor, reason: str
) -> None:
    """End a schedule; a recurring campaign's occurrences that did not start end with it."""
    await _rest(work, after)
    if after.kind is CampaignKind.RECURRING:
        for _, _, one in await SeriesStore(work.connection).open(after.campaign_id):
            await cancel_occurrence(work, one, reason)
    await conductor.save(work, before, replace(after, next_at=None), actor, reason)


async def _cancel_left_over(work: Work, campaign: Campaign, series: Series) -> None:
    """Cancel occurrences that have not started and whose date the schedule no longer has."""
    if campaign.kind is not CampaignKind.RECURRING:
        return
    found = await SeriesStore(work.connection).open(campaign.campaign_id)
    opened = {(local, zone): one for local, zone, one in found}
    gone = left_over(campaign, series.schedule, set(opened))
    for key in sorted(gone):
        await cancel_occurrence(work, opened[key], "its date left the schedule")


async def cancel_occurrence(
    work: Work, campaign: Campaign, reason: str, actor: Actor = conductor.SYSTEM
) -> None:
    """End a campaign that has not started: its approval is withdrawn, what is held given back."""
    cancelled = replace(move(campaign, Status.CANCELLED), modified_at=work.now, problem="")
    ended = conductor.void_approval(work, cancelled, reason)
    await conductor.save(work, campaign, ended, actor, reason)


async def _free_held(work: Work, campaign: Campaign) -> None:
    for _, _, one in await SeriesStore(work.connection).open(campaign.campaign_id):
        if one.held_back is HeldBack.SERIES:
            await conductor.save(work, one, replace(one, held_back=None), conductor.SYSTEM)


async def _rest(work: Work, campaign: Campaign) -> None:
    await SeriesStore(work.connection).rest(campaign.campaign_id)
    await clear(work, SCHEDULE_TIMER, str(campaign.campaign_id))


async def _set_timer(work: Work, series: Series) -> None:
    key = str(series.campaign_id)
    if series.look_at is None:
        await clear(work, SCHEDULE_TIMER, key)
    else:
        await set_timer(work, SCHEDULE_TIMER, key, series.look_at)


async def create_ahead(work: Work) -> int:
    """Create the next occurrences of one schedule that has dates within its horizon; say how many.

    The campaign's row is locked, and (campaign, local time, zone) is a key: however many
    schedulers look, and wherever they are killed, a date becomes one campaign.
    """
    store = SeriesStore(work.connection)
    before = await store.due(work.now)
    series = await store.get(before.campaign_id) if before is not None else None
    if before is None or series is None:
        return 0
    operator = await find(work, before.manager_id)
    if operator is None or not operator.may(Right.MANAGE_CAMPAIGNS):
        problem = "its manager may no longer manage campaigns: nothing is created in their name"
        await suspend_series(
            work,
            before,
            replace(move(before, Status.SUSPENDED), problem=problem),
            conductor.SYSTEM,
            problem,
        )
        return 1
    soon, made = due(before, series, work.now, AT_ONCE), 0
    for line in soon:
        made += await _create(work, before, replace(series, created=series.created + made), line)
    if soon:
        series = replace(series, through=soon[-1].local)
    after, series = followed(before, series, made)
    await store.save(series)
    await _set_timer(work, series)
    await conductor.save(work, before, after, conductor.SYSTEM)
    return max(1, len(soon))


async def _create(work: Work, parent: Campaign, series: Series, line: Line) -> bool:
    campaigns, store = CampaignStore(work.connection), SeriesStore(work.connection)
    campaign_id = new_id()
    campaign = occurrence(
        parent,
        series,
        line,
        campaign_id=campaign_id,
        campaign_number=0,
        now=work.now,
        grace=settings_of(work).start_grace,
    )
    if not await store.add(campaign, parent, line, work.now):
        return False
    campaign = replace(campaign, number=await campaigns.number(campaign_id))
    campaign = conductor.ask_for_content(work, conductor.ask_for_count(work, campaign))
    await conductor.save(work, None, campaign, conductor.SYSTEM)
    detail = f"{parent.short}, {line.local.isoformat(sep=' ', timespec='minutes')} {parent.zone}"
    await campaigns.note(campaign_id, "created", conductor.SYSTEM.id, work.now, detail)
    work.emit(
        OccurrenceCreated(
            campaign_id=parent.campaign_id,
            occurrence_id=campaign_id,
            number=campaign.occurrence or 1,
            label=campaign.label,
            local_at=line.local.isoformat(timespec="minutes"),
            zone=parent.zone,
            starts_at=line.at,
        )
    )
    if campaign.held_back is HeldBack.MISSED:
        tell_missed(work, campaign)
    return True


def tell_missed(work: Work, campaign: Campaign) -> None:
    """Say that a start was missed and waits for an answer."""
    work.emit(
        StartMissed(
            campaign_id=campaign.campaign_id,
            number=campaign.number,
            label=campaign.label,
            start_at=campaign.start_at,
        )
    )


async def ask_approvals(work: Work) -> int:
    """Ask for the approval of occurrences whose time for it has come; say how many.

    Each is asked for once: what a reviewer sends back is asked for again by a person. Freezing its
    target takes a place; without one it waits.
    """
    free = min(AT_ONCE, await free_places(work))
    wanted = await CampaignStore(work.connection).proofs_due(work.now, LOOKED_AT)
    for before in wanted[:free]:
        after = freeze(work, replace(before, prove_at=None))
        await conductor.save(work, before, after, conductor.SYSTEM, "the proof was asked for")
    told = [one for one in wanted[free:] if one.held_back is not HeldBack.QUEUED]
    for before in told:
        after = replace(before, held_back=HeldBack.QUEUED)
        await conductor.save(work, before, after, conductor.SYSTEM)
    return len(wanted[:free]) + len(told)


async def finish_series(work: Work) -> int:
    """Finish series without a further date whose occurrences all ended; say how many."""
    over = await SeriesStore(work.connection).over(AT_ONCE)
    for campaign in over:
        finished = replace(move(campaign, Status.FINISHED), problem="")
        await _rest(work, finished)
        await conductor.save(work, campaign, finished, conductor.SYSTEM, "no date is left")
    return len(over)
