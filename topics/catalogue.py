"""All messages of the contract in one place; importing it registers them."""

from __future__ import annotations

from topics import (
    actions,
    approvals,
    bounces,
    budget,
    campaign,
    delivery,
    event_templates,
    events,
    expenses,
    funds,
    invoices,
    levels,
    logs,
    operators,
    plans,
    schedules,
    stock,
    supplier,
    targeting,
    tasks,
    workflows,
)
from topics.message import Message, message_types

MODULES = (
    campaign,
    schedules,
    plans,
    targeting,
    actions,
    delivery,
    approvals,
    bounces,
    supplier,
    budget,
    funds,
    expenses,
    tasks,
    invoices,
    stock,
    events,
    levels,
    event_templates,
    logs,
    workflows,
    operators,
)


def catalogue() -> dict[str, type[Message]]:
    """Return every message of the contract by CloudEvents type, sorted."""
    return dict(sorted(message_types().items()))
