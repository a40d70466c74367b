"""HTTP routes of pressure rules: how much one recipient may get."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from services.delivery.domain.pressure import Rule
from services.delivery.store.pressure import PressureStore
from shared.http import Caller, Here, may_read
from shared.pressure import Grouping
from shared.rights import Right, require
from topics.delivery import Channel

Label = Annotated[str, Field(min_length=1, max_length=200)]
router = APIRouter(prefix="/pressure", dependencies=[Depends(may_read)])


class RuleBody(BaseModel):
    """At most ``most`` messages in any ``days`` days, extended to whole periods (``per``).

    Without a channel the messages of all count together. With ``planned`` those of approved
    campaigns that weigh more, or as much and start earlier, count as if they had left.
    """

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    label: Label
    channel: Literal[Channel.EMAIL, Channel.DIRECT_MAIL] | None = None
    most: int = Field(default=3, ge=1, le=1000)
    days: int = Field(default=15, ge=0, le=366)
    per: Grouping = Grouping.NONE
    planned: bool = False


class RuleView(RuleBody):
    """A rule with its id."""

    rule_id: UUID


@router.get("/rules")
async def rules(runtime: Here) -> list[RuleView]:
    """Return the pressure rules, in order of label; each of them must allow a message."""
    async with runtime.pool.acquire() as connection:
        return [RuleView(**asdict(one)) for one in await PressureStore(connection).rules()]


@router.put("/rules/{rule_id}")
async def save_rule(rule_id: UUID, body: RuleBody, actor: Caller, runtime: Here) -> RuleView:
    """Save a pressure rule; it holds for recipients that are prepared from now on."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_CAMPAIGNS)
        rule = Rule(rule_id, **body.model_dump())
        await PressureStore(work.connection).save(rule, actor.id, work.now)
    return RuleView(rule_id=rule_id, **body.model_dump())


@router.delete("/rules/{rule_id}", status_code=204)
async def remove_rule(rule_id: UUID, actor: Caller, runtime: Here) -> None:
    """Remove a pressure rule."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_CAMPAIGNS)
        if not await PressureStore(work.connection).remove(rule_id):
            raise HTTPException(404, "there is no such rule")
