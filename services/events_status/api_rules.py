"""Rules of event types over HTTP: whether their events are enriched, what they are recycled to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict

from services.events_status.pages import NO_NUL
from shared.http import Caller, Here, carry_out, may_read
from topics.events import SetEventRules
from topics.outside import MAX_TYPE

router = APIRouter(dependencies=[Depends(may_read)])
EventType = Annotated[str, Path(min_length=1, max_length=MAX_TYPE, pattern=NO_NUL)]
_PAGE: Final = """
SELECT event_type, enrich, recycle_to, changed_by, changed_at FROM event_rules
WHERE $1::text IS NULL OR event_type > $1 ORDER BY event_type LIMIT $2
"""


class RulesBody(BaseModel):
    """What is done with the events of a type beside routing them."""

    model_config = ConfigDict(extra="forbid")

    enrich: bool = False
    recycle_to: Literal["email", "sms"] | None = None


class EventRules(BaseModel):
    """The rules of a type, since when, and by whom."""

    event_type: str
    enrich: bool
    recycle_to: str | None
    changed_by: str
    changed_at: datetime


class EventRulesPage(BaseModel):
    """Rules by event type; ask on with ``after`` = ``next``. A type without any is not listed."""

    rules: list[EventRules]
    next: str | None


@router.get("/rules")
async def list_rules(
    runtime: Here,
    after: Annotated[str | None, Query(max_length=MAX_TYPE, pattern=NO_NUL)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> EventRulesPage:
    """List the rules of event types."""
    async with runtime.pool.acquire() as connection:
        rows = await connection.fetch(_PAGE, after, limit)
    found = [EventRules(**dict(row)) for row in rows]
    return EventRulesPage(rules=found, next=found[-1].event_type if len(found) == limit else None)


@router.put("/rules/{event_type:path}", status_code=204)
async def set_rules(event_type: EventType, body: RulesBody, actor: Caller, runtime: Here) -> None:
    """Set the rules of an event type, for what happens to its events from now on."""
    await carry_out(
        runtime,
        SetEventRules(
            event_type=event_type, enrich=body.enrich, recycle_to=body.recycle_to, actor=actor
        ),
    )
