"""What the demo shows of its mails: four people's, the indicators, the live view."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from asyncpg import Record
from rich.table import Table

from services.cli.demo.after import CLICKERS, MACHINES, SOFT_TIMES, row_of
from services.cli.demo.cast import READERS
from services.cli.demo.figures import Json
from services.cli.demo.stage import Stage
from services.cli.demo.story import Story
from services.delivery.domain.qualification import LABELS
from topics.bounces import ErrorReason

GOOD: Final = "[green]✓[/]"
BAD: Final = "[red]✗[/]"


@dataclass(frozen=True, slots=True)
class Shown:
    """A table, and whether what it shows is what was to happen."""

    table: Table
    holds: bool


async def four_people(story: Story) -> Shown:
    """Return what became of the four in both campaigns."""
    first, second = story.first, story.second
    table = Table(
        *("who", "what happened", first.number, "address now", second.number, ""),
        title=f"Four people in {story.cast.town}",
        caption="each run takes others, among those still reachable; nobody is released",
    )
    expected = (
        (f"sent: attempt {SOFT_TIMES + 1}", "sent"),
        ("failed: refused_by_server, 550 5.1.1", "ignored: quarantine"),
        ("failed: user_unknown, 550 5.1.1", "ignored: quarantine"),
        ("sent", "ignored: opted_out"),
    )
    all_hold = True
    for (happened, person), wanted in zip(story.cast.persons.items(), expected, strict=True):
        found = (
            _said(await row_of(story.stage, await first.run_id(), person)),
            _said(await row_of(story.stage, await second.run_id(), person)),
        )
        holds = all(said.startswith(what) for said, what in zip(found, wanted, strict=True))
        all_hold = all_hold and holds
        now = await _address_now(story.stage, person.recipient_key)
        table.add_row(person.name, happened, found[0], now, found[1], GOOD if holds else BAD)
    return Shown(table, all_hold)


def _said(row: Record) -> str:
    if row["outcome"] == "sent":
        return f"sent: attempt {row['attempts']}"
    why = ", ".join(filter(None, (row["reason"], row["code"])))
    return f"{row['outcome']}: {why}"


async def _address_now(stage: Stage, recipient_key: str) -> str:
    blocked = await stage.rows(
        "SELECT status, reason FROM delivery.quarantine"
        " WHERE recipient_key = $1 AND channel = 'email' AND status <> 'valid'",
        recipient_key,
    )
    if blocked:
        label = LABELS[ErrorReason(blocked[0]["reason"])]["en"].lower()
        return f"{blocked[0]['status']}: {label}"
    opted_out = await stage.value(
        "SELECT opted_out FROM targeting.consents WHERE recipient_key = $1 AND channel = 'email'",
        recipient_key,
    )
    return "opted out" if opted_out else "valid"


async def indicators(story: Story) -> Shown:
    """Return the indicators of the first delivery, each beside what it must be."""
    found = story.figures.indicators
    rows = await story.stage.rows(
        "SELECT outcome, count(*) AS number FROM delivery.ledger"
        " WHERE run_id = $1 AND channel = 'email' GROUP BY outcome",
        await story.first.run_id(),
    )
    ledger = {row["outcome"]: row["number"] for row in rows}
    sent, failed = ledger.get("sent", 0), ledger.get("failed", 0)
    ignored = ledger.get("ignored", 0)
    lines = (
        ("Target", found["total_target"], "sent + failed + ignored", sent + failed + ignored),
        ("Rejected", found["rejected"], "ignored in the ledger", ignored),
        ("Messages to deliver", found["to_deliver"], "target − rejected", sent + failed),
        ("Processed", found["processed"], "prepared + errors + success", sent + failed),
        ("Success", found["success"], "sent in the ledger", sent),
        ("Hard bounces", found["hard_bounces"], "refused, and sent back", 2),
        ("Soft bounces", found["soft_bounces"], "the retry ended well", 0),
        ("New quarantines", found["new_quarantines"], "both addresses", 2),
        ("Opens", found["opens"], f"{READERS} readers", READERS),
        ("of them by machines alone", found["machine_opens"], "image proxies", MACHINES),
        ("Clicks", found["clicks"], f"{CLICKERS} readers, once each", CLICKERS),
        ("Mirror pages", found["mirror_pages"], "one reader", 1),
        ("Opt-outs", found["opt_outs"], "one click", 1),
        ("Complaints", found["complaints"], "none", 0),
    )
    as_of = datetime.fromisoformat(found["as_of"])
    title = f"{story.first.number}: indicators, as of {as_of:%H:%M:%S} UTC"
    table = Table("indicator", "value", "is", "", title=title)
    for name, value, why, wanted in lines:
        table.add_row(name, f"{value:,}", why, GOOD if value == wanted else BAD)
    table.add_section()
    table.add_row("Raw reactivity", _percent(found["reactivity"]), "clicks ÷ opens", "")
    table.add_row(
        *("Estimated reactivity", _percent(found["estimated_reactivity"])),
        *("clicks ÷ estimated opens", ""),
    )
    return Shown(table, all(value == wanted for _, value, _, wanted in lines))


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.1%}"


def live(shown: Json, number: str) -> Table:
    """Return a run as the live view shows it."""
    as_of = datetime.fromisoformat(shown["as_of"])
    kinds = ("sent", "failed", "deferred", "opens", "clicks")
    table = Table("", *kinds, title=f"{number}: live view, as of {as_of:%H:%M:%S} UTC")
    for name, span in (("last minute", "minute"), ("last hour", "hour"), ("in all", "total")):
        table.add_row(name, *(f"{shown[span][kind]:,}" for kind in kinds))
    return table
