"""Messages of plans and programs, under which campaigns hang: saved, moved, as they stand."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event, State
from topics.names import CAMPAIGN_COMMANDS, CAMPAIGN_EVENTS, PLANS_STATE


class SavePlan(Command, topic=CAMPAIGN_COMMANDS, key="plan_id"):
    """Create a plan, or change it as a whole. Its label is its own.

    Source: web, cli. Answers: ``PlanState`` or ``PlanRefused``.
    """

    plan_id: UUID
    actor: Actor
    label: str = Field(min_length=1, max_length=200)
    start_on: date
    end_on: date
    description: str = Field(default="", max_length=4000)
    budget_id: UUID | None = None


class SaveProgram(Command, topic=CAMPAIGN_COMMANDS, key="program_id"):
    """Create a program, or change it as a whole; another ``plan_id`` moves it with its campaigns.

    Its label is its own within the plan. A new campaign of it without a budget gets ``budget_id``.
    Source: web, cli. Answers: ``ProgramState`` or ``PlanRefused``.
    """

    program_id: UUID
    plan_id: UUID
    actor: Actor
    label: str = Field(min_length=1, max_length=200)
    start_on: date
    end_on: date
    description: str = Field(default="", max_length=4000)
    budget_id: UUID | None = None


class MoveCampaign(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Put a campaign under a program, or under none, whatever its state.

    Source: web, cli. Answers: ``CampaignEdited`` or ``CampaignRefused``.
    """

    campaign_id: UUID
    actor: Actor
    program_id: UUID | None = None


class PlanRefused(Event, topic=CAMPAIGN_EVENTS, key="subject_id"):
    """A plan or program (``subject_id``) was not saved, and why."""

    subject_id: UUID
    command: str
    reason: str
    field: str | None = None
    code: str = ""
    values: dict[str, str] = Field(default_factory=dict)
    actor: Actor


class PlanState(State, topic=PLANS_STATE, key="plan_id"):
    """A plan, for lists and roll-ups."""

    plan_id: UUID
    label: str
    start_on: date
    end_on: date
    description: str = ""
    budget_id: UUID | None = None
    created_at: datetime
    modified_at: datetime


class ProgramState(State, topic=PLANS_STATE, key="program_id"):
    """A program and the plan it belongs to, for lists and roll-ups."""

    program_id: UUID
    plan_id: UUID
    label: str
    start_on: date
    end_on: date
    description: str = ""
    budget_id: UUID | None = None
    created_at: datetime
    modified_at: datetime
