"""Where a campaign's messages go: a channel of its own, or the default; and what a lost one means.

A channel that is archived, gone, or without the bot holds nothing up: what waits for it goes to the
default channel, open cards are shown there again, and it is said there.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from uuid import UUID

from bot.blocks import content, section
from bot.cards import campaign_name
from bot.front import Visit
from bot.handlers import outgoing_of
from bot.limits import Json
from bot.orders import numbered
from bot.places import channel_for, settings_of
from bot.words import say
from shared.database import Connection
from shared.rights import Right
from shared.uow import Work
from topics.campaign import CampaignState

_CHANNEL: Final = re.compile(r"^(?:<#([A-Z0-9]{2,40})(?:\|[^>]*)?>|(#[^\s#<>]{1,80}))$")
_BACK: Final = frozenset({"default", "défaut"})
SHOWN: Final = 10
_LOSE: Final = """
UPDATE campaign_channels SET lost = $2 WHERE channel = $1 AND lost = ''
RETURNING campaign_id, chosen_at
"""
# What was shown and needs no change stays where it is, but for cards that wait for an answer.
_MOVED: Final = """
({0}.target = $1 AND NOT {0}.failed AND ({0}.shown_hash IS DISTINCT FROM {0}.wanted_hash
 OR {0}.key IN (SELECT 'approval:' || approval_id FROM approvals WHERE outcome = 'pending')))
"""
_MOVE: Final = f"""
UPDATE slack_messages m SET target = $2, next_at = $3, channel = NULL, ts = NULL,
    shown_hash = NULL, attempts = 0, attempted_at = NULL, unsure_since = NULL,
    lease_until = '-infinity', error = '',
    thread_key = CASE WHEN EXISTS (SELECT 1 FROM slack_messages p
                                   WHERE p.key = m.thread_key AND {_MOVED.format("p")})
                      THEN thread_key END
WHERE {_MOVED.format("m")}
"""


async def typed_channel(visit: Visit, rest: str) -> Json:
    """Carry out ``/campaign channel C-1042 #channel``; without a channel, say which it is."""
    refusal = visit.refusal(Right.MANAGE_CAMPAIGNS)
    if refusal:
        return refusal
    state = await numbered(visit, "channel", rest)
    if not isinstance(state, CampaignState):
        return state
    word = rest.partition(" ")[2].strip()
    found = _CHANNEL.match(word)
    if found is not None:
        return await _chosen(visit, state, found[1] or found[2])
    name = campaign_name(state.number, state.label)
    if word and word.lower() not in _BACK:
        return content(visit.say("channel_unknown", campaign=name))
    if word:
        await _clear(visit.work.connection, state.campaign_id)
    channel = named(await channel_for(state.campaign_id, visit.work))
    return content(visit.say("channel_is", campaign=name, channel=channel))


async def _chosen(visit: Visit, state: CampaignState, chosen: str) -> Json:
    """Keep a campaign's channel; it is said there, so that one that is lost is found at once."""
    name = campaign_name(state.number, state.label)
    await _choose(visit.work.connection, state.campaign_id, chosen, visit.work.now)
    here = say(visit.settings.muster_language, "channel_here", campaign=name)
    key = f"channel:{state.campaign_id}:{visit.sender.trigger}"
    await visit.outgoing.show(key, chosen, content(here, [section(here)]))
    return content(visit.say("channel_chosen", campaign=name, channel=named(chosen)))


def named(channel: str) -> str:
    """Return a channel as mrkdwn."""
    return channel if channel.startswith("#") else f"<#{channel}>"


async def _choose(connection: Connection, campaign_id: UUID, channel: str, now: datetime) -> None:
    await connection.execute(
        "INSERT INTO campaign_channels (campaign_id, channel, chosen_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (campaign_id) DO UPDATE SET channel = excluded.channel,"
        " chosen_at = excluded.chosen_at, lost = ''",
        campaign_id,
        channel,
        now,
    )


async def _clear(connection: Connection, campaign_id: UUID) -> None:
    await connection.execute("DELETE FROM campaign_channels WHERE campaign_id = $1", campaign_id)


async def fall_back(channel: str, error: str, work: Work) -> bool:
    """Have what waits for a channel that Slack does not reach go to the default one.

    Return whether it was a campaign's channel at all; the default one has nothing to fall back to.
    """
    chosen = await work.connection.fetchval(
        "SELECT true FROM campaign_channels WHERE channel = $1", channel
    )
    default = settings_of(work).slack_channel
    if not chosen or channel == default:
        return False
    lost = await work.connection.fetch(_LOSE, channel, error)
    await work.connection.execute(_MOVE, channel, default, work.now)
    if lost:
        since = max(row["chosen_at"] for row in lost)
        line = await _lost_line(channel, [row["campaign_id"] for row in lost], work)
        shown = content(line, [section(f":warning: {line}")])
        await outgoing_of(work).show(f"lost:{channel}:{since.isoformat()}", default, shown)
    return True


async def _lost_line(channel: str, campaign_ids: list[UUID], work: Work) -> str:
    rows = await work.connection.fetch(
        "SELECT number FROM campaigns WHERE campaign_id = ANY ($1::uuid[]) ORDER BY number",
        campaign_ids,
    )
    names = [f"C-{row['number']}" for row in rows]
    more = "…" if len(names) > SHOWN else ""
    return say(
        settings_of(work).muster_language,
        "channel_lost",
        channel=named(channel),
        campaigns=", ".join(names[:SHOWN]) + more,
        first=names[0] if names else "C-…",
    )
