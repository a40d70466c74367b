"""Block Kit within Slack's limits: what the screens are built of.

Text that people typed goes through :func:`bot.cutting.esc` where it stands in mrkdwn, so that it
can neither mention nor link, and through :func:`bot.cutting.typed` where it stands in plain_text,
which knows no such marks. What is sent passes :mod:`bot.limits` once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.cutting import clip, clip_marked
from bot.limits import (
    ALT_CHARS,
    BUTTON_CHARS,
    BUTTONS,
    CONFIRM_BUTTON_CHARS,
    CONFIRM_CHARS,
    CONFIRM_TITLE_CHARS,
    CONTEXT,
    FIELD_CHARS,
    FIELDS,
    HEADER_CHARS,
    INPUT_CHARS,
    LABEL_CHARS,
    MESSAGE_BLOCKS,
    MESSAGE_CHARS,
    METADATA_CHARS,
    OPTION_CHARS,
    OPTION_VALUE_CHARS,
    OPTIONS,
    PLACEHOLDER_CHARS,
    SECTION_CHARS,
    TITLE_CHARS,
    URL_CHARS,
    VALUE_CHARS,
    VIEW_BLOCKS,
    Json,
)

CHOSEN: Final = 20
"""How many a multi-select lets one choose."""


def plain(text: str, most: int) -> Json:
    """Return a plain_text object; Slack refuses an empty one."""
    return {"type": "plain_text", "text": clip(text, most) or "–", "emoji": True}


def marked(text: str, most: int) -> Json:
    """Return a mrkdwn object."""
    return {"type": "mrkdwn", "text": clip_marked(text, most) or "–"}


def header(text: str) -> Json:
    """Return a header block."""
    return {"type": "header", "text": plain(text, HEADER_CHARS)}


def section(text: str, *, accessory: Json | None = None) -> Json:
    """Return a paragraph, with a button beside it if one is given."""
    block: Json = {"type": "section", "text": marked(text, SECTION_CHARS)}
    return block | {"accessory": accessory} if accessory else block


def facts(pairs: Sequence[tuple[str, str]]) -> Json:
    """Return names and values in two columns; values are mrkdwn, escaped by the caller."""
    return {
        "type": "section",
        "fields": [marked(f"*{name}*\n{value}", FIELD_CHARS) for name, value in pairs[:FIELDS]],
    }


def context(*lines: str) -> Json:
    """Return small print, one element a line."""
    return {
        "type": "context",
        "elements": [marked(line, SECTION_CHARS) for line in lines[:CONTEXT]],
    }


def slack_image(file_id: str, alt: str) -> Json:
    """Return a picture that Slack has as a file."""
    return {
        "type": "image",
        "slack_file": {"id": file_id},
        "alt_text": clip(alt, ALT_CHARS) or "–",
    }


def divider() -> Json:
    """Return a line."""
    return {"type": "divider"}


def button(text: str, action_id: str, value: str, *, style: str | None = None) -> Json:
    """Return a button; a value that Slack would refuse is a mistake of the caller."""
    if not 1 <= len(value) <= VALUE_CHARS:
        message = f"{action_id}: a button's value has {len(value)} characters"
        raise ValueError(message)
    element: Json = {
        "type": "button",
        "text": plain(text, BUTTON_CHARS),
        "action_id": action_id,
        "value": value,
    }
    return element | {"style": style} if style else element


def link(text: str, action_id: str, url: str) -> Json:
    """Return a button that opens a page."""
    element = {"type": "button", "text": plain(text, BUTTON_CHARS), "action_id": action_id}
    return element | {"url": url[:URL_CHARS]}


def actions(block_id: str, elements: Sequence[Json]) -> Json:
    """Return a row of buttons."""
    return {"type": "actions", "block_id": block_id, "elements": list(elements[:BUTTONS])}


def option(text: str, value: str) -> Json:
    """Return one choice of a select."""
    return {"text": plain(text, OPTION_CHARS), "value": value[:OPTION_VALUE_CHARS]}


def select(
    action_id: str, placeholder: str, options: Sequence[Json], chosen: Json | None = None
) -> Json:
    """Return a select with its options; ``chosen`` is one of them."""
    element: Json = {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain(placeholder, PLACEHOLDER_CHARS),
        "options": list(options[:OPTIONS]),
    }
    return element | {"initial_option": chosen} if chosen else element


def confirmed(element: Json, *, title: str, text: str, yes: str, no: str) -> Json:
    """Return a button that asks first; Slack's limits for these are short."""
    asked = {
        "title": plain(title, CONFIRM_TITLE_CHARS),
        "text": marked(text, CONFIRM_CHARS),
        "confirm": plain(yes, CONFIRM_BUTTON_CHARS),
        "deny": plain(no, CONFIRM_BUTTON_CHARS),
    }
    return element | {"confirm": asked}


def field(
    name: str,
    label: str,
    element: Json,
    *,
    optional: bool = True,
    hint: str | None = None,
    told: bool = False,
) -> Json:
    """Return an input block; block and action share the name. ``told``: each choice is sent."""
    block: Json = {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": plain(label, LABEL_CHARS),
        "element": element | {"action_id": name},
    }
    if told:
        block["dispatch_action"] = True
    return block | {"hint": plain(hint, LABEL_CHARS)} if hint else block


def text_input(most: int, *, multiline: bool = False, initial: str = "") -> Json:
    """Return a text field that Slack keeps to ``most`` characters (3,000 at the highest)."""
    element: Json = {
        "type": "plain_text_input",
        "max_length": min(most, INPUT_CHARS),
        "multiline": multiline,
    }
    return element | {"initial_value": clip(initial, most)} if initial else element


def chooser(placeholder: str, *, many: bool = False) -> Json:
    """Return a select whose options the bot offers while somebody types."""
    element: Json = {
        "type": "multi_external_select" if many else "external_select",
        "placeholder": plain(placeholder, PLACEHOLDER_CHARS),
        "min_query_length": 0,
    }
    if many:
        element["max_selected_items"] = CHOSEN
    return element


def user_chooser(user: str = "") -> Json:
    """Return a select of the workspace's people; ``user`` is chosen first."""
    element: Json = {"type": "users_select"}
    return element | {"initial_user": user} if user else element


def modal(
    callback_id: str,
    title: str,
    blocks: Sequence[Json],
    *,
    submit: str,
    close: str,
    metadata: str = "",
    external_id: str = "",
) -> Json:
    """Return a modal view; ``external_id`` lets it be changed later without its view id."""
    if len(metadata) > METADATA_CHARS:
        message = f"{callback_id}: the metadata has {len(metadata)} characters"
        raise ValueError(message)
    view: Json = {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title, TITLE_CHARS),
        "submit": plain(submit, TITLE_CHARS),
        "close": plain(close, TITLE_CHARS),
        "private_metadata": metadata,
        "blocks": list(blocks[:VIEW_BLOCKS]),
    }
    return view | {"external_id": external_id} if external_id else view


def home(blocks: Sequence[Json]) -> Json:
    """Return a Home tab."""
    return {"type": "home", "blocks": list(blocks[:VIEW_BLOCKS])}


def content(text: str, blocks: Sequence[Json] = ()) -> Json:
    """Return what a message says; the text stands in notifications and where blocks do not."""
    return {"text": clip_marked(text, MESSAGE_CHARS), "blocks": list(blocks[:MESSAGE_BLOCKS])}
