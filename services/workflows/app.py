"""The workflows service: what it plugs into a runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.workflows.api import router
from services.workflows.handlers import registry
from services.workflows.settings import WorkflowsSettings
from services.workflows.supervising import keep_supervising
from services.workflows.views import watch_heartbeats
from shared.service import Service

SERVICE: Final = Service(
    "workflows",
    registry,
    Path(__file__).parent / "migrations",
    settings=WorkflowsSettings,
    router=router,
    tasks=(watch_heartbeats, keep_supervising),
)
