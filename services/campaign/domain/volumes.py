"""What a campaign may use, what it really used, what came of it, and whether that was all. Pure."""

from __future__ import annotations

from services.campaign.domain.campaigns import Campaign
from services.campaign.domain.earlier import minus, plus, used
from topics.actions import ActionCounts
from topics.budget import Volumes
from topics.campaign import Synthesis
from topics.delivery import DeliveryCounts
from topics.targeting import TargetCounts


def volumes_planned(campaign: Campaign) -> Volumes:
    """Return the most a run can use, for its hold: everybody reachable gets a message.

    Whom an earlier run over the same target reached is in it, and gets nothing more. Of another
    target nobody knows that before its run, so it is held for whole; the real cost is booked.
    """
    same = [run.used for run in campaign.earlier_runs if run.targeting_id == campaign.targeting_id]
    return minus(_volumes_of_target(campaign), plus(same, Volumes()))


def _volumes_of_target(campaign: Campaign) -> Volumes:
    # Targeting counts addresses; where doubles are sent to as well, each of them costs one more.
    counts = campaign.counts or TargetCounts()
    doubles = counts.duplicates if campaign.send_doubles else 0
    return Volumes(
        emails=counts.reachable + doubles if campaign.has_message else 0,
        letters=campaign.letters if campaign.has_message else 0,
        organisations=counts.organisations if campaign.action_model_ids else 0,
        persons=counts.persons if campaign.action_model_ids else 0,
    )


def volumes_real(campaign: Campaign) -> Volumes:
    """Return what the latest run really used, and earlier ones after their cost was booked."""
    counts = campaign.delivery_counts or DeliveryCounts()
    latest = used(counts, campaign.organisations, campaign.persons)
    return plus((run.unbooked for run in campaign.earlier_runs), latest)


def synthesis(campaign: Campaign) -> Synthesis:
    """Return the counts of the results tab, as their owners counted them."""
    actions = campaign.action_counts or ActionCounts()
    messages = plus(
        (run.counts for run in campaign.earlier_runs), campaign.delivery_counts or DeliveryCounts()
    )
    return Synthesis(
        targeted=campaign.snapshot_members,
        deals_generated=actions.deals,
        actions_generated=actions.generated,
        actions_waiting=actions.waiting,
        actions_suspended=actions.suspended,
        actions_executed=actions.executed,
        actions_finished=actions.finished,
        actions_cancelled=actions.cancelled,
        dossier_items=actions.dossier_items,
        messages_targeted=messages.targeted,
        messages_pending=messages.pending,
        messages_sent=messages.sent,
        messages_failed=messages.failed,
        messages_ignored=messages.ignored,
        messages_ambiguous=messages.ambiguous,
        messages_pressure=messages.pressure,
        extracted=campaign.extracted + sum(run.extracted for run in campaign.earlier_runs),
    )


def is_complete(campaign: Campaign) -> bool:
    """Whether its runs left nothing to do: no message open, no action waiting or suspended."""
    if not campaign.all_delivered:
        return False
    if campaign.validity_over or not campaign.has_actions:
        return True
    if campaign.action_model_ids and not campaign.actions_completed:
        return False
    actions = campaign.action_counts
    return actions is not None and not (actions.waiting or actions.suspended)
