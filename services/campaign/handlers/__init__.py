"""What the campaign service does with each command, by noun."""

from __future__ import annotations

from typing import Final

from services.campaign.handlers import campaigns, plans, schedules
from shared.registry import Registry

registry: Final = Registry()
for noun in (campaigns, schedules, plans):
    registry.include(noun.registry)
