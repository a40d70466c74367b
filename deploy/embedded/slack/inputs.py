"""What a person fills in: from plain values to the ``state.values`` Slack sends, and back.

Refuses what Slack's own client refuses before anything is sent: an empty required field, a choice
that is not offered, a text too long.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from deploy.embedded.slack.blocks import elements_of
from deploy.embedded.slack.elements import options_of
from deploy.embedded.slack.wire import Json


class InputRefused(ValueError):
    """Slack's client would not send this: the message names the field and says what is wrong."""


_ONE = {
    "static_select": "option",
    "external_select": "option",
    "radio_buttons": "option",
    "users_select": "user",
    "channels_select": "channel",
    "conversations_select": "conversation",
    "datepicker": "date",
    "timepicker": "time",
    "datetimepicker": "date_time",
}
_MANY = {
    "multi_static_select": "options",
    "multi_external_select": "options",
    "checkboxes": "options",
    "multi_users_select": "users",
    "multi_channels_select": "channels",
    "multi_conversations_select": "conversations",
}
_WRITTEN = {"plain_text_input", "email_text_input", "url_text_input", "number_input"}
EXTERNAL = {"external_select", "multi_external_select"}


def _slots(kind: str) -> tuple[str, str] | None:
    """Return the names of an element's state value and of its initial value."""
    if kind in _WRITTEN:
        return "value", "initial_value"
    if kind == "rich_text_input":
        return "rich_text_value", "initial_value"
    if kind == "file_input":
        return "files", "initial_files"
    name = _ONE.get(kind) or _MANY.get(kind)
    return (f"selected_{name}", f"initial_{name}") if name else None


def initial_values(blocks: Iterable[Mapping[str, Any]]) -> Json:
    """Return ``state.values`` as a view opens: every stateful element with its initial value."""
    values: Json = {}
    for block in blocks:
        for _, element in elements_of(block):
            slots = _slots(str(element.get("type")))
            if slots is None:
                continue
            empty: Any = [] if element["type"] in _MANY else None
            state = {"type": element["type"], slots[0]: element.get(slots[1], empty)}
            values.setdefault(block["block_id"], {})[element["action_id"]] = state
    return values


def find_element(
    blocks: Iterable[Mapping[str, Any]], key: str
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the block and element that ``key`` names.

    A key is ``block_id.action_id``, or either of the two where that leaves one element.
    """
    every = [(block, element) for block in blocks for _, element in elements_of(block)]
    exact = [pair for pair in every if f"{pair[0]['block_id']}.{pair[1]['action_id']}" == key]
    loose = [pair for pair in every if key in (pair[0]["block_id"], pair[1]["action_id"])]
    found = exact or loose
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{block['block_id']}.{element['action_id']}" for block, element in every)
    what = "several elements are" if found else "no element is"
    raise InputRefused(f"{what} named {key!r}; there are: {known or 'none'}")


def choose(options: Sequence[Mapping[str, Any]], value: Any, field: str) -> Json:
    """Return the option with this value or text, or the only one whose text holds it."""
    wanted = value.get("value") if isinstance(value, dict) else str(value)
    exact = [o for o in options if wanted in (o["value"], o["text"]["text"])]
    near = [o for o in options if str(wanted).lower() in o["text"]["text"].lower()]
    for found in (exact, near):
        if len(found) == 1:
            return dict(found[0])
    offered = ", ".join(o["text"]["text"] for o in options)
    raise InputRefused(f"{field}: {wanted!r} is not offered; there are: {offered or 'none'}")


def _plain(value: Any) -> Any:
    """Return a date or time as Slack writes it."""
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, date):
        return value.isoformat()
    return value.strftime("%H:%M") if isinstance(value, time) else value


def _written(element: Mapping[str, Any], value: Any, field: str) -> str:
    text = str(value)
    most = element.get("max_length") or 3000
    least = element.get("min_length") or 0
    if not least <= len(text) <= most:
        raise InputRefused(f"{field}: {len(text)} characters, between {least} and {most} allowed")
    return text


def filled(
    element: Mapping[str, Any],
    value: Any,
    *,
    offered: Sequence[Mapping[str, Any]] | None = None,
) -> Json:
    """Return the state of one element holding ``value`` (None empties it).

    ``offered`` are an external select's options, as the app suggested them.
    """
    kind, field = str(element["type"]), str(element["action_id"])
    slots = _slots(kind)
    if slots is None:
        raise InputRefused(f"{field}: a {kind} holds no value")
    options = options_of(element) if offered is None else offered
    return {"type": kind, slots[0]: _held(element, value, options)}


def _held(element: Mapping[str, Any], value: Any, options: Sequence[Mapping[str, Any]]) -> Any:
    kind, field = str(element["type"]), str(element["action_id"])
    if value is None:
        return [] if kind in _MANY else None
    if kind in _WRITTEN:
        return _written(element, value, field)
    if kind in _MANY:
        items = value if isinstance(value, list | tuple) else [value]
        is_option = _MANY[kind] == "options"
        return [choose(options, item, field) if is_option else item for item in items]
    if _ONE.get(kind) == "option":
        return choose(options, value, field)
    return _plain(value)


def require_complete(blocks: Iterable[Mapping[str, Any]], values: Json) -> None:
    """Raise ``InputRefused`` naming each input that must be filled in and is not."""
    empty = []
    for block in blocks:
        if block["type"] != "input" or block.get("optional"):
            continue
        state = values.get(block["block_id"], {}).get(block["element"].get("action_id"), {})
        held = [value for name, value in state.items() if name != "type"]
        if not any(value not in (None, "", []) for value in held):
            empty.append(f"{block['block_id']} ({block['label']['text']})")
    if empty:
        raise InputRefused(f"please complete the required field: {', '.join(empty)}")
