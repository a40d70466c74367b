"""What is sent to the app: one payload, its kind, and the way it goes."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from deploy.embedded.slack.wire import Ack, Forgery, Json, Wire

UNACKED = "not acknowledged in time"
NOT_CONNECTED = "the app is not connected"


@dataclass(slots=True)
class Patience:
    """How long Slack waits for an ack, and after which pauses it sends again (none: never)."""

    ack_seconds: float = 3.0
    redelivery_seconds: tuple[float, ...] = ()


class Kind(StrEnum):
    """Slack's kinds of payload, as Socket Mode envelopes name them."""

    SLASH = "slash_commands"
    INTERACTIVE = "interactive"
    EVENT = "events_api"


class Delivery(Wire):
    """One payload on its way; ``id`` stays the same when it is sent again."""

    id: str
    kind: Kind
    payload: Json
    accepts_response: bool = False
    attempt: int = 0
    reason: str | None = None


class Route(Protocol):
    """A way to the app."""

    async def send(self, delivery: Delivery, *, forgery: Forgery | None = None) -> Ack:
        """Send once and return what came back within the time Slack waits."""
        ...


Written = Callable[..., None]
"""Writes one line of the transcript."""
