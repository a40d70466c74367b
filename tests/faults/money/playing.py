"""One seed: campaigns take money and goods, a service dies, all is told again, and it adds up."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from tests.driving import Worker
from tests.faults.money.draws import Draw, Drawn, Fate
from tests.faults.money.house import SERVICES, House
from tests.faults.scenario import Result
from tests.faults.telling import Teller
from tests.faults.world import manager
from tests.waiting import eventually
from topics.budget import (
    CommitFunds,
    CostDriver,
    CostStructure,
    Formula,
    FundsReserved,
    ReleaseFunds,
    ReserveFunds,
    SaveBudget,
    Volumes,
)
from topics.expenses import ExpenseKind
from topics.funds import UseGoods
from topics.invoices import InvoiceLine, InvoiceStatus, MoveInvoice, SaveInvoice
from topics.message import Message
from topics.stock import SaveStockLine

LETTER_MINOR, SETUP_MINOR, SETUP_PIECES = 5, 900, 5
PLENTY: Final = 10_000
ALLOCATED_MINOR: Final = 10_000_000
DAY: Final = date(2026, 3, 14)
HIT_SECONDS: Final = 60.0
SETTLE_SECONDS: Final = 60.0


@dataclass
class Campaign:
    """A campaign of a seed, and what is known of it.

    Attributes:
        paid_minor: what its printer billed.
    """

    drawn: Drawn
    reserve: ReserveFunds
    held: bool = False
    used: int = 0
    files: int = 0
    paid_minor: int = 0

    @property
    def committed(self) -> bool:
        """Whether it costs what it used."""
        return self.held and self.drawn.fate is not Fate.GIVEN_BACK

    @property
    def cost_minor(self) -> int:
        """What it has to cost."""
        return SETUP_MINOR + self.used * LETTER_MINOR if self.committed else 0


@dataclass
class Playing:
    """A seed under way: plays what campaign asks, and knows what must come of it."""

    house: House
    drawn: Draw
    budget_id: UUID = field(default_factory=uuid4)
    scarce_id: UUID = field(default_factory=uuid4)
    plenty_id: UUID = field(default_factory=uuid4)
    told: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw how often and when each thing is told, and what the campaigns want."""
        self.chance = random.Random(self.drawn.seed)
        self.teller = Teller(self.house.rig, self.chance)
        self.campaigns = [self._campaign(one) for one in self.drawn.campaigns]

    def _campaign(self, drawn: Drawn) -> Campaign:
        reserve = ReserveFunds(
            campaign_id=uuid4(),
            campaign_number=7,
            campaign_label="Letters",
            hold_id=uuid4(),
            budget_id=self.budget_id,
            volumes=Volumes(letters=drawn.letters),
        )
        return Campaign(drawn, reserve)

    # -- what is told

    async def tell(self, *messages: Message) -> None:
        """Tell messages with copies; some again as if they were new."""
        for message in messages:
            self.told.append(message)
            await self.teller.tell(message)
            if self.chance.random() < 0.3:
                await self.teller.tell(message)

    async def furnish(self) -> None:
        """Save the seed's budget and stock lines."""
        lines = ((self.scarce_id, self.drawn.stock), (self.plenty_id, PLENTY))
        await self.tell(
            *(
                SaveStockLine(
                    line_id=line_id, actor=manager, stock="Room", label="Paper", initial=initial
                )
                for line_id, initial in lines
            ),
            SaveBudget(
                budget_id=self.budget_id,
                actor=manager,
                label="Letters",
                allocated_minor=ALLOCATED_MINOR,
                structures=(
                    _cost("Set-up", self.plenty_id, amount_minor=SETUP_MINOR),
                    _cost("Postage", self.scarce_id, unit_price=Decimal(LETTER_MINOR) / 100),
                ),
            ),
        )
        await self._until(
            "SELECT (SELECT count(*) FROM stock.stock_lines WHERE line_id = ANY ($1::uuid[])) = 2"
            " AND EXISTS (SELECT 1 FROM budget.budgets WHERE budget_id = $2)",
            *([self.scarce_id, self.plenty_id], self.budget_id),
            what="the budget and its lines",
        )

    async def reserve(self) -> None:
        """Ask for everybody's money and goods, and wait until each is answered."""
        for one in self.campaigns:
            await self.tell(one.reserve)
        holds = [one.reserve.hold_id for one in self.campaigns]
        await self._until(
            "SELECT count(*) = cardinality($1::uuid[]) FROM budget.answers"
            " WHERE cause = ANY ($1::uuid[]) AND command = $2",
            *(holds, ReserveFunds.ce_type),
            what="an answer to each hold",
        )
        rows = await self.house.rig.rows(
            "SELECT cause FROM budget.answers WHERE cause = ANY ($1::uuid[]) AND ce_type = $2",
            *(holds, FundsReserved.ce_type),
        )
        held = {row["cause"] for row in rows}
        for one in self.campaigns:
            one.held = one.reserve.hold_id in held

    async def run(self) -> None:
        """Write files, then end each campaign; wait until its costs are booked."""
        for one in self.campaigns:
            if one.committed:
                await self.tell(*_files(one))
        for one in self.campaigns:
            if one.held:
                await self.tell(_end(one))
        await self._until(
            "SELECT count(*) = cardinality($1::uuid[]) FROM budget.commits"
            " WHERE hold_id = ANY ($1::uuid[]) AND booked_at IS NOT NULL",
            [one.reserve.hold_id for one in self.campaigns if one.committed],
            what="the costs",
        )

    async def bill(self) -> None:
        """Have the printer bill some campaigns, and pay it."""
        billed = [one for one in self.campaigns if one.committed][:3]
        for number, one in enumerate(billed):
            one.paid_minor = one.cost_minor - number
            invoice_id = uuid4()
            line = InvoiceLine(
                label="Printing",
                amount_minor=one.paid_minor,
                kind=ExpenseKind.DELIVERY,
                object_id=one.reserve.campaign_id,
            )
            await self.tell(
                SaveInvoice(
                    invoice_id=invoice_id,
                    number=str(invoice_id),
                    supplier="Printer",
                    budget_id=self.budget_id,
                    total_minor=one.paid_minor,
                    lines=(line,),
                    invoiced_on=DAY,
                    actor=manager,
                ),
                MoveInvoice(invoice_id=invoice_id, to=InvoiceStatus.PAID, on=DAY, actor=manager),
            )
        await self._until(
            "SELECT count(*) = $2 FROM budget.invoices WHERE budget_id = $1 AND status = 'paid'",
            *(self.budget_id, len(billed)),
            what="the invoices",
        )

    async def tell_all_again(self) -> None:
        """Tell what is left of the copies, then everything once more as if it were new."""
        await self.teller.tell_the_rest()
        await self.house.rig.send(*self.told)

    async def _until(self, query: str, *arguments: object, what: str) -> None:
        await eventually(
            lambda: self.house.rig.value(query, *arguments), seconds=SETTLE_SECONDS, what=what
        )

    # -- what must come of it

    async def sums(self) -> list[str]:
        """Return how the seed's sums differ from what was asked and granted."""
        wanted, found = self._wanted(), await self._found()
        return [
            f"I7 seed {self.drawn.seed}: {name} is {found[name]}, not {wanted[name]}"
            for name in wanted
            if wanted[name] != found[name]
        ]

    def _wanted(self) -> dict[str, int]:
        paid = sum(one.paid_minor for one in self.campaigns)
        return {
            "reserved money": 0,
            "committed money": 0,
            "spent money": sum(one.cost_minor for one in self.campaigns) - paid,
            "invoiced money": paid,
            "used paper": sum(one.used for one in self.campaigns),
            "reserved paper": 0,
            "used set-ups": SETUP_PIECES * sum(one.files > 0 for one in self.campaigns),
            "reserved set-ups": 0,
        }

    async def _found(self) -> dict[str, int]:
        [budget] = await self.house.rig.rows(
            "SELECT reserved_minor, committed_minor, spent_minor, invoiced_minor"
            " FROM budget.budgets WHERE budget_id = $1",
            self.budget_id,
        )
        found = {f"{name.removesuffix('_minor')} money": value for name, value in budget.items()}
        for what, line_id in (("paper", self.scarce_id), ("set-ups", self.plenty_id)):
            [line] = await self.house.rig.rows(
                "SELECT consumed, reserved FROM stock.stock_lines WHERE line_id = $1", line_id
            )
            found |= {f"used {what}": line["consumed"], f"reserved {what}": line["reserved"]}
        return found


def _cost(label: str, line_id: UUID, **prices: Any) -> CostStructure:
    fixed = "amount_minor" in prices
    fields: dict[str, Any] = {
        "structure_id": uuid4(),
        "category": "mail",
        "label": label,
        "formula": Formula.FIXED if fixed else Formula.LINEAR,
        "driver": CostDriver.NONE if fixed else CostDriver.LETTERS,
        "stock_line_id": line_id,
        "stock_quantity": SETUP_PIECES if fixed else 1,
    }
    return CostStructure(**fields, **prices)


def _files(one: Campaign) -> Sequence[UseGoods]:
    """Return what the campaign's files take: all in two, or less in one."""
    letters = one.drawn.letters
    sizes = [letters // 2, letters - letters // 2]
    if one.drawn.fate is Fate.PARTLY:
        sizes = [letters // 2] if letters > 1 else [1]
    one.used, one.files = sum(sizes), len(sizes)
    return [
        UseGoods(
            campaign_id=one.reserve.campaign_id,
            hold_id=one.reserve.hold_id,
            cause_id=uuid4(),
            letters=size,
        )
        for size in sizes
    ]


def _end(one: Campaign) -> Message:
    campaign_id, hold_id = one.reserve.campaign_id, one.reserve.hold_id
    if one.committed:
        return CommitFunds(
            campaign_id=campaign_id, hold_id=hold_id, volumes=Volumes(letters=one.used)
        )
    return ReleaseFunds(campaign_id=campaign_id, hold_id=hold_id, reason="cancelled")


async def play(made: House, drawn: Draw) -> Result:
    """Play a seed and check everything; one that does not come to its end is broken, too."""
    playing, struck = Playing(made, drawn), list[float]()
    already = _hits(made)
    broken: list[str] = []
    try:
        await made.mend()
        await playing.furnish()
        armed = await _arm(made, drawn)
        nurse = asyncio.create_task(_nurse(made, drawn, armed, struck))
        try:
            await playing.reserve()
            if drawn.both:
                await _kill_the_other(made, drawn)
            await playing.run()
            await playing.bill()
            await playing.tell_all_again()
            await nurse
        finally:
            nurse.cancel()
        broken = await _settled(playing)
    except AssertionError as problem:
        broken = [f"seed {drawn.seed} did not come to its end: {problem}"]
    new = [line for line in broken if line not in made.blamed]
    made.blamed |= set(new)
    return Result(
        fault=drawn.name,
        hits=tuple((line, "") for line in _hits(made)[len(already) :]) or _dead(drawn, struck),
        broken=tuple(new),
        lost=0,
        doubled=0,
        ambiguous=0,
        recovery_seconds=time.monotonic() - struck[0] if struck else 0.0,
    )


async def _arm(made: House, drawn: Draw) -> Worker:
    """Kill the service as it is and start it again with the fault armed."""
    made.rig.workers[drawn.service, 1].kill()
    aimed = {"MUSTER_TEST_KIND": str(drawn.place.kind)} if drawn.place.kind else {}
    worker = made.start(drawn.service, MUSTER_FAULT=drawn.fault, **aimed)
    await made.rig.ready(drawn.service)
    return worker


async def _nurse(made: House, drawn: Draw, armed: Worker, struck: list[float]) -> None:
    """Wait for the death, then start a successor."""
    await eventually(
        lambda: not armed.alive, seconds=HIT_SECONDS, what=f"{drawn.service}: {drawn.fault}"
    )
    struck.append(time.monotonic())
    made.start(drawn.service)


async def _kill_the_other(made: House, drawn: Draw) -> None:
    other = next(one for one in SERVICES if one != drawn.service)
    made.rig.workers[other, 1].kill()
    made.start(other)


async def _settled(playing: Playing) -> list[str]:
    """Return what is still broken once everything told was handled, or patience is over."""
    found: list[str] = []

    async def settled() -> bool:
        await playing.house.rig.drained(*SERVICES)
        found[:] = await playing.sums() + await playing.house.broken()
        return not set(found) - playing.house.blamed

    try:
        await eventually(settled, seconds=SETTLE_SECONDS)
    except AssertionError:
        return found
    return []


def _hits(made: House) -> list[str]:
    return made.hits.read_text().splitlines() if made.hits.exists() else []


def _dead(drawn: Draw, struck: list[float]) -> tuple[tuple[str, str], ...]:
    return ((drawn.place.point, ""),) if struck else ()
