"""The supplier service, plugged together."""

from __future__ import annotations

from pathlib import Path

from services.supplier.api import router
from services.supplier.clerk import serving
from services.supplier.handlers import registry
from services.supplier.settings import SupplierSettings
from services.supplier.workflows import WORKFLOWS
from shared.service import Service

SERVICE = Service(
    "supplier",
    registry,
    Path(__file__).parent / "migrations",
    settings=SupplierSettings,
    workflows=WORKFLOWS,
    router=router,
    tasks=(serving,),
)
