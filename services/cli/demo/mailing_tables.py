"""What the demo shows of its direct mail: what it cost, where the money was, what came back."""

from __future__ import annotations

from typing import Final

from rich.table import Table

from services.cli.demo.mail_tables import BAD, GOOD, Shown
from services.cli.demo.mailing import RETURN_FEE_MINOR, Mailing
from services.cli.demo.mailing_money import LEVELS
from services.cli.demo.mailing_props import PRINTER
from services.cli.demo.stage import Stage

_LINES: Final = """
SELECT label, quantity, amount_minor FROM budget.cost_lines WHERE campaign_id = $1
ORDER BY position
"""


def money(minor: int) -> str:
    """Return an amount in minor units as people read it."""
    return f"{minor / 100:,.2f} EUR"


async def costs(stage: Stage, mailing: Mailing) -> Shown:
    """Return the three costs: as it was quoted, by the price list, as it was billed."""
    number = mailing.campaign.number
    table = Table("cost", "quantity", "amount", "is", title=f"{number}: what it cost")
    finished, paid = mailing.moments[-2:]
    lines = await stage.rows(_LINES, mailing.campaign.campaign_id)
    returned = (await mailing.campaign.counts())["failed"]
    provisional, _, real = paid.costs
    calculated = finished.costs[1]
    for line in lines:
        priced = money(line["amount_minor"])
        table.add_row(line["label"], f"{line['quantity']:,}", priced, "by the price list")
    table.add_section()
    by_list = sum(line["amount_minor"] for line in lines)
    billed = by_list + returned * RETURN_FEE_MINOR
    for name, amount, wanted, what in (
        ("provisional", provisional, provisional, f"{PRINTER}'s quote, typed"),
        ("calculated", calculated, by_list, "the lines above, for what was sent"),
        ("real", real, billed, f"the bill: {money(RETURN_FEE_MINOR)} more for each card returned"),
    ):
        holds = amount is not None and amount == wanted
        table.add_row(name, "", money(amount or 0), f"{what} {GOOD if holds else BAD}")
    return Shown(table, (calculated, real) == (by_list, billed) and provisional is not None)


def levels(mailing: Mailing) -> Shown:
    """Return what was on each level of the budget at each moment of the campaign."""
    moments = mailing.moments
    table = Table(
        "",
        *LEVELS,
        "left",
        "",
        title=f"{mailing.means.budget_label}: {money(moments[0].allocated)} allocated",
        caption="what is only planned takes nothing; the rest sums up with what is left",
    )
    all_hold = True
    for moment in moments:
        # No sum is on two levels at a time, so only one of them is more than nothing.
        holds = sum(amount > 0 for amount in moment.on.values()) <= 1 and moment.left >= 0
        all_hold = all_hold and holds
        shown = (f"{moment.on[level] / 100:,.2f}" if moment.on[level] else "–" for level in LEVELS)
        left = f"{moment.left / 100:,.2f}"
        table.add_row(moment.what, *shown, left, GOOD if holds else BAD)
    ends_well = moments[-1].on["invoiced"] == moments[-1].costs[2]
    return Shown(table, all_hold and ends_well)


async def result_files(mailing: Mailing) -> Shown:
    """Return what became of the lines of the printer's result files."""
    names = ("lines", "counted", "said before", "rejected", "why", "")
    table = Table("result file", *names, title=f"{PRINTER}'s result files")
    all_hold, counted = True, 0
    for number, one in enumerate(await mailing.imports(), start=1):
        holds = one["lines"] == one["taken"] + one["repeated"] + one["rejected"]
        all_hold, counted = all_hold and holds, counted + one["taken"]
        table.add_row(
            "first" if number == 1 else "corrected",
            *(f"{one[name]:,}" for name in ("lines", "taken", "repeated", "rejected")),
            *(one["problems"] or "", GOOD if holds else BAD),
        )
    counts = await mailing.campaign.counts()
    return Shown(table, all_hold and counted == counts["sent"] + counts["failed"])
