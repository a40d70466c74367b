"""The events_status service: what it plugs into a runtime, and its second consumer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.events_status.api import router
from services.events_status.handlers import batch_registry, registry
from services.events_status.settings import EventsStatusSettings
from services.events_status.workflows import WORKFLOWS
from shared.service import Service

SERVICE: Final = Service(
    "events_status",
    registry,
    Path(__file__).parent / "migrations",
    settings=EventsStatusSettings,
    workflows=WORKFLOWS,
    router=router,
    consumers={"events_status_batch": batch_registry},
)
