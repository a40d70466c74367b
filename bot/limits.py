"""Slack's limits in one table, and the last gate: what is sent is cut to them, whatever made it.

The numbers are those of Slack's reference of blocks, block elements, composition objects and views.
Slack does not say what it counts as a character; here it is a UTF-16 unit, the greater count (an
emoji is two). The screens cut what people typed with care; what is over a limit here is a mistake
of a screen, so it is mended, named in the log, and the message still goes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from bot.cutting import clip, clip_marked, size
from shared.logs import logger

log = logger(__name__)

Json: TypeAlias = dict[str, Any]

MESSAGE_BLOCKS: Final = 50
VIEW_BLOCKS: Final = 100
MESSAGE_CHARS: Final = 3900
"""Slack cuts at 40,000 and asks for 4,000 at most."""
ERROR_CHARS: Final = 300
"""No published limit; a longer error under a field of a modal is not read."""
SECTION_CHARS: Final = 3000
FIELD_CHARS: Final = 2000
HEADER_CHARS: Final = 150
TITLE_CHARS: Final = 24
BUTTON_CHARS: Final = 75
VALUE_CHARS: Final = 2000
OPTION_CHARS: Final = 75
OPTION_VALUE_CHARS: Final = 150
PLACEHOLDER_CHARS: Final = 150
LABEL_CHARS: Final = 2000
ALT_CHARS: Final = 2000
URL_CHARS: Final = 3000
ID_CHARS: Final = 255
METADATA_CHARS: Final = 3000
INPUT_CHARS: Final = 3000
CONFIRM_TITLE_CHARS: Final = 100
CONFIRM_CHARS: Final = 300
CONFIRM_BUTTON_CHARS: Final = 30
OPTIONS: Final = 100
FIELDS: Final = 10
BUTTONS: Final = 25
CONTEXT: Final = 10

TEXTS: Final[dict[tuple[str, str], int]] = {
    ("message", "text"): MESSAGE_CHARS,
    ("section", "text"): SECTION_CHARS,
    ("section", "fields"): FIELD_CHARS,
    ("header", "text"): HEADER_CHARS,
    ("context", "elements"): SECTION_CHARS,
    ("image", "title"): LABEL_CHARS,
    ("image", "alt_text"): ALT_CHARS,
    ("input", "label"): LABEL_CHARS,
    ("input", "hint"): LABEL_CHARS,
    ("button", "text"): BUTTON_CHARS,
    ("button", "accessibility_label"): BUTTON_CHARS,
    ("option", "text"): OPTION_CHARS,
    ("option", "description"): OPTION_CHARS,
    ("option_group", "label"): OPTION_CHARS,
    ("confirm", "title"): CONFIRM_TITLE_CHARS,
    ("confirm", "text"): CONFIRM_CHARS,
    ("confirm", "confirm"): CONFIRM_BUTTON_CHARS,
    ("confirm", "deny"): CONFIRM_BUTTON_CHARS,
    ("modal", "title"): TITLE_CHARS,
    ("modal", "submit"): TITLE_CHARS,
    ("modal", "close"): TITLE_CHARS,
    ("*", "placeholder"): PLACEHOLDER_CHARS,
    ("*", "initial_value"): INPUT_CHARS,
}
"""Longest text, by what holds it and its field; a longer one is cut with an ellipsis."""
ITEMS: Final[dict[tuple[str, str], int]] = {
    ("section", "fields"): FIELDS,
    ("context", "elements"): CONTEXT,
    ("actions", "elements"): BUTTONS,
    ("overflow", "options"): 5,
    ("checkboxes", "options"): 10,
    ("radio_buttons", "options"): 10,
    ("*", "options"): OPTIONS,
    ("*", "option_groups"): OPTIONS,
    ("home", "blocks"): VIEW_BLOCKS,
    ("modal", "blocks"): VIEW_BLOCKS,
    ("message", "blocks"): MESSAGE_BLOCKS,
}
"""Most items of a list, by what holds it and its field; the rest is left out."""
EXACT: Final[dict[tuple[str, str], int]] = {
    ("*", "action_id"): ID_CHARS,
    ("*", "block_id"): ID_CHARS,
    ("button", "value"): VALUE_CHARS,
    ("option", "value"): OPTION_VALUE_CHARS,
    ("button", "url"): URL_CHARS,
    ("image", "image_url"): URL_CHARS,
    ("*", "private_metadata"): METADATA_CHARS,
    ("*", "callback_id"): ID_CHARS,
    ("*", "external_id"): ID_CHARS,
}
"""Longest of what cannot be cut, for it would mean something else: its holder is left out."""

_KINDS: Final = {
    "options": "option",
    "initial_options": "option",
    "initial_option": "option",
    "option_groups": "option_group",
    "confirm": "confirm",
}
_TEXT_OBJECTS: Final = frozenset({"plain_text", "mrkdwn"})
_MARKED: Final = frozenset({("message", "text")})
_PINGS: Final = re.compile(r"<!(?=channel|here|everyone|subteam)", re.IGNORECASE)


def limit(table: dict[tuple[str, str], int], kind: str, field: str) -> int | None:
    """Return a limit of a table, that of any kind where the kind has none of its own."""
    return table.get((kind, field), table.get(("*", field)))


class _Gate:
    """Mends one payload and notes what it mended."""

    def __init__(self) -> None:
        self.mended: list[str] = []

    def whole(self, given: Json, kind: str) -> Json:
        """Return an object within the limits of its kind; a button beside a text may go."""
        return {
            name: self._value(kind, name, value)
            for name, value in given.items()
            if name != "accessory" or not self._unusable(name, value)
        }

    def _value(self, kind: str, field: str, value: Any) -> Any:
        most = limit(TEXTS, kind, field)
        where = f"{kind}.{field}"
        if isinstance(value, str):
            return self._text(value, most, where, is_marked=(kind, field) in _MARKED)
        if isinstance(value, list):
            return self._items(kind, field, value)
        if not isinstance(value, dict):
            return value
        if value.get("type") in _TEXT_OBJECTS:
            return self._text_object(value, most, where)
        return self.whole(value, _kind(field, value))

    def _items(self, kind: str, field: str, values: list[Any]) -> list[Any]:
        kept = [one for one in values if not self._unusable(field, one)]
        most = limit(ITEMS, kind, field)
        if most is not None and len(kept) > most:
            self.mended.append(f"{kind}.{field}: {len(kept)} of {most}")
            kept = kept[:most]
        fitted = [self._value(kind, field, one) for one in kept]
        # A row whose buttons are all gone would be refused.
        return [one for one in fitted if not isinstance(one, dict) or one.get("elements") != []]

    def _unusable(self, field: str, value: Any) -> bool:
        """Whether something in an object is too long and cannot be cut."""
        found = list(_too_long(value, field)) if isinstance(value, dict) else []
        self.mended += found
        return bool(found)

    def _text_object(self, given: Json, most: int | None, where: str) -> Json:
        is_marked = given["type"] == "mrkdwn"
        return given | {"text": self._text(str(given["text"]), most, where, is_marked=is_marked)}

    def _text(self, text: str, most: int | None, where: str, *, is_marked: bool) -> str:
        if is_marked:
            # Nothing this product says is for a whole channel: such a mark came out of a label.
            quiet = _PINGS.sub("&lt;!", text)
            if quiet != text:
                self.mended.append(f"{where}: a mention of a whole channel")
            text = quiet
        if most is not None and size(text) > most:
            self.mended.append(f"{where}: {size(text)} of {most}")
            text = clip_marked(text, most) if is_marked else clip(text, most)
        return text or ("–" if most else "")

    def say_what_was_mended(self) -> None:
        """Name in the log the limits that a screen did not keep; never the texts."""
        if self.mended:
            log.warning("slack.over_limit", mended=self.mended[:10])


def _kind(field: str, value: Json) -> str:
    """Return what an object is: its type, or by the field that holds it where it has none."""
    return _KINDS.get(field) or str(value.get("type", field))


def _too_long(given: Json, field: str) -> Iterator[str]:
    kind = _kind(field, given)
    for name, value in given.items():
        most = limit(EXACT, kind, name)
        if most is not None and isinstance(value, str) and size(value) > most:
            yield f"{kind}.{name}: {size(value)} of {most}"
        elif name == "element" and isinstance(value, dict):
            yield from _too_long(value, name)


def fitted_message(content: Json) -> Json:
    """Return a message's text and blocks as Slack takes them."""
    gate = _Gate()
    fitted = gate.whole(content, "message")
    gate.say_what_was_mended()
    return fitted


def fitted_view(view: Json) -> Json:
    """Return a modal or Home view as Slack takes it."""
    gate = _Gate()
    fitted = gate.whole(view, str(view["type"]))
    gate.say_what_was_mended()
    return fitted


def fitted_options(options: list[Json]) -> list[Json]:
    """Return what a select offers as Slack takes it."""
    gate = _Gate()
    fitted: list[Json] = gate.whole({"options": options}, "external_select")["options"]
    gate.say_what_was_mended()
    return fitted


def fitted_errors(errors: dict[str, str]) -> dict[str, str]:
    """Return a modal's errors by field, each short enough to be read."""
    return {field: clip(text, ERROR_CHARS) for field, text in errors.items()}
