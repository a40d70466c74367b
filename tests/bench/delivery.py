"""How fast mails leave: durable, personalised, each with its row and outcome, into a real sink."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.mailing import cpu_seconds, peak_mb, site, smtp_sink
from tests.bench.results import Figure
from tests.servers import Servers

MESSAGES: Final = 100_000
FLOOR: Final = 5_000.0


@dataclass(frozen=True, slots=True)
class Mailing:
    """One campaign's figures: messages a second from the command to the finished run."""

    per_s: float
    sender_cpu_share: float
    sender_peak_mb: float


async def one_campaign(
    servers: Servers, folder: Path, messages: int, *, senders: int = 1, **more: str
) -> Mailing:
    """Send a campaign over ``messages`` contacts; the clock runs from its start to its end."""
    with smtp_sink() as port:
        async with site(servers, folder, port, **more) as made:
            campaign = await made.approved(messages)
            for _ in range(senders):
                made.add_sender()
            await made.ready()
            before = sum(cpu_seconds(one.pid) for one in made.senders)
            began = time.perf_counter()
            await made.runtime.execute(campaign.start())
            await made.finished(campaign)
            seconds = time.perf_counter() - began
            cpu = sum(cpu_seconds(one.pid) for one in made.senders) - before
            peak = max(peak_mb(one.pid) for one in made.senders)
            sent = await made.owner.fetchval(
                "SELECT count(*) FROM delivery.ledger WHERE run_id = $1 AND outcome = 'sent'",
                campaign.run_id,
            )
            assert sent == messages, f"{sent} of {messages} were sent"
    return Mailing(messages / seconds, cpu / seconds, peak)


async def measure(servers: Servers, *, messages: int, runs: int) -> list[Figure]:
    """Measure a campaign's e-mails."""
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        found = [await one_campaign(servers, Path(name), messages) for _ in range(runs)]
    return [
        Figure(
            "delivery.email_per_s",
            "messages/s",
            [one.per_s for one in found],
            FLOOR,
            "two cores that also carry PostgreSQL, Kafka and the sink",
        ),
        Figure(
            "delivery.sender_cpu_share",
            "cores",
            [one.sender_cpu_share for one in found],
            None,
            "the sender's process alone",
        ),
        Figure(
            "delivery.sender_peak_mb", "MB", [one.sender_peak_mb for one in found], None, "memory"
        ),
    ]
