"""Message Center's protections, and how each is switched off: in child processes of red controls.

A check that stays green without the protection it stands for proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from services.events_status import domain
from services.events_status.archive import logs
from services.events_status.domain import Received
from services.web.events.keys import EventKeys, Held, Scope, State
from shared import inbox
from shared.ids import new_id
from shared.registry import Intake, Registry
from shared.relay import Relay
from topics.events import EventStatus


def _keys_forgotten() -> None:
    """A key says nothing: each call makes ids of its own."""

    async def begin(self: EventKeys, scope: Scope, bodies: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG001 - the method's names
        return {key: Held(State.MINE, new_id()) for key in bodies}

    EventKeys.begin = begin  # type: ignore[method-assign]  # in a child process only


def _identities_forgotten() -> None:
    """Neither the inbox nor an event's own identity says that it came before."""
    take = inbox.take

    async def all_fresh(
        connection: Any, consumer: str, identities: Iterable[tuple[str, str]], keys: Iterable[str]
    ) -> inbox.Taken:
        wanted = list(identities)
        found = await take(connection, consumer, wanted, keys)
        return inbox.Taken(set(wanted), found.parked_keys)

    inbox.take = all_fresh
    intake = Registry.intake

    def intake_of(self: Registry, topic: str) -> Intake | None:
        found = intake(self, topic)
        return replace(found, read=_as_if_new(found.read)) if found else None

    Registry.intake = intake_of  # type: ignore[method-assign]  # in a child process only


def _as_if_new(read: Callable[[Any], Received]) -> Callable[[Any], Received]:
    def read_new(envelope: Any) -> Received:
        return replace(read(envelope), event_id=uuid4(), ce_id=str(uuid4()))

    return read_new


def _any_status_follows() -> None:
    """What the delivery says last is what counts, whatever was said before."""
    allowed = domain.ALLOWED
    for status in (EventStatus.DELIVERY_ERROR, EventStatus.SENT):
        allowed[status] = frozenset({EventStatus.SENT, EventStatus.DELIVERY_ERROR})


def _order_forgotten() -> None:
    """What was emitted last is published first."""
    publish = Relay._publish

    async def backwards(self: Relay, producer: Any, epoch: int, rows: Sequence[Any]) -> None:
        await publish(self, producer, epoch, list(reversed(rows)))

    Relay._publish = backwards  # type: ignore[method-assign]  # in a child process only


def _outcomes_left_out() -> None:
    """An outcome that changes no status is not brought into the archive."""

    logs._AGAIN = "SELECT $1::uuid[]"  # type: ignore[misc]  # in a child process only


WITHOUT: Final[dict[str, Callable[[], None]]] = {
    "keys written before Kafka is asked": _keys_forgotten,
    "an event's identity": _identities_forgotten,
    "no status after an end": _any_status_follows,
    "published in the order of commits": _order_forgotten,
    "outcomes archived again": _outcomes_left_out,
}
