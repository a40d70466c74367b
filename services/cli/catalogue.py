"""The services there are, in the order of their ports. Only the CLI knows them all."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final

from shared.service import Service

# web's port is the instance's base port; the others take the next ones, in this order.
MODULES: Final[dict[str, str]] = {
    "web": "services.web.app",
    "campaign": "services.campaign.app",
    "targeting": "services.targeting.app",
    "actions": "services.actions.app",
    "delivery": "services.delivery.app",
    "supplier": "services.supplier.app",
    "budget": "services.budget.app",
    "stock": "services.stock.app",
    "events_status": "services.events_status.app",
    "workflows": "services.workflows.app",
    "bot": "bot.app",
}
NAMES: Final = tuple(MODULES)


class UnknownService(Exception):
    """There is no such service; the text lists those there are."""


def find(name: str) -> Service:
    """Return a service by name; its modules are imported only now.

    Raises:
        UnknownService: there is none.
    """
    if name not in MODULES:
        message = f"there is no service {name!r}; there are {', '.join(NAMES)}"
        raise UnknownService(message)
    service: Service = importlib.import_module(MODULES[name]).SERVICE
    return service


def port_of(name: str, base: int) -> int:
    """Return the HTTP port of a service."""
    return base + NAMES.index(name)


def migration_folders() -> dict[str, Path]:
    """Return each service's folder of migrations."""
    return {name: find(name).migrations for name in NAMES}
