"""Settings of the stock service: it needs none beyond what every service has."""

from __future__ import annotations

from shared.settings import Settings


class StockSettings(Settings):
    """What the environment tells the stock service."""
