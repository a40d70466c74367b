"""Settings of the workflows service: it needs none beyond what every service has."""

from __future__ import annotations

from shared.settings import Settings


class WorkflowsSettings(Settings):
    """What the environment tells the workflows service."""
