"""What the budget service does with each message, by noun."""

from __future__ import annotations

from typing import Final

from services.budget.handlers import (
    budgets,
    campaigns,
    decisions,
    estimates,
    expenses,
    goods,
    holds,
    invoices,
    tasks,
)
from shared.registry import Registry

registry: Final = Registry()
for noun in (budgets, estimates, holds, decisions, goods, campaigns, expenses, tasks, invoices):
    registry.include(noun.registry)
