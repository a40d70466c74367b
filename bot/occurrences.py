"""Occurrences and missed starts, told in the campaign's channel as they come about."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from bot import dates
from bot.answers import is_fresh
from bot.handlers import channel_setting, outgoing_of, show_date
from bot.order_buttons import missed_buttons
from bot.places import channel_for, settings_of
from bot.store import BotStore
from shared.registry import Registry
from shared.uow import Work
from topics.schedules import OccurrenceCreated, StartMissed

registry = Registry()


@registry.on(OccurrenceCreated)
async def tell_made(event: OccurrenceCreated, work: Work) -> None:
    """Tell that a date became a campaign; its message keeps up with it."""
    if not is_fresh(work):
        return
    channel = await channel_for(event.occurrence_id, work, event.campaign_id)
    shown = dates.made(event, channel_setting(work, channel))
    await outgoing_of(work).show(dates.date_key(event.occurrence_id), channel, shown)
    state = await BotStore(work.connection).campaign(event.occurrence_id)
    if state is not None:
        await show_date(state, work)


@registry.on(StartMissed)
async def ask_missed(event: StartMissed, work: Work) -> None:
    """Ask whether a campaign whose start was missed is still to start."""
    if not is_fresh(work):
        return
    state = await BotStore(work.connection).campaign(event.campaign_id)
    zone = ZoneInfo(state.zone) if state else settings_of(work).zone
    channel = await channel_for(event.campaign_id, work)
    setting = channel_setting(work, channel)
    buttons = missed_buttons(event.campaign_id, event.number, setting)
    shown = dates.missed(event, setting, zone, buttons)
    key = dates.missed_key(event.campaign_id, event.start_at)
    await outgoing_of(work).show(key, channel, shown)
