"""The campaign service, plugged together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.campaign import answers, handlers
from services.campaign.api import router
from services.campaign.settings import CampaignSettings
from services.campaign.workflows import WORKFLOWS
from shared.registry import Registry
from shared.service import Service

registry = Registry()
registry.include(handlers.registry)
registry.include(answers.registry)

SERVICE: Final = Service(
    "campaign",
    registry,
    Path(__file__).parent / "migrations",
    settings=CampaignSettings,
    workflows=WORKFLOWS,
    router=router,
)
