"""In which channel a campaign's messages are shown."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bot.settings import BotSettings
from shared.uow import Work


def settings_of(work: Work) -> BotSettings:
    """Return the bot's settings."""
    if not isinstance(work.settings, BotSettings):
        raise TypeError("the bot runs with BotSettings")
    return work.settings


# An occurrence without a channel of its own is told where the campaign is that comes back.
_CHANNEL: Final = """
SELECT channel FROM campaign_channels
WHERE lost = '' AND (campaign_id = $1 OR campaign_id = coalesce($2::uuid,
    (SELECT (state->>'series_id')::uuid FROM campaigns WHERE campaign_id = $1)))
ORDER BY campaign_id = $1 DESC LIMIT 1
"""


async def channel_for(campaign_id: UUID, work: Work, series_id: UUID | None = None) -> str:
    """Return a campaign's channel; the default where it has none, or Slack lost it.

    ``series_id`` is the campaign that an occurrence belongs to, where its state may not be here.
    """
    found = await work.connection.fetchval(_CHANNEL, campaign_id, series_id)
    return found or settings_of(work).slack_channel
