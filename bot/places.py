"""In which channel a campaign's messages are shown."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bot.settings import BotSettings
from bot.teams import HOME, qualified, team_of
from shared.uow import Work

# An occurrence without a channel of its own is told where the campaign is that comes back.
_CHANNEL: Final = """
SELECT (SELECT channel FROM campaign_channels
        WHERE lost = '' AND (campaign_id = $1 OR campaign_id = coalesce($2::uuid,
            (SELECT (state->>'series_id')::uuid FROM campaigns WHERE campaign_id = $1)))
        ORDER BY campaign_id = $1 DESC LIMIT 1) AS channel,
    (SELECT slack_user_id FROM campaigns k JOIN operators o ON o.operator_id = k.manager_id
     WHERE k.campaign_id IN ($1, $2) ORDER BY k.campaign_id = $1 DESC LIMIT 1) AS manager
"""


def settings_of(work: Work) -> BotSettings:
    """Return the bot's settings."""
    if not isinstance(work.settings, BotSettings):
        raise TypeError("the bot runs with BotSettings")
    return work.settings


async def channel_for(campaign_id: UUID, work: Work, series_id: UUID | None = None) -> str:
    """Return a campaign's channel; the default where it has none, or Slack lost it.

    That is the default channel's name in the workspace of the campaign's manager. ``series_id`` is
    the campaign that an occurrence belongs to, where its state may not be here.
    """
    found = await work.connection.fetchrow(_CHANNEL, campaign_id, series_id)
    if found and found["channel"]:
        return str(found["channel"])
    team = team_of(found["manager"] or "") if found else HOME
    name = settings_of(work).slack_channel
    if team != HOME and name.startswith("#") and await _is_installed(team, work):
        return qualified(team, name)
    return await default_channel(work)


async def default_channel(work: Work) -> str:
    """Return where goes what has no other place: in the bot's own workspace, else the oldest."""
    settings = settings_of(work)
    if settings.slack_bot_token is not None:
        return settings.slack_channel
    team = await work.connection.fetchval(
        "SELECT team FROM slack_installations WHERE sealed IS NOT NULL"
        " ORDER BY installed_at, team LIMIT 1"
    )
    return qualified(team or HOME, settings.slack_channel)


async def _is_installed(team: str, work: Work) -> bool:
    found = await work.connection.fetchval(
        "SELECT true FROM slack_installations WHERE team = $1 AND sealed IS NOT NULL", team
    )
    return bool(found)
