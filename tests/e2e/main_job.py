"""The main job, driven by commands on Kafka: what a front would send, without a front."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from deploy.sample import CRM_DIR
from services.targeting.app import SERVICE as TARGETING
from services.targeting.imports import Kind, import_csv
from shared.ids import new_id
from shared.service import open_runtime
from tests.driving import MANAGER, REVIEWER, Rig
from tests.waiting import eventually
from topics.actions import Filing, ModelKind, SaveActionModel
from topics.budget import CostDriver, CostStructure, Formula, SaveBudget
from topics.campaign import CampaignPlan, CreateCampaign, RequestProof
from topics.delivery import SaveTemplate
from topics.message import Actor, Via
from topics.stock import SaveStockLine
from topics.supplier import SaveService
from topics.targeting import Counts, Criterion, Operator, SaveTargeting

BY_MANAGER = Actor(id=str(MANAGER), via=Via.WEB)
BY_REVIEWER = Actor(id=str(REVIEWER), via=Via.SLACK)


@dataclass(frozen=True, slots=True)
class Means:
    """What campaigns choose from."""

    targeting_id: UUID
    template_id: UUID
    model_id: UUID
    budget_id: UUID
    service_id: UUID
    stock_line_id: UUID


async def import_sample(rig: Rig, folder: Path = CRM_DIR) -> None:
    """Import the sample CRM as the manager."""
    runtime = await open_runtime(TARGETING, rig.instance.settings(TARGETING.settings))
    try:
        await eventually(
            lambda: runtime.pool.fetchval(
                "SELECT 1 FROM operators WHERE operator_id = $1", str(MANAGER)
            ),
            what="targeting knowing the manager",
        )
        for kind in (Kind.SITES, Kind.CONTACTS, Kind.EMPLOYEES, Kind.DEALS):
            await import_csv(runtime.uow, kind, folder / f"{kind}.csv", None, BY_MANAGER)
    finally:
        await runtime.pool.close()


async def save_means(rig: Rig, *, town: str = "Lyon", budget_minor: int = 10_000_000) -> Means:
    """Save a target, a template, an action model, a budget, a supplier and a stock line."""
    means = Means(*(new_id() for _ in range(6)))
    await rig.send(
        SaveTargeting(
            targeting_id=means.targeting_id,
            actor=BY_MANAGER,
            label=town,
            counts=Counts.CONTACTS,
            criteria=(Criterion(field="site.town", operator=Operator.EQUALS, values=(town,)),),
        ),
        SaveTemplate(
            template_id=means.template_id,
            actor=BY_MANAGER,
            label="Offer",
            subject="Offer for {{ site.name }}",
            body="<p>Good day {{ contact.first_name }}</p>",
            from_address="offers@muster.example",
            proof_recipients=("reviewer@muster.example",),
        ),
        SaveActionModel(
            model_id=means.model_id,
            actor=BY_MANAGER,
            code="CALL",
            label="Call",
            kind=ModelKind.ACTION_ON_SITE,
            filing=Filing.PER_CONTACT,
        ),
        SaveBudget(
            budget_id=means.budget_id,
            actor=BY_MANAGER,
            label="Budget",
            allocated_minor=budget_minor,
            structures=(
                CostStructure(
                    structure_id=new_id(),
                    category="E-mail",
                    label="sending",
                    formula=Formula.LINEAR,
                    driver=CostDriver.EMAILS,
                    unit_price=Decimal("0.02"),
                ),
            ),
        ),
        SaveService(
            service_id=means.service_id,
            actor=BY_MANAGER,
            supplier="Printer",
            label="Letters",
            router_address="router@printer.example",
        ),
        SaveStockLine(
            line_id=means.stock_line_id,
            actor=BY_MANAGER,
            stock="Room",
            label="Brochures",
            initial=100_000,
            alert_level=10,
        ),
    )
    return means


async def create(rig: Rig, means: Means, campaign_id: UUID, label: str = "Autumn") -> None:
    """Create a campaign over all means and wait until it is ready to test."""
    plan = CampaignPlan(
        label=label,
        targeting_id=means.targeting_id,
        template_id=means.template_id,
        action_model_ids=(means.model_id,),
        budget_id=means.budget_id,
        supplier_service_id=means.service_id,
        stock_line_id=means.stock_line_id,
        reviewer_ids=(REVIEWER,),
    )
    await rig.send(CreateCampaign(campaign_id=campaign_id, actor=BY_MANAGER, plan=plan))
    await rig.reach(campaign_id, "ready_to_test")


async def prove(rig: Rig, campaign_id: UUID) -> None:
    """Ask for the proof and wait for its approval to be open."""
    await rig.send(RequestProof(campaign_id=campaign_id, actor=BY_MANAGER))
    await rig.reach(campaign_id, "proof_pending")


async def approve(rig: Rig, campaign_id: UUID) -> None:
    """Approve as the reviewer and wait until the campaign goes on."""
    await rig.send(await rig.approval(campaign_id, BY_REVIEWER))
    await rig.reach(campaign_id, "ready_to_run", "running", "finished")
