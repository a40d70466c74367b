"""What a campaign is made of, named on the command line by id, or by its label when one has it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from services.cli.letters import opened
from services.web.operators import find_operator
from shared.errors import Refused
from shared.service import Runtime
from topics.campaign import CampaignPlan
from topics.cloudevents import describe
from topics.message import Actor, Via
from topics.targeting import ControlMethod, ControlSort, ControlUnit

SINGLE: Final = {
    "targeting": "targeting_id",
    "template": "template_id",
    "budget": "budget_id",
    "service": "supplier_service_id",
    "stock": "stock_line_id",
    "program": "program_id",
}
"""The field of a plan for each thing of which a campaign has one."""

# By kind of thing: the service that owns the thing, and how its rows are found by a word.
_QUERIES: Final[dict[str, tuple[str, str]]] = {
    "targeting": ("targeting", "SELECT targeting_id FROM targetings WHERE label = $1"),
    "template": ("delivery", "SELECT template_id FROM templates WHERE label = $1"),
    "budget": ("budget", "SELECT budget_id FROM budgets WHERE label = $1"),
    "service": ("supplier", "SELECT service_id FROM services WHERE label = $1"),
    "stock": ("stock", "SELECT line_id FROM stock_lines WHERE label = $1"),
    "program": ("campaign", "SELECT program_id FROM programs WHERE label = $1"),
    "plan": ("campaign", "SELECT plan_id FROM plans WHERE label = $1"),
    "model": ("actions", "SELECT model_id FROM models WHERE code = $1"),
}


def as_id(word: str) -> UUID | None:
    """Return a word as an id, if it is one."""
    try:
        return UUID(word)
    except ValueError:
        return None


async def chosen(kind: str, word: str) -> UUID:
    """Return the id of what a word names; an id is taken as it is.

    Raises:
        Refused: nothing or several things have that label.
    """
    given = as_id(word)
    if given is not None:
        return given
    service, query = _QUERIES[kind]
    async with opened(service) as runtime:
        rows = await runtime.pool.fetch(query, word)
    if len(rows) != 1:
        found = "no" if not rows else f"{len(rows)} times a"
        raise Refused(f"there is {found} {kind} named {word!r}; give its id", field=kind)
    return UUID(int=rows[0][0].int)


async def operator_id(email: str) -> UUID:
    """Return the operator with an e-mail address; an id is taken as it is.

    Raises:
        Refused: there is none.
    """
    given = as_id(email)
    if given is not None:
        return given
    async with opened("web") as web, web.uow.begin() as work:
        found = await find_operator(work, email)
    if found is None:
        raise Refused(f"there is no operator {email}; add one with: muster operator add")
    return found


async def actor_of(email: str) -> Actor:
    """Return the operator of a command line as services name one."""
    return Actor(id=str(await operator_id(email)), via=Via.CLI)


def control_group(
    words: str | None, *, first: bool, sort: ControlSort | None = None, last: bool = False
) -> dict[str, Any]:
    """Return the field of a plan for a control group: ``10%``, ``500`` members, or ``none``.

    A ``sort`` takes its first, or its ``last``.
    """
    if words is None:
        return {}
    if words == ControlMethod.NONE:
        return {"control_group": {"method": ControlMethod.NONE}}
    unit = ControlUnit.PERCENT if words.endswith("%") else ControlUnit.MEMBERS
    method = ControlMethod.FIRST if first or sort else ControlMethod.RANDOM
    group = {"method": method, "unit": unit, "size": words.removesuffix("%")}
    return {"control_group": group | {"sort": sort, "descending": last}}


class Wish:
    """What the options say a campaign is to be, before its words are looked up."""

    def __init__(
        self,
        plain: dict[str, Any],
        names: dict[str, str | None],
        models: list[str] | None,
        reviewers: list[str] | None,
        start: datetime | None,
        end: datetime | None,
    ) -> None:
        self._plain = plain
        self._names = names
        self._models = models
        self._reviewers = reviewers
        self._dates = {"start_at": start, "end_at": end}

    async def plan(self, runtime: Runtime) -> CampaignPlan:
        """Return the plan.

        Raises:
            Refused: a word names nothing, a zone is unknown, a text too long.
        """
        fields: dict[str, Any] = {k: v for k, v in self._plain.items() if v is not None}
        for kind, word in self._names.items():
            if word is not None:
                fields[SINGLE[kind]] = await chosen(kind, word)
        if self._models is not None:
            fields["action_model_ids"] = [await chosen("model", word) for word in self._models]
        if self._reviewers is not None:
            fields["reviewer_ids"] = [await operator_id(word) for word in self._reviewers]
        zone = self._zone(runtime)
        for name, at in self._dates.items():
            if at is not None:
                fields[name] = at.replace(tzinfo=zone)
        try:
            return CampaignPlan(**fields)
        except ValidationError as problem:
            raise Refused(describe(problem)) from None

    def _zone(self, runtime: Runtime) -> ZoneInfo:
        name = self._plain.get("zone") or runtime.settings.muster_zone
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError):
            problem = f"{name} is no time zone; try one like Europe/Paris"
            raise Refused(problem, field="zone") from None
