"""A service with one technical workflow, for the supervisor to watch and control."""

from __future__ import annotations

from pathlib import Path

from shared.registry import Registry
from shared.service import Service
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow
from topics.names import (
    HEARTBEATS,
    HEARTBEATS_CHANGELOG,
    OPERATORS_STATE,
    WORKFLOWS_COMMANDS,
    WORKFLOWS_EVENTS,
    WORKFLOWS_STATE,
)

STORY_TOPICS = (
    WORKFLOWS_COMMANDS,
    WORKFLOWS_EVENTS,
    WORKFLOWS_STATE,
    HEARTBEATS,
    HEARTBEATS_CHANGELOG,
    OPERATORS_STATE,
)


async def turn_page(work: Work) -> Step:  # noqa: ARG001 - a workflow's function
    return Step(rows_in=2, rows_out=1)


STORY = Service(
    "story",
    Registry(),
    Path(__file__).parent / "no_migrations",
    workflows=(
        TechnicalWorkflow("storyMgt", "Story jobs", "Traitements du récit", "Tales", turn_page),
    ),
)
