"""Where a campaign's messages go: a channel of its own, or the default; and what a lost one means.

A channel that is archived, gone, or without the bot holds nothing up: what waits for it goes to the
default channel, open cards are shown there again, and it is said there.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from uuid import UUID

from bot.approvals import CARD, show_card, show_cards_of
from bot.blocks import content, section
from bot.cards import campaign_name
from bot.front import Visit
from bot.handlers import outgoing_of
from bot.limits import Json
from bot.orders import numbered
from bot.places import channel_for, default_channel, settings_of
from bot.store import BotStore
from bot.teams import bare, qualified, team_of
from bot.words import say
from shared.database import Connection
from shared.rights import Right
from shared.uow import Work
from topics.campaign import CampaignState

_CHANNEL: Final = re.compile(r"^(?:<#([A-Z0-9]{2,40})(?:\|[^>]*)?>|(#[^\s#<>]{1,80}))$")
_CHANNELS: Final = frozenset("#CG")
"""How names and ids of channels begin; people's are told where they are."""
_BACK: Final = frozenset({"default", "défaut"})
SHOWN: Final = 10
_LOSE: Final = """
UPDATE campaign_channels SET lost = $2 WHERE channel = $1 AND lost = ''
RETURNING campaign_id, chosen_at
"""
_CHANNELS_OF: Final = """
SELECT channel FROM campaign_channels WHERE split_part(channel, '/', 1) = $1
UNION SELECT target FROM slack_messages WHERE team = $1
"""
_PEOPLE_OF: Final = """
WITH gone AS (
    INSERT INTO slack_people (slack_user_id, has_left, next_at)
    SELECT slack_user_id, true, 'infinity' FROM operators
    WHERE split_part(slack_user_id, '/', 1) = $1
    ON CONFLICT (slack_user_id) DO UPDATE SET has_left = true, next_at = 'infinity'
    RETURNING slack_user_id)
SELECT operator_id FROM operators JOIN gone USING (slack_user_id)
"""
# A mention means somebody else, or nobody, in another workspace.
_UNNAMED: Final = """
UPDATE slack_messages SET wanted_hash = wanted_hash || '*',
    content = regexp_replace(content::text, '<@[A-Z0-9]+>', '@…', 'g')::jsonb
WHERE key = ANY ($1::text[])
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
RETURNING key
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
        return await _chosen(visit, state, qualified(visit.team, found[1] or found[2]))
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
    """Return a channel as mrkdwn, with its workspace where that is not the bot's own."""
    name, team = bare(channel), team_of(channel)
    shown = name if name.startswith("#") else f"<#{name}>"
    return f"{shown} ({team})" if team else shown


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

    Return whether it is another channel at all; the default one has nothing to fall back to.
    """
    default = await default_channel(work)
    if channel == default or bare(channel)[:1] not in _CHANNELS:
        return False
    lost = await work.connection.fetch(_LOSE, channel, error)
    moved = [row["key"] for row in await work.connection.fetch(_MOVE, channel, default, work.now)]
    if team_of(channel) != team_of(default):
        await _name_anew(moved, work)
    is_default_there = bare(channel) == settings_of(work).slack_channel
    if lost or is_default_there:
        since = "".join(str(row["chosen_at"]) for row in lost[:1])
        line = await _lost_line(channel, [row["campaign_id"] for row in lost], work)
        shown = content(line, [section(f":warning: {line}")])
        await outgoing_of(work).show(f"lost:{channel}:{since}", default, shown)
    return True


async def _name_anew(keys: list[str], work: Work) -> None:
    """Have messages that go to another workspace mention nobody there by mistake."""
    await work.connection.execute(_UNNAMED, keys)
    for key in keys:
        kind, _, approval_id = key.partition(":")
        if kind == CARD:
            state = await BotStore(work.connection).approval(UUID(approval_id))
            if state is not None:
                await show_card(state, work)


async def leave(team: str, work: Work) -> None:
    """Have what waits for the channels of a workspace that is gone go to the default one.

    Its people cannot answer any more: they have left, until it installs the bot again.
    """
    rows = await work.connection.fetch(_CHANNELS_OF, team)
    for row in rows:
        await fall_back(row["channel"], "uninstalled", work)
    left = await work.connection.fetch(_PEOPLE_OF, team)
    for row in left:
        await show_cards_of(row["operator_id"], work)


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
        campaigns=", ".join(names[:SHOWN]) + more or "…",
        first=names[0] if names else "C-…",
    )
