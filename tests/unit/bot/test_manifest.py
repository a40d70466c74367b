"""The app manifest lists what the bot uses, no less and no more."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import bot
from bot import installing
from bot.events import FROM_MESSAGE

BOT = Path(bot.__file__).parent
MANIFEST = BOT.parent / "deploy" / "slack" / "manifest.json"
# Source: each method's page in Slack's reference of the Web API.
SCOPES = {
    "chat_postMessage": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_history": {
        *("channels:history", "groups:history", "im:history", "metadata.message:read"),
    },
    "conversations_replies": {
        *("channels:history", "groups:history", "im:history", "metadata.message:read"),
    },
    "conversations_list": {"channels:read", "groups:read"},
    "conversations_open": {"im:write"},
    "files_getUploadURLExternal": {"files:write"},
    "files_completeUploadExternal": {"files:write"},
    "files_info": {"files:read"},
    "users_info": {"users:read", "users:read.email"},
    "dnd_info": {"dnd:read"},
    "views_open": set(),
    "views_publish": set(),
    "views_update": set(),
}


def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return found


def calls() -> list[tuple[str, ast.Call]]:
    """Return every method call in the bot's code, by the method's name."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in BOT.glob("*.py")]
    return [
        (node.func.attr, node)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]


def test_every_command_the_bot_answers_is_declared() -> None:
    answered = {
        str(call.args[0].value)
        for name, call in calls()
        if name == "command" and call.args and isinstance(call.args[0], ast.Constant)
    }
    declared = {one["command"] for one in manifest()["features"]["slash_commands"]}
    assert (
        answered
        == declared
        == {
            *("/approvals", "/budget", "/campaign", "/events", "/stock", "/workflows"),
        }
    )


def test_every_scope_is_one_of_a_method_the_bot_calls() -> None:
    families = (
        "chat_",
        "conversations_",
        "views_",
        "users_",
        "files_",
        "dnd_",
        "reactions_",
        "pins_",
    )
    used = {name for name, _ in calls() if name.startswith(families)}
    assert used == set(SCOPES)
    needed = set().union(*SCOPES.values()) | {"commands"}
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == needed
    assert set(installing.SCOPES) == needed


def test_the_manifest_keeps_to_slacks_limits() -> None:
    found = manifest()
    shown = found["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 174 <= len(shown["long_description"]) <= 4000
    for command in found["features"]["slash_commands"]:
        assert len(command["command"]) <= 32
        assert len(command["description"]) <= 2000
        assert len(command.get("usage_hint", "")) <= 1000
    assert found["settings"]["socket_mode_enabled"]
    assert found["settings"]["interactivity"]["is_enabled"]


def test_the_events_the_bot_hears_are_subscribed_to_and_the_home_tab_is_on() -> None:
    heard = {
        str(call.args[0].value)
        for name, call in calls()
        if name == "event" and call.args and isinstance(call.args[0], ast.Constant)
    }
    assert set(manifest()["settings"]["event_subscriptions"]["bot_events"]) == heard
    assert manifest()["features"]["app_home"]["home_tab_enabled"]


def test_the_shortcut_is_declared() -> None:
    (shortcut,) = manifest()["features"]["shortcuts"]
    assert (shortcut["type"], shortcut["callback_id"]) == ("message", FROM_MESSAGE)
    assert len(shortcut["name"]) <= 24
    assert len(shortcut["description"]) <= 150
