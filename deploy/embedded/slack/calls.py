"""One Web API call: its arguments however they were encoded, and Slack's refusals."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.embedded.slack.state import State
from deploy.embedded.slack.wire import Json

TRIGGER_SECONDS = 3.0


class Refused(Exception):
    """Slack answers ``ok: false`` with this error code and these further fields."""

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra: Json = extra

    def answer(self) -> Json:
        """Return the body of the refusal."""
        return {"ok": False, "error": self.error, **self.extra}


def refused_arguments(*faults: str) -> Refused:
    """Return ``invalid_arguments`` with its messages."""
    messages = [f"[ERROR] {fault}" for fault in faults]
    return Refused("invalid_arguments", response_metadata={"messages": messages})


def refused_blocks(faults: list[str]) -> Refused:
    """Return ``invalid_blocks`` with each fault as the message methods list them."""
    messages = [f"[ERROR] {fault}" for fault in faults]
    return Refused("invalid_blocks", errors=faults, response_metadata={"messages": messages})


class Args:
    """The arguments of a call; forms and queries carry text, JSON bodies carry values."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = {name: value for name, value in given.items() if value is not None}

    def has(self, name: str) -> bool:
        """Tell whether the argument was given at all."""
        return name in self.given

    def text(self, name: str, default: str = "") -> str:
        """Return an argument as text."""
        value = self.given.get(name, default)
        if isinstance(value, list):
            return ",".join(str(item) for item in value)
        return str(value)

    def need(self, name: str) -> str:
        """Return an argument that must be there and not empty."""
        value = self.text(name)
        if not value:
            raise refused_arguments(f"missing required field: {name}")
        return value

    def flag(self, name: str) -> bool:
        """Return a true-or-false argument in any of the forms Slack takes."""
        return self.given.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int) -> int:
        """Return a whole number; refuse what is not one."""
        try:
            return int(self.given.get(name, default))
        except (TypeError, ValueError):
            raise refused_arguments(f"must provide an integer [json-pointer:/{name}]") from None

    def decoded(self, name: str, *, error: str) -> Any:
        """Return an argument that forms carry as JSON; refuse with ``error`` if it is not."""
        value = self.given.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise Refused(error) from None


@dataclass(slots=True)
class _Trigger:
    user: str
    issued_at: float
    used: bool = False


@dataclass(slots=True)
class Triggers:
    """Trigger ids: each opens one view, within three seconds of the click it came from."""

    make_id: Callable[[str], str]
    seconds: float = TRIGGER_SECONDS
    monotonic: Callable[[], float] = time.monotonic
    issued: dict[str, _Trigger] = field(default_factory=dict)

    def issue(self, user: str) -> str:
        """Return a new trigger id for something this user did."""
        trigger_id = f"{len(self.issued) + 1}.{int(self.monotonic() * 1000)}.{self.make_id('')}"
        self.issued[trigger_id] = _Trigger(user, self.monotonic())
        return trigger_id

    def take(self, trigger_id: str) -> str:
        """Return the user behind a trigger id and use it up; refuse a bad, used or old one."""
        trigger = self.issued.get(trigger_id)
        if trigger is None:
            raise Refused("invalid_trigger_id")
        if trigger.used:
            raise Refused("exchanged_trigger_id")
        if self.monotonic() - trigger.issued_at > self.seconds:
            raise Refused("expired_trigger_id")
        trigger.used = True
        return trigger.user


@dataclass(frozen=True, slots=True)
class Context:
    """What a Web API method works on; ``url`` is where the stub answers, without ``/api/``."""

    state: State
    triggers: Triggers
    url: str


Method = Callable[[Context, Args], Json]
