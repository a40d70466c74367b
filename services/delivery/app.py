"""The delivery service, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.delivery.api import router
from services.delivery.handlers import registry
from services.delivery.progress import run_progress
from services.delivery.sender import run_sender
from services.delivery.settings import DeliverySettings
from services.delivery.workflows import WORKFLOWS
from shared.service import Service

SERVICE: Final = Service(
    "delivery",
    registry,
    Path(__file__).parent / "migrations",
    settings=DeliverySettings,
    workflows=WORKFLOWS,
    router=router,
    tasks=(run_sender, run_progress),
)
