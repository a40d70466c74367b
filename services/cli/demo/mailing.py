"""A direct-mail campaign: a printer's file, its approvals, its results, what it costs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
from asyncpg import Record

from deploy.embedded.slack import Message as SlackMessage
from services.cli.demo.campaigns import Campaign
from services.cli.demo.mailing_money import Moment, Money
from services.cli.demo.mailing_props import FOLDER, PRINTER, QUOTED_MINOR, Means
from services.cli.demo.props import Props
from services.cli.demo.router import Received, Router
from services.cli.demo.stage import Stage
from services.cli.demo.telling import Stuck, Telling
from services.cli.letters import opened
from services.supplier.proofs import submit
from services.supplier.reporting import take_in
from shared.ids import new_id
from topics.expenses import EntryStatus, ExpenseKind, SaveExpense, TypedCost
from topics.invoices import InvoiceLine, InvoiceStatus, MoveInvoice, SaveInvoice
from topics.message import Message

RETURN_FEE_MINOR: Final = 260
"""What the printer bills for each card that came back; no price list says so."""
_JOB: Final = "SELECT * FROM supplier.jobs WHERE campaign_id = $1"
_IMPORTS: Final = """
SELECT i.import_id, i.lines, i.taken, i.repeated, i.rejected,
       (SELECT string_agg('line ' || r.line || ': ' || r.problem, '; ' ORDER BY r.line)
        FROM supplier.import_rejects r WHERE r.import_id = i.import_id) AS problems
FROM supplier.imports i WHERE i.file_id = $1 AND i.applied_at IS NOT NULL ORDER BY i.started_at
"""


class Mailing:
    """Tells the direct-mail campaign, in two parts: another campaign runs while cards are printed.

    Attributes:
        moments: its money, as it was told.
    """

    def __init__(self, stage: Stage, telling: Telling, props: Props, made: Means) -> None:
        self._stage = stage
        self._telling = telling
        self._props = props
        self.means = made
        self.campaign = Campaign(stage, telling)
        self.moments: list[Moment] = []
        self._money = Money(stage, made.budget_id)
        self.file_id = UUID(int=0)
        self._router = Router(Path(stage.variables["SUPPLIER_OUTBOX"]) / FOLDER)
        self._received: Received | None = None

    async def begin(self) -> None:
        """Bring it from the form to the printer, who has the word to print."""
        await self._fund(await self._create())
        await self._hand_over()
        await self._prove()

    async def finish(self) -> None:
        """Take the printer's results in, end the campaign, pay the bill."""
        await self._report()
        await self._close()
        await self._pay()

    # -- steps

    async def _create(self) -> SlackMessage:
        props, made = self._props, self.means
        step = self._telling.step("Direct mail: /campaign new", 7)
        await self._note("before")
        values = {
            "label": f"Open day {made.run}, by post",
            "targeting": str(made.targeting_id),
            "template": str(made.template_id),
            "budget": str(made.budget_id),
            "service": str(made.service_id),
            "reviewers": [props.reviewer_id],
        }
        await self.campaign.create(values, step)
        await self._say(self._cost(real=None))
        await self._note("quote typed", lambda now: now.costs[0] == QUOTED_MINOR)
        step.advance("the printer's quote is planned")
        card = await self.campaign.prove(step)
        await self._note("target frozen", lambda now: now.on["planned"] not in {0, QUOTED_MINOR})
        return card

    async def _fund(self, card: SlackMessage) -> None:
        step = self._telling.step("Content, then money approved", 2)
        await self.campaign.say_yes(card)
        await self._note("content approved", lambda now: now.on["reserved"] > 0)
        step.advance("the money is reserved and waits for a person")
        await self.campaign.say_yes(await self.campaign.card(self.means.budget_label))
        await self._note("money approved", lambda now: now.on["committed"] > 0)
        step.advance("approved on its card: committed, the campaign runs")

    async def _hand_over(self) -> None:
        step = self._telling.step("File approved, handed over", 3)
        job = await self._job("file_to_approve")
        name = job["file_name"]
        card = await self.campaign.card(name)
        step.advance(f"{name}: {job['rows']:,} rows, SHA-256 {job['sha256'][:12]}")
        await self._see(card, job["sha256"].encode())
        await self.campaign.say_yes(card)
        step.advance("the reviewer approved these very bytes")

        async def arrived() -> bool:
            return self._router.arrived(name)

        await self._telling.until(arrived, "the file in the printer's folder")
        self._received = self._router.take(name)
        step.advance(f"in {PRINTER}'s folder, as its manifest says")

    async def _prove(self) -> None:
        step = self._telling.step("Printer's proof approved", 2)
        job = await self._job("awaiting_proof")
        self.file_id = job["file_id"]
        proof = await self._router.proof(self._taken, self.campaign.number, job["created_at"])
        async with opened("supplier") as supplier:
            name, _ = await submit(supplier, self.file_id, proof, self._props.manager)
        card = await self.campaign.card(name)
        step.advance(f"{name}: {len(proof):,} bytes")
        await self._see(card, proof, "/proof")
        await self.campaign.say_yes(card)
        await self._job("awaiting_results")
        step.advance("approved: the printer has the word to print")

    async def _report(self) -> None:
        step = self._telling.step("Printer's result files", 2)
        first = await self._take_in(1, self._router.results(self._taken))
        step.advance(f"{first['taken']:,} of {first['lines']:,} lines count; {first['problems']}")
        second = await self._take_in(2, self._router.corrected(self._taken))
        step.advance(
            f"{first['rejected']} bad line rejected, then corrected:"
            f" {first['taken']:,} + {second['taken']:,} count"
        )

    async def _take_in(self, number: int, content: bytes) -> Record:
        """Return what became of a result file's lines, once they are applied."""
        async with opened("supplier") as supplier:
            await take_in(supplier, self.file_id, content, self._props.manager)
        read: Record = await self._telling.until(
            partial(self._read, number), "a result file being applied"
        )
        return read

    async def _close(self) -> None:
        step = self._telling.step("Direct mail Finished", 2)
        await self.campaign.reach("finished")
        counts = await self.campaign.counts()
        step.advance("every letter has its outcome")
        await self._note(
            "campaign finished",
            lambda now: now.on["committed"] == 0 < now.on["spent"] == now.costs[1],
        )
        step.advance(f"{counts['sent']} sent, {counts['failed']} came back; their cost is spent")

    async def _pay(self) -> None:
        step = self._telling.step("Printer's bill paid", 2)
        returned = (await self.campaign.counts())["failed"]
        bill = self.moments[-1].on["spent"] + returned * RETURN_FEE_MINOR
        await self._say(self._cost(real=bill))
        await self._telling.until(lambda: self._is_real(bill), "the bill being the real cost")
        step.advance(f"real cost: {bill / 100:,.2f} EUR, {returned} returns included")
        now = self._stage.clock.now()
        invoice_id = new_id()
        line = InvoiceLine(
            label="Invitation cards",
            amount_minor=bill,
            kind=ExpenseKind.DELIVERY,
            object_id=self.campaign.campaign_id,
        )
        await self._say(
            SaveInvoice(
                invoice_id=invoice_id,
                number=f"V-{self.campaign.number}",
                supplier=PRINTER,
                supplier_id=self.means.supplier_id,
                budget_id=self.means.budget_id,
                total_minor=bill,
                lines=(line,),
                invoiced_on=now.date(),
                actor=self._props.manager,
            ),
            MoveInvoice(
                invoice_id=invoice_id,
                to=InvoiceStatus.PAID,
                on=now.date(),
                actor=self._props.manager,
            ),
        )
        await self._note("bill paid", lambda now: now.on["invoiced"] == bill == now.costs[2])
        step.advance(f"{bill / 100:,.2f} EUR went from spent to invoiced")

    # -- what they share

    async def _see(self, card: SlackMessage, wanted: bytes, part: str = "") -> None:
        """Look at what a card asks about, as its reviewer does before the answer."""
        address = next(
            element["url"]
            for block in card.blocks
            for element in block.get("elements", ())
            if "url" in element
        )
        async with httpx.AsyncClient() as client:
            shown = await client.get(f"{address}{part}")
        if wanted not in shown.content:
            raise Stuck(f"behind a card's link {part} is not what it asks about")

    def _cost(self, *, real: int | None) -> SaveExpense:
        """Return the cost of the delivery, as typed by hand."""
        return SaveExpense(
            kind=ExpenseKind.DELIVERY,
            object_id=self.campaign.campaign_id,
            budget_id=self.means.budget_id,
            status=EntryStatus.SPECIFIED,
            provisional=TypedCost(amount_minor=QUOTED_MINOR),
            real=None if real is None else TypedCost(amount_minor=real),
            actor=self._props.manager,
        )

    async def _say(self, *commands: Message) -> None:
        async with opened("web") as web, web.uow.begin() as work:
            for command in commands:
                work.emit(command)

    async def _note(self, what: str, when: Callable[[Moment], bool] = lambda _: True) -> None:
        """Keep how the money stands, once it stands as told."""

        async def stands() -> Moment | None:
            now = await self._money.now(self.campaign.campaign_id, what)
            return now if when(now) else None

        self.moments.append(await self._telling.until(stands, f"the money: {what}"))

    async def _is_real(self, amount: int) -> bool:
        return (await self._money.now(self.campaign.campaign_id, "")).costs[2] == amount

    async def _job(self, state: str) -> Record:
        """Return the campaign's file, once it has a state."""

        async def reached() -> Record | None:
            rows = await self._stage.rows(_JOB, self.campaign.campaign_id)
            return rows[0] if rows and rows[0]["state"] == state else None

        found: Record = await self._telling.until(reached, f"the printer's file being {state}")
        return found

    async def _read(self, number: int) -> Record | None:
        rows = await self.imports()
        return rows[number - 1] if len(rows) >= number else None

    async def imports(self) -> list[Record]:
        """Return what became of the lines of each result file, the first one first."""
        return await self._stage.rows(_IMPORTS, self.file_id)

    @property
    def _taken(self) -> Received:
        if self._received is None:
            raise Stuck("the printer has no file yet")
        return self._received
