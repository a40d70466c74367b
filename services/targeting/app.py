"""Wires the targeting service."""

from __future__ import annotations

from pathlib import Path

from services.targeting.api import router
from services.targeting.counting import run_counts, run_freezes
from services.targeting.handlers import registry
from services.targeting.settings import TargetingSettings
from services.targeting.workflows import WORKFLOWS
from shared.service import Service

SERVICE = Service(
    "targeting",
    registry,
    Path(__file__).parent / "migrations",
    settings=TargetingSettings,
    workflows=WORKFLOWS,
    router=router,
    tasks=(run_counts, run_freezes),
)
