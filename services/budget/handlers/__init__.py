"""What the budget service does with each message, by noun."""

from __future__ import annotations

from typing import Final

from services.budget.handlers import budgets, holds
from shared.registry import Registry

registry: Final = Registry()
for noun in (budgets, holds):
    registry.include(noun.registry)
