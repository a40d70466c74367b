"""The delivery service, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI

from services.delivery import api, api_bounces, api_pressure, api_samples, api_seeds
from services.delivery.bounces.mailbox import run_mailbox
from services.delivery.bounces.receiver import run_receiver
from services.delivery.bounces.workflow import BOUNCES
from services.delivery.handlers import registry
from services.delivery.handlers.messages import batch_registry
from services.delivery.progress import run_progress
from services.delivery.proof_page import proof_router
from services.delivery.public import public_router
from services.delivery.sender import run_sender
from services.delivery.settings import DeliverySettings
from services.delivery.tracking.routes import TRACKING_ROUTES
from services.delivery.tracking.workflows import TRACKING_WORKFLOWS
from services.delivery.tracking.writer import run_tracking_writer
from services.delivery.views import watch_activity
from services.delivery.workflows import WORKFLOWS
from shared.http import create_app
from shared.service import Runtime, Service

routes = APIRouter()
for part in (api, api_bounces, api_pressure, api_samples, api_seeds):
    routes.include_router(part.router)


def make_app(runtime: Runtime) -> FastAPI:
    """Return delivery's app: what its signed links lead to needs no identity."""
    app = create_app(runtime)
    app.include_router(public_router)
    # Before all others: of what people ask here, nearly everything is a link or a pixel.
    app.router.routes[:0] = TRACKING_ROUTES
    app.include_router(proof_router)
    return app


SERVICE: Final = Service(
    "delivery",
    registry,
    Path(__file__).parent / "migrations",
    settings=DeliverySettings,
    workflows=(*WORKFLOWS, *TRACKING_WORKFLOWS, BOUNCES),
    router=routes,
    consumers={"delivery_batch": batch_registry},
    tasks=(
        run_sender,
        run_progress,
        run_tracking_writer,
        watch_activity,
        run_receiver,
        run_mailbox,
    ),
    make_app=make_app,
)
