"""Settings of the events_status service: it needs none beyond what every service has."""

from __future__ import annotations

from shared.settings import Settings


class EventsStatusSettings(Settings):
    """What the environment tells the events_status service."""
