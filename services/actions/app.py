"""The actions service, plugged together."""

from __future__ import annotations

from pathlib import Path

from services.actions.api import router
from services.actions.generation import forgetting, generating, moving
from services.actions.handlers import registry
from services.actions.settings import ActionsSettings
from shared.service import Service

SERVICE = Service(
    "actions",
    registry,
    Path(__file__).parent / "migrations",
    settings=ActionsSettings,
    router=router,
    tasks=(generating, moving, forgetting),
)
