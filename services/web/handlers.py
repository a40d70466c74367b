"""The read models of the pages, kept from the compacted state topics; the newest version wins.

The same version of a workflow may come again with another error policy.
"""

from __future__ import annotations

from typing import Final

from services.web.troubles.handlers import registry as troubles
from shared.registry import Registry
from shared.uow import Work
from shared.views import View
from topics.budget import BudgetState
from topics.campaign import CampaignState
from topics.delivery import ApprovalState
from topics.message import State
from topics.workflows import WorkflowState

registry = Registry()
registry.include(troubles)

_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "seen_campaigns": (
        *("campaign_id", "version", "number", "label", "status", "start_at", "end_at", "zone"),
        *("records", "synthesis", "waiting_for", "waiting_workflow", "waiting_code"),
        "waiting_values",
    ),
    "seen_workflows": (
        *("name", "version", "service", "label", "label_fr", "status", "schedule", "next_at"),
        *("last_run_at", "error", "failures", "failures_ignored"),
    ),
    "seen_budgets": (
        *("budget_id", "version", "label", "currency", "allocated_minor", "reserved_minor"),
        *("committed_minor", "spent_minor", "invoiced_minor", "left_minor"),
    ),
    "seen_approvals": (
        *("approval_id", "version", "campaign_id", "campaign_number", "campaign_label"),
        *("outcome", "count", "requested_at", "deadline_at"),
    ),
}


def _upsert(table: str) -> str:
    columns = _COLUMNS[table]
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    kept = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
        f" ON CONFLICT ({columns[0]}) DO UPDATE SET {kept}"
        f" WHERE {table}.version <= excluded.version"
    )


_UPSERTS: Final = {table: _upsert(table) for table in _COLUMNS}


async def _see(work: Work, table: str, state: State, **replaced: object) -> None:
    values = [replaced.get(name, getattr(state, name)) for name in _COLUMNS[table]]
    await work.connection.execute(_UPSERTS[table], *values)


@registry.on(CampaignState)
async def campaign_seen(state: CampaignState, work: Work) -> None:
    """Keep a campaign's latest state."""
    synthesis = state.synthesis.model_dump()
    await _see(work, "seen_campaigns", state, status=state.status.value, synthesis=synthesis)


@registry.on(WorkflowState)
async def workflow_seen(state: WorkflowState, work: Work) -> None:
    """Keep a technical workflow's latest state; instances have their own lists."""
    if state.instance_of is not None:
        return
    await _see(work, "seen_workflows", state, status=state.status.value)


@registry.on(BudgetState)
async def budget_seen(state: BudgetState, work: Work) -> None:
    """Keep a budget's latest balance."""
    await _see(work, "seen_budgets", state)


@registry.on(ApprovalState)
async def approval_seen(state: ApprovalState, work: Work) -> None:
    """Keep an approval's latest state."""
    await _see(work, "seen_approvals", state, outcome=state.outcome.value)


VIEWS: Final = (
    View(
        "pages",
        tuple(_COLUMNS),
        (CampaignState, WorkflowState, BudgetState, ApprovalState),
    ),
)
