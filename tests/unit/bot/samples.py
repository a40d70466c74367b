"""States as services publish them, for the bot's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bot.cards import Setting
from bot.form_store import Form
from bot.store import Person
from shared.ids import new_id
from topics.budget import BudgetState, CostEstimated
from topics.campaign import CampaignState, CampaignStatus, Synthesis
from topics.delivery import ApprovalKind, ApprovalOutcome, ApprovalState
from topics.events import EventStatus, FoundChange, FoundEvent
from topics.operators import OperatorState, Role
from topics.stock import StockEstimated, StockLineState
from topics.workflows import WorkflowState, WorkflowStatus

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
ENGLISH = Setting("en", PARIS, "https://muster.example")
FRENCH = Setting("fr", PARIS, "https://muster.example")

MANAGER = OperatorState(
    operator_id=UUID(int=1),
    name="Camille Martin",
    roles=(Role.MANAGER,),
    slack_user_id="U0MANAGER01",
    version=1,
)
REVIEWER = OperatorState(
    operator_id=UUID(int=2),
    name="Robin Clarke",
    roles=(Role.REVIEWER,),
    slack_user_id="U0REVIEWER1",
    version=1,
)
SUPERVISOR = OperatorState(
    operator_id=UUID(int=3),
    name="Dominique Leroy",
    roles=(Role.SUPERVISOR, Role.REVIEWER),
    slack_user_id="U0SUPERVIS1",
    language="fr",
    version=1,
)
OPERATORS = (MANAGER, REVIEWER, SUPERVISOR)


def person(operator: OperatorState) -> Person:
    return Person(
        str(operator.operator_id), operator.name, operator.slack_user_id, operator.language
    )


PEOPLE = {one.operator_id: one for one in map(person, OPERATORS)}


def a_form(**changes: Any) -> Form:
    return Form(new_id(), str(MANAGER.operator_id), "C0CAMPAIGNS", **changes)


def a_cost(campaign_id: UUID, **changes: Any) -> CostEstimated:
    fields: dict[str, Any] = {
        "campaign_id": campaign_id,
        "budget_id": UUID(int=9),
        "amount_minor": 123_456,
        "left_minor": 5,
        "currency": "EUR",
        "note": "<choose>",
    }
    return CostEstimated(**fields | changes)


def some_goods(campaign_id: UUID, **changes: Any) -> StockEstimated:
    fields: dict[str, Any] = {
        "campaign_id": campaign_id,
        "line_id": UUID(int=9),
        "stock": "Depot",
        "label": "Leaflets",
        "asked": 9,
        "available": 5,
        "on_order": 0,
        "alert_level": 2,
        "covered": False,
        "reaches_alert": True,
    }
    return StockEstimated(**fields | changes)


def a_campaign(number: int = 1042, **changes: Any) -> CampaignState:
    fields: dict[str, Any] = {
        "campaign_id": UUID(int=1000 + number),
        "number": number,
        "label": f"Spring {number}",
        "status": CampaignStatus.READY_TO_TEST,
        "start_at": NOW,
        "end_at": NOW + timedelta(days=90),
        "zone": "Europe/Paris",
        "manager_id": str(MANAGER.operator_id),
        "created_at": NOW,
        "modified_at": NOW,
        "version": 1,
    }
    return CampaignState(**(fields | changes))


def sums(**changes: int) -> Synthesis:
    return Synthesis(**changes)


def an_approval(**changes: Any) -> ApprovalState:
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "approval_id": new_id(),
        "campaign_id": UUID(int=2042),
        "campaign_number": 1042,
        "campaign_label": "Spring 1042",
        "revision": 1,
        "kind": ApprovalKind.PROOF,
        "outcome": ApprovalOutcome.PENDING,
        "subject": "Spring is here",
        "proof_number": 1,
        "proof_path": "/proofs/1",
        "count": 1203,
        "content_hash": "c0ffee" * 10,
        "snapshot_hash": "beef" * 16,
        "requested_by": str(MANAGER.operator_id),
        "requested_at": now,
        "deadline_at": now + timedelta(days=3),
        "reviewer_ids": (REVIEWER.operator_id, SUPERVISOR.operator_id),
        "version": 1,
    }
    return ApprovalState(**(fields | changes))


def a_budget(**changes: Any) -> BudgetState:
    fields: dict[str, Any] = {
        "budget_id": new_id(),
        "label": "Spring budget",
        "currency": "EUR",
        "allocated_minor": 1_000_000,
        "reserved_minor": 200_000,
        "spent_minor": 300_000,
        "left_minor": 500_000,
        "version": 1,
    }
    return BudgetState(**(fields | changes))


def a_stock_line(**changes: Any) -> StockLineState:
    fields: dict[str, Any] = {
        "line_id": new_id(),
        "stock": "Paper",
        "label": "Envelopes",
        "initial": 1000,
        "delivered": 0,
        "consumed": 400,
        "reserved": 100,
        "in_stock": 600,
        "on_order": 50,
        "alert_level": 200,
        "alert": False,
        "version": 1,
    }
    return StockLineState(**(fields | changes))


def a_workflow(name: str = "operationMgt", **changes: Any) -> WorkflowState:
    fields: dict[str, Any] = {
        "name": name,
        "service": "campaign",
        "label": "Campaign jobs",
        "label_fr": "Opérations",
        "package": "campaign",
        "schedule": "every 60 s",
        "status": WorkflowStatus.STARTED,
        "version": 1,
    }
    return WorkflowState(**(fields | changes))


def an_outside_event(status: EventStatus) -> FoundEvent:
    """Return an outside event as a search finds it."""
    return FoundEvent(
        event_id=UUID(int=77),
        event_type="order.confirmed",
        queue="realtime",
        status=status,
        external_id="X-1",
        received_at=NOW,
        history=(FoundChange(status=status, reason="", at=NOW),),
        recycles_to=("sms",) if status is EventStatus.DELIVERY_ERROR else (),
    )
