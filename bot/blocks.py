"""Block Kit within Slack's limits: every text is cut and escaped here, nowhere else.

The numbers are Slack's published limits. Text that people typed goes through :func:`esc` where it
stands in mrkdwn, so that it can neither mention nor link; plain_text knows no such marks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]

MESSAGE_BLOCKS: Final = 50
VIEW_BLOCKS: Final = 100
SECTION_CHARS: Final = 3000
FIELD_CHARS: Final = 2000
HEADER_CHARS: Final = 150
TITLE_CHARS: Final = 24
BUTTON_CHARS: Final = 75
VALUE_CHARS: Final = 2000
OPTION_CHARS: Final = 75
OPTION_VALUE_CHARS: Final = 150
OPTIONS: Final = 100
PLACEHOLDER_CHARS: Final = 150
LABEL_CHARS: Final = 2000
ERROR_CHARS: Final = 300
METADATA_CHARS: Final = 3000
MESSAGE_CHARS: Final = 3900
FIELDS: Final = 10
BUTTONS: Final = 25
WORDS_CHARS: Final = 300
"""What one label or reason may take of a message, so that the rest has room."""

_BROKEN_END: Final = re.compile(r"(&[a-z]{0,4}|<[^>]*)$")


def clip(text: str, most: int) -> str:
    """Return the text, cut to ``most`` characters with … where it is longer."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def clip_marked(text: str, most: int) -> str:
    """Cut mrkdwn without leaving half an entity or half a mention at the end."""
    if len(text) <= most:
        return text
    return _BROKEN_END.sub("", text[: most - 1]).rstrip() + "…"


def esc(text: str, most: int = WORDS_CHARS) -> str:
    """Return somebody's text for mrkdwn: cut, and with ``&``, ``<`` and ``>`` escaped."""
    short = clip(" ".join(text.split()), most)
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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
    return {"type": "context", "elements": [marked(line, SECTION_CHARS) for line in lines[:10]]}


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
    return element | {"url": url[:SECTION_CHARS]}


def actions(block_id: str, elements: Sequence[Json]) -> Json:
    """Return a row of buttons."""
    return {"type": "actions", "block_id": block_id, "elements": list(elements[:BUTTONS])}


def option(text: str, value: str) -> Json:
    """Return one choice of a select."""
    return {"text": plain(text, OPTION_CHARS), "value": value[:OPTION_VALUE_CHARS]}


def field(
    name: str, label: str, element: Json, *, optional: bool = True, hint: str | None = None
) -> Json:
    """Return an input block; block and action share the name."""
    block: Json = {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": plain(label, LABEL_CHARS),
        "element": element | {"action_id": name},
    }
    return block | {"hint": plain(hint, LABEL_CHARS)} if hint else block


def text_input(most: int, *, multiline: bool = False) -> Json:
    """Return a text field that Slack keeps to ``most`` characters (3,000 at the highest)."""
    return {"type": "plain_text_input", "max_length": min(most, 3000), "multiline": multiline}


def chooser(placeholder: str, *, many: bool = False) -> Json:
    """Return a select whose options the bot offers while somebody types."""
    element: Json = {
        "type": "multi_external_select" if many else "external_select",
        "placeholder": plain(placeholder, PLACEHOLDER_CHARS),
        "min_query_length": 0,
    }
    return element | {"max_selected_items": 20} if many else element


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


def content(text: str, blocks: Sequence[Json] = ()) -> Json:
    """Return what a message says; the text stands in notifications and where blocks do not."""
    return {"text": clip_marked(text, MESSAGE_CHARS), "blocks": list(blocks[:MESSAGE_BLOCKS])}
