"""Settings of the events_status service: how long events and their statistics are kept."""

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


def settings_of(settings: Settings) -> EventsStatusSettings:
    """Return a runtime's settings as the kind that this service runs with.

    Raises:
        TypeError: they are another's.
    """
    if isinstance(settings, EventsStatusSettings):
        return settings
    message = f"events_status runs with EventsStatusSettings, not {type(settings).__name__}"
    raise TypeError(message)
