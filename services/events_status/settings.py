"""Settings of the events_status service: how long events are kept, how often they are tried."""

from __future__ import annotations

from pydantic import Field

from shared.settings import Settings


class EventsStatusSettings(Settings):
    """What the environment tells the events_status service."""

    events_retention_days: int = Field(
        default=31,
        ge=8,
        le=3660,
        description="events go so long after their last change; over the intake topics' week",
    )
    events_archive_retention_days: int = Field(
        default=366, ge=31, le=36_600, description="archived events go so long after their change"
    )
    statistics_retention_days: int = Field(
        default=366, ge=31, le=36_600, description="statistics of events go after so long"
    )
    events_max_tries: int = Field(
        default=10, ge=1, le=100, description="an event that failed so often expires"
    )
    events_retry_base_seconds: float = Field(
        default=10.0,
        ge=0.1,
        le=3600,
        description="an event that failed is tried again after so long, then doubling, to an hour",
    )
    events_max_queue_hours: float | None = Field(
        default=None,
        gt=0,
        le=24 * 366,
        description="an event not processed so long after it was due expires; else by retention",
    )
    events_enrichment_url: str | None = Field(
        default=None, description="the service that enriches events of types with that rule"
    )


def settings_of(settings: Settings) -> EventsStatusSettings:
    """Return a runtime's settings as the kind that this service runs with.

    Raises:
        TypeError: they are another's.
    """
    if isinstance(settings, EventsStatusSettings):
        return settings
    message = f"events_status runs with EventsStatusSettings, not {type(settings).__name__}"
    raise TypeError(message)
