"""The events_status service: what it plugs into a runtime, and its second consumer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter

from services.events_status import (
    api,
    api_archive,
    api_levels,
    api_rules,
    api_templates,
    threshold_handlers,
)
from services.events_status.archive import incoming
from services.events_status.enrichment.enriching import enrich_events
from services.events_status.handlers import batch_registry, registry
from services.events_status.settings import EventsStatusSettings
from services.events_status.views import watch_levels
from services.events_status.workflows import WORKFLOWS
from shared.service import Service

routes = APIRouter()
for part in (api, api_archive, api_levels, api_rules, api_templates):
    routes.include_router(part.router)

for more in (incoming, threshold_handlers):
    registry.include(more.registry)
SERVICE: Final = Service(
    "events_status",
    registry,
    Path(__file__).parent / "migrations",
    settings=EventsStatusSettings,
    workflows=WORKFLOWS,
    router=routes,
    consumers={"events_status_batch": batch_registry},
    tasks=(watch_levels, enrich_events),
)
