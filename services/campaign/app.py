"""The campaign service, plugged together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter

from services.campaign import answers, api, api_calendar, api_plans, api_series, handlers, means
from services.campaign.settings import CampaignSettings
from services.campaign.workflows import WORKFLOWS
from shared.registry import Registry
from shared.service import Service

registry = Registry()
registry.include(handlers.registry)
registry.include(answers.registry)
registry.include(means.registry)

routes = APIRouter()
for part in (api, api_series, api_plans, api_calendar):
    routes.include_router(part.router)

SERVICE: Final = Service(
    "campaign",
    registry,
    Path(__file__).parent / "migrations",
    settings=CampaignSettings,
    workflows=WORKFLOWS,
    router=routes,
)
