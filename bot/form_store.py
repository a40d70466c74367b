"""Campaign forms that were opened here: what was typed, and what was answered about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from bot.fields import Values
from bot.limits import Json
from shared.database import Connection
from topics.budget import CostEstimated
from topics.campaign import CampaignPlan
from topics.stock import StockEstimated
from topics.targeting import Criterion, TargetCounts

SAVED: Final = 0
NAMED: Final = 1
AIMED: Final = 2
MEANS: Final = 3
"""The steps: what it is and when; whom it reaches; what it takes."""
_COLUMNS: Final = (
    "campaign_id, operator_id, channel, number, stock_line_id, proof_wished, typed, step, turn,"
    " plan, view_hash, criteria, counted, cost, goods"
)


def criteria_id(campaign_id: UUID) -> UUID:
    """Return the targeting that a form's own criteria are saved as."""
    return uuid5(campaign_id, "criteria")


@dataclass(frozen=True, slots=True)
class Counted:
    """What targeting answered about a target: its counts, or why there are none."""

    targeting_id: UUID
    counts: TargetCounts | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A campaign form that was opened here.

    ``typed`` is what its fields hold, as Slack's views say it; ``plan`` what it starts from, with
    what it has no fields for; ``criteria`` what was last saved under :func:`criteria_id`.
    """

    campaign_id: UUID
    operator_id: str
    channel: str
    number: int | None = None
    stock_line_id: UUID | None = None
    proof_wished: bool = False
    typed: Json = field(default_factory=dict)
    plan: CampaignPlan | None = None
    step: int = NAMED
    turn: int = 0
    view_hash: str | None = None
    criteria: tuple[Criterion, ...] = ()
    counted: Counted | None = None
    cost: CostEstimated | None = None
    goods: StockEstimated | None = None

    @property
    def targeting_id(self) -> UUID | None:
        """The target of the form: the saved one chosen, else that of its own criteria."""
        chosen = Values(self.typed).one("targeting")
        return chosen or (criteria_id(self.campaign_id) if self.criteria else None)

    @property
    def counts(self) -> TargetCounts | None:
        """The counts of the target chosen now, once they are known."""
        known = self.counted
        return known.counts if known and known.targeting_id == self.targeting_id else None


def _form(row: Any) -> Form:
    given = dict(row)
    given["criteria"] = tuple(Criterion.model_validate(one) for one in given["criteria"] or ())
    if (counted := given["counted"]) is not None:
        counts = counted["counts"]
        given["counted"] = Counted(
            UUID(counted["targeting_id"]),
            TargetCounts.model_validate(counts) if counts else None,
            counted["reason"],
        )
    if given["plan"] is not None:
        given["plan"] = CampaignPlan.model_validate(given["plan"])
    if given["cost"] is not None:
        given["cost"] = CostEstimated.model_validate(given["cost"])
    if given["goods"] is not None:
        given["goods"] = StockEstimated.model_validate(given["goods"])
    return Form(**given)


class Forms:
    """The rows of campaign forms in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def open(self, form: Form, now: datetime) -> None:
        """Remember a form that is being opened, and what its fields start from."""
        await self._connection.execute(
            "INSERT INTO forms"
            " (campaign_id, operator_id, channel, typed, step, opened_at, criteria_id, plan)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            form.campaign_id,
            form.operator_id,
            form.channel,
            form.typed,
            form.step,
            now,
            criteria_id(form.campaign_id),
            form.plan.model_dump(mode="json", exclude_none=True) if form.plan else None,
        )

    async def find(self, campaign_id: UUID, *, lock: bool = False) -> Form | None:
        """Return a form that was opened here; locked, nobody else takes a step meanwhile."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM forms WHERE campaign_id = $1{' FOR UPDATE' if lock else ''}",
            campaign_id,
        )
        return _form(row) if row else None

    async def aimed_at(self, targeting_id: UUID) -> list[UUID]:
        """Return the open forms whose own criteria are saved under an id."""
        rows = await self._connection.fetch(
            "SELECT campaign_id FROM forms WHERE criteria_id = $1 AND step <> 0", targeting_id
        )
        return [row["campaign_id"] for row in rows]

    async def number(self, campaign_id: UUID, number: int) -> bool:
        """Note a form's number; return whether it had none."""
        return bool(
            await self._connection.fetchval(
                "UPDATE forms SET number = $2 WHERE campaign_id = $1 AND number IS NULL"
                " RETURNING true",
                campaign_id,
                number,
            )
        )

    async def keep(self, form: Form, *, moved: bool) -> Form:
        """Keep what a form holds now; return it, in a turn of its own where a step was taken."""
        turn = form.turn + 1 if moved else form.turn
        row = await self._connection.fetchrow(
            "UPDATE forms SET typed = $2, step = $3, turn = $4, view_hash = $5, criteria = $6,"
            " counted = $7, cost = $8, goods = $9"
            f" WHERE campaign_id = $1 RETURNING {_COLUMNS}",
            form.campaign_id,
            form.typed,
            form.step,
            turn,
            form.view_hash,
            [one.model_dump(mode="json") for one in form.criteria] or None,
            _counted(form.counted),
            form.cost.model_dump(mode="json") if form.cost else None,
            form.goods.model_dump(mode="json") if form.goods else None,
        )
        return _form(row)

    async def note_hash(self, campaign_id: UUID, turn: int, view_hash: str | None) -> None:
        """Note Slack's hash of a form's view, unless a step was taken since."""
        await self._connection.execute(
            "UPDATE forms SET view_hash = $3 WHERE campaign_id = $1 AND turn = $2",
            campaign_id,
            turn,
            view_hash,
        )

    async def submit(
        self, campaign_id: UUID, *, stock_line_id: UUID | None, proof_wished: bool
    ) -> None:
        """Note that a form was saved, its stock line, and the wish for a proof."""
        await self._connection.execute(
            "UPDATE forms SET step = $2, stock_line_id = $3, proof_wished = $4"
            " WHERE campaign_id = $1",
            campaign_id,
            SAVED,
            stock_line_id,
            proof_wished,
        )

    async def grant_wish(self, campaign_id: UUID) -> bool:
        """Return whether a proof was wished for with the save, once."""
        return bool(
            await self._connection.fetchval(
                "UPDATE forms SET proof_wished = false WHERE campaign_id = $1 AND proof_wished"
                " RETURNING true",
                campaign_id,
            )
        )

    async def with_stock(self, line_id: UUID) -> list[UUID]:
        """Return the campaigns made here that use a stock line."""
        rows = await self._connection.fetch(
            "SELECT campaign_id FROM forms WHERE stock_line_id = $1", line_id
        )
        return [row["campaign_id"] for row in rows]


def _counted(known: Counted | None) -> Json | None:
    if known is None:
        return None
    counts = known.counts.model_dump(mode="json") if known.counts else None
    return {"targeting_id": str(known.targeting_id), "counts": counts, "reason": known.reason}
