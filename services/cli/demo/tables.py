"""What the demo shows at the end: every number read from the rows of its owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import orjson
from rich.console import Console, RenderableType
from rich.table import Table

from services.cli.checking import Verdict, table_of, verdicts
from services.cli.demo import mail_tables, mailing_tables, recurring_tables
from services.cli.demo.campaigns import Campaign
from services.cli.demo.mail_tables import Shown
from services.cli.demo.mailing_tables import money
from services.cli.demo.props import Props
from services.cli.demo.stage import Stage
from services.cli.demo.story import Story
from services.cli.environment import settings_or_exit
from topics.supplier import Handover

SUMS = (
    ("messages", ("sent", "failed", "ignored", "ambiguous", "pending")),
    ("actions", ("waiting", "suspended", "executed", "finished", "cancelled")),
)
HANDED_OVER: Final = {
    Handover.ATTACHED: "by mail",
    Handover.LINK: "by a link",
    Handover.FOLDER: "in a folder",
    Handover.SFTP: "by SFTP",
}


async def show(story: Story, console: Console) -> bool:
    """Print every table, story by story; return whether all sums add up and all invariants hold."""
    found = await verdicts(settings_or_exit())
    parts = (
        ("E-mails, letters, calls and deals", await _of_emails(story)),
        ("Direct mail through a printer", await _of_direct_mail(story)),
        ("A campaign that comes back", [await recurring_tables.occurrences(story.recurring)]),
        ("All together", [await _event(story), await _workflows(story.stage), table_of(found)]),
    )
    all_hold = True
    for title, shown in parts:
        console.rule(f"[bold]{title}[/]", align="left")
        for one in shown:
            console.print(one.table if isinstance(one, Shown) else one)
            all_hold = all_hold and (not isinstance(one, Shown) or one.holds)
    broken = _broken(found)
    for line in broken:
        console.print(f"[red]✗[/] {line}", soft_wrap=True)
    return all_hold and not broken


async def _of_emails(story: Story) -> Sequence[Shown | RenderableType]:
    stage, both = story.stage, (story.first, story.second)
    return [
        *[await _synthesis(stage, one) for one in both],
        *[await _deliveries(stage, one) for one in both],
        await mail_tables.four_people(story),
        await mail_tables.indicators(story),
        mail_tables.live(story.figures.live[0], story.first.number),
        await _costs(stage, story.props),
        await _stock(stage, story.props.stock_line_id),
        await _files(stage, story.first.campaign_id),
    ]


async def _of_direct_mail(story: Story) -> Sequence[Shown | RenderableType]:
    stage, mailing = story.stage, story.mailing
    return [
        await _synthesis(stage, mailing.campaign),
        await _deliveries(stage, mailing.campaign),
        await mailing_tables.costs(stage, mailing),
        mailing_tables.levels(mailing),
        await mailing_tables.result_files(mailing),
        await _stock(stage, mailing.means.stock_line_id),
        await _files(stage, mailing.campaign.campaign_id),
        *(screen.panel() for screen in story.screens),
    ]


def _broken(found: list[Verdict]) -> list[str]:
    return [line for verdict in found for line in verdict.broken]


async def _synthesis(stage: Stage, campaign: Campaign) -> Shown:
    row = (
        await stage.rows(
            "SELECT label, snapshot_members, delivery_counts, action_counts, extracted"
            " FROM campaign.campaigns WHERE campaign_id = $1",
            campaign.campaign_id,
        )
    )[0]
    counts = {"messages": orjson.loads(row["delivery_counts"])}
    if row["action_counts"]:
        counts["actions"] = orjson.loads(row["action_counts"])
    table = Table(
        "", "total", "made of", "adds up", title=f"{campaign.number} {row['label']}: results"
    )
    table.add_row("Elements targeted", f"{row['snapshot_members']:,}", "", "")
    adds_up = True
    for name, parts in SUMS:
        if name not in counts:
            continue
        total = counts[name]["targeted" if name == "messages" else "generated"]
        holds = total == sum(counts[name][part] for part in parts)
        adds_up = adds_up and holds
        made = ", ".join(f"{counts[name][part]:,} {part}" for part in parts if counts[name][part])
        table.add_row(
            name.capitalize(), f"{total:,}", made, "[green]✓[/]" if holds else "[red]✗[/]"
        )
    if "actions" in counts:
        table.add_row("Deals generated", f"{counts['actions']['deals']:,}", "", "")
        table.add_row("Dossier items", f"{counts['actions']['dossier_items']:,}", "", "")
    if row["extracted"]:
        table.add_row("Addressees in the supplier's file", f"{row['extracted']:,}", "", "")
    return Shown(table, adds_up and counts["messages"]["targeted"] == row["snapshot_members"])


async def _deliveries(stage: Stage, campaign: Campaign) -> Table:
    title = f"{campaign.number}: delivery, from its ledger"
    table = Table("channel", "outcome", "reason", "recipients", title=title)
    rows = await stage.rows(
        "SELECT l.channel, l.outcome, l.reason, count(*) AS number FROM delivery.ledger l"
        " JOIN delivery.runs u USING (run_id) WHERE u.campaign_id = $1 AND u.kind = 'campaign'"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        campaign.campaign_id,
    )
    for row in rows:
        table.add_row(row["channel"], row["outcome"], row["reason"] or "", f"{row['number']:,}")
    return table


async def _costs(stage: Stage, props: Props) -> Table:
    budget = (
        await stage.rows(
            "SELECT label, allocated_minor, reserved_minor + committed_minor AS held_minor,"
            " spent_minor + invoiced_minor AS spent_minor FROM budget.budgets"
            " WHERE budget_id = $1",
            props.budget_id,
        )
    )[0]
    left = budget["allocated_minor"] - budget["held_minor"] - budget["spent_minor"]
    table = Table("cost line", "quantity", "amount", title=f"Costs and budget: {budget['label']}")
    for row in await stage.rows(
        "SELECT label, quantity, amount_minor FROM budget.cost_lines WHERE budget_id = $1"
        " ORDER BY label",
        props.budget_id,
    ):
        table.add_row(row["label"], f"{row['quantity']:,}", money(row["amount_minor"]))
    table.add_section()
    table.add_row("spent", "", money(budget["spent_minor"]))
    table.add_row("still held", "", money(budget["held_minor"]))
    table.add_row("left of", money(budget["allocated_minor"]), money(left))
    return table


async def _stock(stage: Stage, line_id: UUID) -> Table:
    row = (
        await stage.rows(
            "SELECT label, initial, delivered, consumed, reserved, alert_level, alert"
            " FROM stock.stock_lines WHERE line_id = $1",
            line_id,
        )
    )[0]
    table = Table("", "before", "after", title=f"Stock: {row['label']}")
    in_stock = row["initial"] + row["delivered"] - row["consumed"]
    table.add_row("in stock", f"{row['initial']:,}", f"{in_stock:,}")
    table.add_row("consumed", "0", f"{row['consumed']:,}")
    table.add_row("reserved", "0", f"{row['reserved']:,}")
    alert = f"raised at {row['alert_level']:,}" if row["alert"] else "none"
    table.add_row("alert", "none", alert)
    return table


async def _files(stage: Stage, campaign_id: UUID) -> Table:
    names = ("rows", "letters in PDF", "SHA-256", "handed over", "sent", "failed", "state")
    table = Table("file", *names, title="Supplier's file")
    for row in await stage.rows(
        "SELECT j.file_name, j.rows, j.pages, j.sha256, j.handover, j.ending, j.sent, j.failed,"
        " j.state, count(b.batch) AS documents"
        " FROM supplier.jobs j LEFT JOIN supplier.letter_batches b USING (file_id)"
        " WHERE j.campaign_id = $1 GROUP BY j.file_id",
        campaign_id,
    ):
        letters = f"{row['pages']:,} pages in {row['documents']:,} files" if row["pages"] else ""
        reported = row["ending"] == "results"
        table.add_row(
            row["file_name"],
            f"{row['rows']:,}",
            letters,
            (row["sha256"] or "")[:12],
            HANDED_OVER[row["handover"]],
            *(f"{row[name]:,}" if reported else "" for name in ("sent", "failed")),
            row["state"],
        )
    return table


async def _event(story: Story) -> Table:
    table = Table("by", "event", "statuses", "why", title="Life of the outside events")
    for door, external_id in story.outside.events:
        for row in await story.stage.rows(
            "SELECT e.event_type, e.reason, array_agg(h.after ORDER BY h.version) AS statuses"
            " FROM events_status.event_history h JOIN events_status.events e USING (event_id)"
            " WHERE e.external_id = $1 GROUP BY e.event_id",
            external_id,
        ):
            table.add_row(door, row["event_type"], " → ".join(row["statuses"]), row["reason"])
    return table


async def _workflows(stage: Stage) -> Table:
    table = Table("workflow", "service", "state", "runs", title="Technical workflows")
    for row in await stage.rows(
        "SELECT name, service, status, runs FROM workflows.catalogue ORDER BY name"
    ):
        table.add_row(row["name"], row["service"], row["status"], f"{row['runs']:,}")
    return table
