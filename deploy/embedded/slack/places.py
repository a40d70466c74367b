"""Where a person acts: the message or view they look at, as the payload describes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deploy.embedded.slack import payloads
from deploy.embedded.slack.asks import Place
from deploy.embedded.slack.blocks import elements_of
from deploy.embedded.slack.calls import Context
from deploy.embedded.slack.inputs import InputRefused, initial_values
from deploy.embedded.slack.methods.channels import shown as shown_message
from deploy.embedded.slack.methods.views import shown as shown_view
from deploy.embedded.slack.seed import Channel, Person
from deploy.embedded.slack.wire import Ephemeral, Json, Message, View, ViewStatus


class UnknownName(LookupError):
    """The driver named a person, channel, message or view that is not there."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A message, an ephemeral one or a view; exactly one of the three."""

    channel: Channel | None = None
    message: Message | None = None
    ephemeral: Ephemeral | None = None
    view: View | None = None

    @property
    def ts(self) -> str | None:
        """The message's timestamp, if it is a message."""
        held = self.message or self.ephemeral
        return held.ts if held else None

    @property
    def blocks(self) -> list[Json]:
        """The blocks the person sees."""
        held = self.message or self.ephemeral or self.view
        return held.blocks if held else []

    def with_view(self, view: View) -> "Surroundings":
        """Return the same place with the view as it is now."""
        return replace(self, view=view)

    def opened_view(self) -> View:
        """Return the view, which must be open."""
        if self.view is None or self.view.status is not ViewStatus.OPEN:
            raise UnknownName("the view is closed")
        return self.view

    def payload(self, ctx: Context) -> Json:
        """Return the fields that say where an interaction took place."""
        if self.view is not None:
            view = shown_view(ctx.state, self.view)
            return {"container": {"type": "view", "view_id": self.view.id}, "view": view}
        if self.channel is None:
            return {}
        container = {
            "type": "message",
            "message_ts": self.ts,
            "channel_id": self.channel.id,
            "is_ephemeral": self.ephemeral is not None,
        }
        fields: Json = {
            "container": container,
            "channel": payloads.in_channel(self.channel),
            "state": {"values": initial_values(self.blocks)},
        }
        if self.message is not None:
            fields["message"] = shown_message(ctx.state, self.message)
        return fields


def _seen(message: Message, version: int | None) -> Message:
    """Return the message as someone sees it who has not yet got the later versions."""
    if version is None:
        return message
    return message.model_copy(update={"versions": message.versions[: version + 1]})


def look(ctx: Context, place: Place, person: Person) -> Surroundings:
    """Return what is at a place; raise ``UnknownName`` when this person sees nothing there."""
    state = ctx.state
    if place.view_id is not None:
        view = state.rows.views.get(place.view_id)
        if view is None or view.user != person.id:
            raise UnknownName(f"{person.name} has no view {place.view_id}")
        return Surroundings(view=view)
    channel = state.channel(place.channel or "")
    if channel is None or place.ts is None:
        raise UnknownName("name a message by its channel and ts, or a view by its id")
    message = state.message(channel.id, place.ts)
    if message is not None:
        return Surroundings(channel=channel, message=_seen(message, place.version))
    for ephemeral in state.rows.ephemerals:
        mine = ephemeral.user == person.id and ephemeral.channel == channel.id
        if mine and ephemeral.ts == place.ts:
            return Surroundings(channel=channel, ephemeral=ephemeral)
    raise UnknownName(f"{person.name} sees no message {place.ts} in #{channel.name}")


def find_action(
    blocks: Sequence[Mapping[str, Any]], action_id: str, block_id: str | None, value: Any
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the block and element with this action id (or button text).

    ``block_id`` and, for a button, ``value`` choose among several.
    """
    every = [(block, element) for block in blocks for _, element in elements_of(block)]
    found = [pair for pair in every if _is_named(pair[1], action_id)]
    if block_id is not None:
        found = [pair for pair in found if pair[0]["block_id"] == block_id]
    if len(found) > 1 and value is not None:
        found = [pair for pair in found if pair[1].get("value") == value]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{block['block_id']}.{element['action_id']}" for block, element in every)
    what = "several elements are" if found else "no element is"
    raise InputRefused(f"{what} named {action_id!r} here; there are: {known or 'none'}")


def require_told(block: Mapping[str, Any]) -> None:
    """Raise ``InputRefused`` for a field that tells the app nothing before it is submitted."""
    if block["type"] == "input" and not block.get("dispatch_action"):
        raise InputRefused(f"{block['block_id']} has no dispatch_action: Slack sends no action")


def _is_named(element: Mapping[str, Any], name: str) -> bool:
    text = element.get("text")
    label = text.get("text") if isinstance(text, dict) else None
    return name in (element.get("action_id"), label)
