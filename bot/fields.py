"""The fields of a form: what a view's state holds of them, and what they start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, time
from typing import Any, Final
from uuid import UUID

from bot.blocks import option
from bot.cutting import typed
from bot.limits import Json

_INITIAL: Final = {
    "value": "initial_value",
    "selected_option": "initial_option",
    "selected_options": "initial_options",
    "selected_date": "initial_date",
    "selected_time": "initial_time",
}


class Values:
    """A view's state, by field."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def _of(self, name: str) -> Json:
        found: Json = (self._values.get(name) or {}).get(name) or {}
        return found

    def text(self, name: str) -> str | None:
        """Return what was typed, trimmed; ``None`` when that is nothing."""
        return (self._of(name).get("value") or "").strip() or None

    def day(self, name: str) -> date | None:
        """Return a date picked."""
        found = self._of(name).get("selected_date")
        return date.fromisoformat(found) if found else None

    def clock(self, name: str) -> time | None:
        """Return a time picked."""
        found = self._of(name).get("selected_time")
        return time.fromisoformat(found) if found else None

    def one(self, name: str) -> UUID | None:
        """Return the id chosen in a select."""
        found = self._of(name).get("selected_option")
        return UUID(found["value"]) if found else None

    def user(self, name: str) -> str | None:
        """Return the Slack account chosen."""
        return self._of(name).get("selected_user")

    def many(self, name: str) -> list[str]:
        """Return the values chosen in a multi-select or ticked."""
        return [one["value"] for one in self._of(name).get("selected_options") or ()]


def offered(choices: Iterable[tuple[str, str]]) -> list[Json]:
    """Return a select's options from (id, label) pairs."""
    return [option(typed(label), value) for value, label in choices]


def state_of_text(name: str, text: str) -> Json:
    """Return the state of a text field that holds a text."""
    return {name: {name: {"type": "plain_text_input", "value": text}}}


def state_of_choice(name: str, options: list[Json], *, many: bool) -> Json:
    """Return the state of a select whose options are chosen."""
    state: Json = {"type": "external_select", "selected_option": options[0]}
    if many:
        state = {"type": "multi_external_select", "selected_options": options}
    return {name: {name: state}}


def starting(element: Json, name: str, values: Mapping[str, Any]) -> Json:
    """Return an element that starts from the state of its field."""
    state = (values.get(name) or {}).get(name) or {}
    initial = {_INITIAL[held]: value for held, value in state.items() if value and held in _INITIAL}
    return element | initial
