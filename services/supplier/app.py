"""The supplier service, plugged together."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI

from services.supplier import api, api_files, api_results, instances, review
from services.supplier.clerk import serving
from services.supplier.handlers import registry
from services.supplier.settings import SupplierSettings
from services.supplier.workflows import WORKFLOWS
from shared.http import create_app, may_read
from shared.service import Runtime, Service

routes = APIRouter(dependencies=[Depends(may_read)])
for part in (api, api_files, api_results):
    routes.include_router(part.router)


def make_app(runtime: Runtime) -> FastAPI:
    """Return supplier's app: links of a router and of a card need no identity."""
    app = create_app(runtime)
    app.include_router(api_files.public_router)
    app.include_router(review.review_router)
    return app


SERVICE = Service(
    "supplier",
    registry,
    Path(__file__).parent / "migrations",
    settings=SupplierSettings,
    workflows=WORKFLOWS,
    router=routes,
    consumers={"supplier_instances": instances.registry},
    tasks=(serving,),
    make_app=make_app,
)
