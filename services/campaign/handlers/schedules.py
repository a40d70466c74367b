"""Schedules set, and starts that were missed answered."""

from __future__ import annotations

from dataclasses import replace

from services.campaign import conductor
from services.campaign.domain.campaigns import Campaign, HeldBack, after_edit, named
from services.campaign.domain.schedules import checked
from services.campaign.domain.series import Series, check_plannable, followed
from services.campaign.domain.starts import confirmed
from services.campaign.domain.waves import check_waves
from services.campaign.handlers.deciding import locked, refused
from services.campaign.series import cancel_occurrence
from services.campaign.store.campaigns import CampaignStore
from services.campaign.store.series import SeriesStore
from shared.errors import Refused
from shared.registry import Registry
from shared.uow import Work
from shared.workflows import wake
from topics.campaign import CampaignStatus as Status
from topics.schedules import AnswerMissedStart, CampaignKind, Schedule, ScheduleSet, SetSchedule

registry = Registry()


@registry.on(SetSchedule, refusal=refused)
async def set_schedule(command: SetSchedule, work: Work) -> None:
    """Keep a campaign's schedule; it is followed from its launch on."""
    before = await locked(work, command.campaign_id, command.actor)
    check_plannable(before)
    unique = command.kind is CampaignKind.UNIQUE
    if unique is not (command.schedule is None):
        reason = "a unique campaign has no schedule, any other one needs one"
        raise Refused(reason, field="schedule", code="schedule_and_kind")
    after = replace(before, kind=command.kind, next_at=None, modified_at=work.now)
    if command.schedule is not None:
        after = await _keep(work, after, command.schedule)
    elif await SeriesStore(work.connection).of(before.campaign_id, None, 1):
        reason = f"{before.short} has occurrences: it stays {before.kind}"
        raise Refused(reason, field="kind", code="has_occurrences", **named(before))
    if after.status is Status.SUSPENDED:
        after = after_edit(after)
    await conductor.save(work, before, after, command.actor)
    await CampaignStore(work.connection).note(
        after.campaign_id, "schedule set", command.actor.id, work.now, command.kind
    )
    work.emit(
        ScheduleSet(
            campaign_id=after.campaign_id,
            number=after.number,
            label=after.label,
            kind=after.kind,
            next_at=after.next_at,
            actor=command.actor,
        )
    )


async def _keep(work: Work, campaign: Campaign, schedule: Schedule) -> Campaign:
    checked(schedule, zone=campaign.zone, start_at=campaign.start_at, end_at=campaign.end_at)
    check_waves(campaign, campaign.start_at)
    store = SeriesStore(work.connection)
    kept = await store.get(campaign.campaign_id)
    series = Series(
        campaign_id=campaign.campaign_id,
        schedule=schedule,
        since=work.now,
        created=kept.created if kept else 0,
    )
    campaign, _ = followed(campaign, series, 0)
    await store.save(series)
    return campaign


@registry.on(AnswerMissedStart, refusal=refused)
async def answer_missed_start(command: AnswerMissedStart, work: Work) -> None:
    """Start a campaign whose start was missed as soon as it is approved, or drop it."""
    before = await locked(work, command.campaign_id, command.actor)
    if before.held_back is not HeldBack.MISSED:
        reason = f"{before.short} has no missed start to answer"
        raise Refused(reason, code="no_missed_start", **named(before))
    answer = "started" if command.start else "dropped"
    await CampaignStore(work.connection).note(
        before.campaign_id, f"missed start {answer}", command.actor.id, work.now
    )
    if not command.start:
        await cancel_occurrence(work, before, "its start was missed", command.actor)
        return
    await wake(work, "operationMgt")
    await conductor.save(work, before, confirmed(before, work.now), command.actor)
