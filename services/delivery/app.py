"""The delivery service, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI

from services.delivery.api import router
from services.delivery.handlers import registry
from services.delivery.progress import run_progress
from services.delivery.proof_page import proof_router
from services.delivery.public import public_router
from services.delivery.sender import run_sender
from services.delivery.settings import DeliverySettings
from services.delivery.tracking.routes import tracking_router
from services.delivery.tracking.workflows import TRACKING_WORKFLOWS
from services.delivery.tracking.writer import run_tracking_writer
from services.delivery.views import watch_activity
from services.delivery.workflows import WORKFLOWS
from shared.http import create_app
from shared.service import Runtime, Service


def make_app(runtime: Runtime) -> FastAPI:
    """Return delivery's app: what its signed links lead to needs no identity."""
    app = create_app(runtime)
    app.include_router(public_router)
    app.include_router(tracking_router)
    app.include_router(proof_router)
    return app


SERVICE: Final = Service(
    "delivery",
    registry,
    Path(__file__).parent / "migrations",
    settings=DeliverySettings,
    workflows=(*WORKFLOWS, *TRACKING_WORKFLOWS),
    router=router,
    tasks=(run_sender, run_progress, run_tracking_writer, watch_activity),
    make_app=make_app,
)
