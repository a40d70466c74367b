"""What the demo shows of its recurring campaign: which date became which campaign."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rich.table import Table

from services.cli.demo.mail_tables import BAD, GOOD, Shown
from services.cli.demo.recurring import TIMES, Recurring

ON_TIME: Final = timedelta(minutes=10)
"""After its date, by the driven clock; a slow machine takes its time too."""


async def occurrences(recurring: Recurring) -> Shown:
    """Return the dates of the schedule, what became of each, and when its first mail left."""
    table = Table(
        *("date", "campaign", "label", "state", "sent", "first mail left", ""),
        title=f"{recurring.campaign.number}: occurrences, on a driven clock",
    )
    rows = await recurring.occurrences()
    all_hold = len(rows) == TIMES
    for number, row in enumerate(rows, start=1):
        first_at = row["first_at"]
        late = first_at - row["starts_at"] if first_at else None
        holds = (
            row["status"] == "finished"
            and row["label"].endswith(f"#{number}")
            and late is not None
            and timedelta() <= late < ON_TIME
        )
        all_hold = all_hold and holds
        left = first_at.astimezone(ZoneInfo(row["zone"])) if first_at else None
        table.add_row(
            f"{row['local_at']:%Y-%m-%d %H:%M} {row['zone']}",
            f"C-{row['number']}",
            row["label"],
            row["status"],
            f"{row['sent']:,}",
            f"{left:%Y-%m-%d %H:%M:%S}" if left else "–",
            GOOD if holds else BAD,
        )
    return Shown(table, all_hold)
