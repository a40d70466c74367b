"""When a service counts as late, and why a workflow's work waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from topics.workflows import Trouble, WorkflowHeartbeat, WorkflowStatus

MISSED: Final = 2
"""As many intervals without a heartbeat make a service late."""


class Held(StrEnum):
    """Why a workflow's work waits."""

    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Beat:
    """The last heartbeat of a service, from whichever of its replicas, and how many came."""

    service: str
    instance: str
    names: tuple[str, ...]
    interval_seconds: float
    at: datetime
    beats: int = 1


def fold(known: Beat | None, heartbeat: WorkflowHeartbeat) -> Beat:
    """Return a service's last beat after one more; a heartbeat that is not newer changes nothing.

    So one that was published twice, as an aborted and a repeated batch do, counts once.
    """
    if known is not None and heartbeat.at <= known.at:
        return known
    return Beat(
        heartbeat.service,
        heartbeat.instance,
        heartbeat.names,
        heartbeat.interval_seconds,
        heartbeat.at,
        known.beats + 1 if known else 1,
    )


def late_since(at: datetime, interval_seconds: float, now: datetime) -> datetime | None:
    """Return since when a service is late, or ``None`` while it is not."""
    due = at + timedelta(seconds=MISSED * interval_seconds)
    return due if now > due else None


def held(status: WorkflowStatus, *, late: bool) -> Held | None:
    """Return why a workflow's work waits; what people did comes before what failed to beat."""
    if status is not WorkflowStatus.STARTED:
        return Held(status.value)
    return Held.LATE if late else None


def latest(beats: Sequence[Beat]) -> dict[str, Beat]:
    """Return the newest beat of each service."""
    return {beat.service: beat for beat in sorted(beats, key=lambda one: one.at)}


@dataclass(frozen=True, slots=True)
class Ill:
    """A workflow that failed, or a service that is late, with the workflows that stand still."""

    name: str
    trouble: Trouble
    names: tuple[str, ...]
    since: datetime
    error: str = ""
    patience: timedelta = timedelta()
    """How long it must have been seen before anybody is told.

    A supervisor that was away itself reads old heartbeats first, and the new ones a moment later.
    """


def late_one(beat: Beat, now: datetime) -> Ill | None:
    """Return a service as ill when it is late."""
    since = late_since(beat.at, beat.interval_seconds, now)
    if since is None:
        return None
    patience = timedelta(seconds=MISSED * beat.interval_seconds)
    return Ill(beat.service, Trouble.LATE, beat.names, since, patience=patience)
