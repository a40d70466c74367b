"""Settings of the budget service: it needs none beyond what every service has."""

from __future__ import annotations

from shared.settings import Settings


class BudgetSettings(Settings):
    """What the environment tells the budget service."""
