"""The heartbeat watch: a stream view over what every service's workflow engine sends.

A beat of a batch that was aborted and sent again is a sign of life all the same, and counts once,
by its time.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from weakref import WeakKeyDictionary

from services.workflows.beats import BeatStore
from services.workflows.domain import Beat, fold
from shared.live_views import LiveTable, LiveView, keep_running
from shared.service import Runtime
from topics.cloudevents import Malformed, decode_envelope, decode_message
from topics.names import HEARTBEATS, HEARTBEATS_CHANGELOG
from topics.workflows import WorkflowHeartbeat


class HeartbeatWatch(LiveTable):
    """What the view knows now; empty while it is not running."""

    def beats(self) -> list[Beat]:
        """Return the last beat of each service whose partition this replica reads."""
        return [_from_table(value) for _, value in self.items()]


_WATCHES: WeakKeyDictionary[Runtime, HeartbeatWatch] = WeakKeyDictionary()


def watch_of(runtime: Runtime) -> HeartbeatWatch:
    """Return the watch of a running service."""
    return _WATCHES.setdefault(runtime, HeartbeatWatch())


def put(table: Any, message: Any) -> None:
    """Put one record of the heartbeat topic into the table."""
    heartbeat = _heartbeat(message)
    if heartbeat is None:
        return
    known = table.get(heartbeat.service)
    beat = fold(_from_table(known) if known else None, heartbeat)
    table[heartbeat.service] = asdict(beat) | {"at": beat.at.isoformat()}


VIEW: Final = LiveView("heartbeats", HEARTBEATS, HEARTBEATS_CHANGELOG, "heartbeats", put)


def _heartbeat(message: Any) -> WorkflowHeartbeat | None:
    try:
        found = decode_message(decode_envelope(message.headers or (), message.value))
    except Malformed:
        return None  # the transactional consumer puts it into the dead letters
    return found if isinstance(found, WorkflowHeartbeat) else None


def _from_table(value: dict[str, Any]) -> Beat:
    return Beat(
        value["service"],
        value["instance"],
        tuple(value["names"]),
        value["interval_seconds"],
        datetime.fromisoformat(value["at"]),
        value["beats"],
    )


async def watch_heartbeats(runtime: Runtime, stop: asyncio.Event) -> None:
    """Keep the view running until ``stop`` is set, and write what it shows."""
    watch = watch_of(runtime)

    async def show() -> None:
        async with runtime.uow.begin() as work:
            await BeatStore(work.connection).show(watch.beats(), work.now)

    await keep_running(runtime, VIEW, watch, show, stop)
