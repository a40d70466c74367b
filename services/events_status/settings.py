"""Settings of the events_status service: how long events are kept, how often they are tried."""

from __future__ import annotations

from datetime import timedelta
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

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
    events_enrichment_secret: SecretStr | None = Field(
        default=None,
        min_length=24,
        description="at least 24 characters; signs the calls of the enrichment service",
    )
    events_enrichment_seconds: float = Field(
        default=5.0, ge=0.1, le=60, description="how long one of its calls may take"
    )
    events_enrichment_batch: int = Field(
        default=50, ge=1, le=500, description="how many events it is asked about at once"
    )
    events_enrichment_connections: int = Field(
        default=2, ge=1, le=8, description="how many of its calls a process makes at once"
    )

    @property
    def longest_wait(self) -> timedelta | None:
        """How long an event may wait in its queue from when it was due, if that is limited."""
        hours = self.events_max_queue_hours
        return None if hours is None else timedelta(hours=hours)

    @field_validator("events_enrichment_url")
    @classmethod
    def _guarded(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "")
        inside = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
        if url is not None and (not parts.hostname or not (parts.scheme == "https" or inside)):
            message = "is no https URL (http is for this machine only)"
            raise ValueError(message)
        return url

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.events_enrichment_url is not None and self.events_enrichment_secret is None:
            message = "EVENTS_ENRICHMENT_SECRET: is needed with EVENTS_ENRICHMENT_URL"
            raise ValueError(message)
        return self


def settings_of(settings: Settings) -> EventsStatusSettings:
    """Return a runtime's settings as the kind that this service runs with.

    Raises:
        TypeError: they are another's.
    """
    if isinstance(settings, EventsStatusSettings):
        return settings
    message = f"events_status runs with EventsStatusSettings, not {type(settings).__name__}"
    raise TypeError(message)
