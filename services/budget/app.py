"""The budget service: what it plugs into a runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter

from services.budget import api, api_invoices, api_spending, api_tasks
from services.budget.handlers import registry
from services.budget.settings import BudgetSettings
from services.budget.workflows import WORKFLOWS
from shared.service import Service

routes = APIRouter()
for part in (api, api_spending, api_tasks, api_invoices):
    routes.include_router(part.router)

SERVICE: Final = Service(
    "budget",
    registry,
    Path(__file__).parent / "migrations",
    settings=BudgetSettings,
    workflows=WORKFLOWS,
    router=routes,
)
