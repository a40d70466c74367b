"""Plans and programs: saved as a whole, and which program a campaign hangs under."""

from __future__ import annotations

from dataclasses import asdict, replace

from services.campaign import conductor
from services.campaign.domain.plans import (
    Plan,
    Program,
    check_period,
    check_program_in,
    checked_label,
)
from services.campaign.handlers.deciding import locked, refused
from services.campaign.store.campaigns import CampaignStore
from services.campaign.store.plans import PlanStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.campaign import CampaignEdited
from topics.plans import (
    MoveCampaign,
    PlanRefused,
    PlanState,
    ProgramState,
    SavePlan,
    SaveProgram,
)

registry = Registry()


def plan_refused(command: SavePlan | SaveProgram, refusal: Refused) -> PlanRefused:
    """Return the answer to a plan or program that was not saved."""
    return PlanRefused(
        subject_id=command.plan_id if isinstance(command, SavePlan) else command.program_id,
        command=type(command).__name__,
        reason=refusal.reason,
        field=refusal.field,
        code=refusal.code,
        values=refusal.values,
        actor=command.actor,
    )


@registry.on(SavePlan, refusal=plan_refused)
async def save_plan(command: SavePlan, work: Work) -> None:
    """Create or change a plan; the same again changes nothing."""
    await require(work, command.actor, Right.MANAGE_CAMPAIGNS)
    store = PlanStore(work.connection)
    before = await store.plan(command.plan_id, lock=True)
    check_period(command.start_on, command.end_on)
    after = Plan(
        plan_id=command.plan_id,
        label=checked_label(command.label),
        start_on=command.start_on,
        end_on=command.end_on,
        description=command.description,
        budget_id=command.budget_id,
        created_at=before.created_at if before else work.now,
        modified_at=before.modified_at if before else work.now,
        version=before.version if before else 1,
    )
    if before is not None:
        if after == before:
            return
        after = replace(after, version=before.version + 1, modified_at=work.now)
    await store.save_plan(after)
    work.emit(PlanState(**asdict(after)))


@registry.on(SaveProgram, refusal=plan_refused)
async def save_program(command: SaveProgram, work: Work) -> None:
    """Create, change or move a program; the same again changes nothing."""
    await require(work, command.actor, Right.MANAGE_CAMPAIGNS)
    store = PlanStore(work.connection)
    plan = await store.plan(command.plan_id, lock=True)
    if plan is None:
        raise Refused("there is no such plan", field="plan_id", code="unknown_plan")
    check_period(command.start_on, command.end_on)
    check_program_in(plan, command.start_on, command.end_on)
    before = await store.program(command.program_id, lock=True)
    after = Program(
        program_id=command.program_id,
        plan_id=command.plan_id,
        label=checked_label(command.label),
        start_on=command.start_on,
        end_on=command.end_on,
        description=command.description,
        budget_id=command.budget_id,
        created_at=before.created_at if before else work.now,
        modified_at=before.modified_at if before else work.now,
        version=before.version if before else 1,
    )
    if before is not None:
        if after == before:
            return
        after = replace(after, version=before.version + 1, modified_at=work.now)
    await store.save_program(after)
    work.emit(ProgramState(**asdict(after)))


@registry.on(MoveCampaign, refusal=refused)
async def move_campaign(command: MoveCampaign, work: Work) -> None:
    """Put a campaign under another program; its run and its approval are not concerned."""
    before = await locked(work, command.campaign_id, command.actor)
    program = await PlanStore(work.connection).check_program(command.program_id)
    if before.program_id == command.program_id:
        return
    after = replace(before, program_id=command.program_id, modified_at=work.now)
    await conductor.save(work, before, after, command.actor)
    await CampaignStore(work.connection).note(
        after.campaign_id, "moved", command.actor.id, work.now, program.label if program else ""
    )
    work.emit(
        CampaignEdited(
            campaign_id=after.campaign_id,
            fields=("program_id",),
            voids_approval=False,
            actor=command.actor,
        )
    )
