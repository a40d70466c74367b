"""Ids of several workspaces side by side: ``T…/U…``; the ids of the bot's own one are bare.

Slack's ids are told apart by workspace alone, so wherever a user, a channel or a file is kept, its
workspace is kept with it.
"""

from __future__ import annotations

from typing import Any, Final

HOME: Final = ""
"""The workspace of ``SLACK_BOT_TOKEN``."""


def qualified(team: str, which: str) -> str:
    """Return an id of a workspace; nothing stays nothing."""
    return f"{team}/{which}" if team and which and "/" not in which else which


def team_of(place: str) -> str:
    """Return the workspace of an id."""
    return place.partition("/")[0] if "/" in place else HOME


def bare(place: str) -> str:
    """Return an id as its own workspace knows it."""
    return place.rpartition("/")[2]


def qualify(body: dict[str, Any], team_id: str | None, team: str) -> None:
    """Make the ids of a payload from Slack those of its workspace.

    Who comes through a channel that another workspace shares is named by that one.
    """
    for name in ("user_id", "channel_id"):
        if isinstance(body.get(name), str):
            body[name] = qualified(team, body[name])
    event = body.get("event") or {}
    for holder in (body, event):
        if isinstance(holder.get("channel"), dict):
            _name(holder["channel"], team)
        elif isinstance(holder.get("channel"), str):
            holder["channel"] = qualified(team, holder["channel"])
        user = holder.get("user")
        if isinstance(user, dict):
            own = str(user.get("team_id") or team_id or "")
            _name(user, team if own == (team_id or "") else own)
        elif isinstance(user, str):
            holder["user"] = qualified(team, user)


def _name(holder: dict[str, Any], team: str) -> None:
    if isinstance(holder.get("id"), str):
        holder["id"] = qualified(team, holder["id"])
