"""The payloads Slack sends for what people do, field for field."""

from collections.abc import Mapping
from typing import Any

from deploy.embedded.slack.inputs import choose, filled
from deploy.embedded.slack.seed import Channel, Person, Seed
from deploy.embedded.slack.wire import Json

_BUTTON_FIELDS = ("text", "value", "style", "url", "accessibility_label")


def by_person(seed: Seed, person: Person, kind: str) -> Json:
    """Return what every interactive payload has: its type, who, and of which app."""
    return {
        "type": kind,
        "user": {
            "id": person.id,
            "username": person.name,
            "name": person.name,
            "team_id": seed.team_id,
        },
        "team": {"id": seed.team_id, "domain": seed.team_domain},
        "enterprise": None,
        "is_enterprise_install": False,
        "api_app_id": seed.app.app_id,
        "token": seed.app.verification_token,
    }


def slash_command(seed: Seed, person: Person, channel: Channel, command: str, text: str) -> Json:
    """Return the fields of a slash command; the trigger and response URL are added later."""
    return {
        "token": seed.app.verification_token,
        "team_id": seed.team_id,
        "team_domain": seed.team_domain,
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.direct else channel.name,
        "user_id": person.id,
        "user_name": person.name,
        "command": command,
        "text": text,
        "api_app_id": seed.app.app_id,
        "is_enterprise_install": "false",
    }


def in_channel(channel: Channel) -> Json:
    """Return a channel as interactive payloads name it."""
    name = "directmessage" if channel.direct else channel.name
    return {"id": channel.id, "name": name}


def action(
    block: Mapping[str, Any], element: Mapping[str, Any], value: Any, *, offered: Any, ts: str
) -> Json:
    """Return one entry of ``actions``: a button pressed, or an element now holding ``value``."""
    kind = str(element["type"])
    named = {
        "type": kind,
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": ts,
    }
    if kind == "button":
        return {**named, **{key: element[key] for key in _BUTTON_FIELDS if key in element}}
    if kind == "overflow":
        return {**named, "selected_option": choose(element["options"], value, kind)}
    return {**named, **filled(element, value, offered=offered)}


def event_callback(seed: Seed, event: Json, event_id: str, now: int) -> Json:
    """Return an event wrapped as the Events API wraps it."""
    return {
        "token": seed.app.verification_token,
        "team_id": seed.team_id,
        "api_app_id": seed.app.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": now,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": seed.team_id,
                "user_id": seed.app.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }
