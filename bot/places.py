"""In which channel a campaign's messages are shown."""

from __future__ import annotations

from uuid import UUID

from bot.settings import BotSettings
from shared.uow import Work


def settings_of(work: Work) -> BotSettings:
    """Return the bot's settings."""
    if not isinstance(work.settings, BotSettings):
        raise TypeError("the bot runs with BotSettings")
    return work.settings


async def channel_for(campaign_id: UUID, work: Work) -> str:
    """Return a campaign's channel; the default where it has none, or Slack lost it."""
    found = await work.connection.fetchval(
        "SELECT channel FROM campaign_channels WHERE campaign_id = $1 AND lost = ''", campaign_id
    )
    return found or settings_of(work).slack_channel
