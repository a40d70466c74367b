"""What the delivery service does with each message, by noun."""

from __future__ import annotations

from typing import Final

from services.delivery.handlers import (
    approvals,
    consents,
    deliveries,
    messages,
    plans,
    proofs,
    quarantine,
    suppliers,
    templates,
)
from shared.registry import Registry

registry: Final = Registry()
for noun in (
    templates,
    deliveries,
    proofs,
    approvals,
    messages,
    consents,
    suppliers,
    quarantine,
    plans,
):
    registry.include(noun.registry)
