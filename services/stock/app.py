"""The stock service: what it plugs into a runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.stock.api import router
from services.stock.handlers import registry
from services.stock.settings import StockSettings
from services.stock.workflows import WORKFLOWS
from shared.service import Service

SERVICE: Final = Service(
    "stock",
    registry,
    Path(__file__).parent / "migrations",
    settings=StockSettings,
    workflows=WORKFLOWS,
    router=router,
)
