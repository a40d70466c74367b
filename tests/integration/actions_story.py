"""An actions service with operators and models, driven step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID, uuid4

from services.actions.generation import generate_step
from services.actions.invariants import broken
from services.actions.moving import move_step
from shared.service import Runtime
from tests.outboxes import emitted_by
from tests.unit.actions.samples import MANAGER, a_generation, chunks_of, operators
from topics.actions import ActionMove, ActionsCompleted, MoveActions, SaveActionModel
from topics.message import Message
from topics.targeting import Member

M = TypeVar("M", bound=Message)


@dataclass(slots=True)
class Story:
    """One campaign."""

    runtime: Runtime
    campaign_id: UUID = field(default_factory=uuid4)

    async def prepare(self, *models: SaveActionModel) -> None:
        for one in [*operators(), *models]:
            await self.runtime.execute(one)

    async def freeze(self, members: list[Member], size: int = 500) -> tuple[UUID, int]:
        """Hand over a snapshot; return its id and how many slices it has."""
        snapshot_id = uuid4()
        chunks = chunks_of(self.campaign_id, snapshot_id, members, size)
        for chunk in chunks:
            await self.runtime.execute(chunk)
        return snapshot_id, len(chunks)

    async def generate(self, members: list[Member], *models: SaveActionModel) -> UUID:
        """Generate actions of models over members; return the run."""
        snapshot_id, chunks = await self.freeze(members)
        command = a_generation(
            self.campaign_id, snapshot_id, chunks, *(model.model_id for model in models)
        )
        await self.runtime.execute(command)
        await self.work()
        return command.run_id

    async def work(self) -> int:
        """Carry out all jobs; return how many steps it took."""
        steps = 0
        while await generate_step(self.runtime.uow) or await move_step(self.runtime.uow):
            steps += 1
        return steps

    async def move(self, move: ActionMove, *ids: UUID, report: str = "") -> list[Message]:
        return await self.runtime.execute(
            MoveActions(
                campaign_id=self.campaign_id,
                move=move,
                action_ids=ids or None,
                report=report,
                actor=MANAGER,
            )
        )

    async def ids(self, status: str = "waiting") -> list[UUID]:
        rows = await self.runtime.pool.fetch(
            "SELECT action_id FROM actions WHERE status = $1 ORDER BY action_id", status
        )
        return [row["action_id"] for row in rows]

    async def completed(self) -> ActionsCompleted:
        (found,) = await emitted(self.runtime, ActionsCompleted)
        return found

    async def check(self) -> None:
        async with self.runtime.pool.acquire() as connection:
            assert await broken(connection) == []


async def emitted(runtime: Runtime, kind: type[M]) -> Sequence[M]:
    """Return the messages of a type that wait in the outbox, in order."""
    return await emitted_by(runtime, kind)
