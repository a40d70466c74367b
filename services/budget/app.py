"""The budget service: what it plugs into a runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.budget.api import router
from services.budget.handlers import registry
from services.budget.settings import BudgetSettings
from services.budget.workflows import WORKFLOWS
from shared.service import Service

SERVICE: Final = Service(
    "budget",
    registry,
    Path(__file__).parent / "migrations",
    settings=BudgetSettings,
    workflows=WORKFLOWS,
    router=router,
)
