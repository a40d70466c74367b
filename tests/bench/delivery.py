"""How fast mails leave: durable, personalised, each with its row and outcome, into a real sink."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.mailing import cpu_seconds, peak_mb, server_pids, site, smtp_sink
from tests.bench.results import Figure
from tests.servers import Servers

MESSAGES: Final = 100_000
FLOOR: Final = 5_000.0
ROOT: Final = Path(".muster/bench")


@dataclass(frozen=True, slots=True)
class Mailing:
    """One campaign's figures.

    Attributes:
        per_s: messages a second from the command to the finished run.
        cores: CPU seconds a second of the sender's, PostgreSQL's, Kafka's and the sink's processes.
    """

    per_s: float
    cores: dict[str, float]
    sender_peak_mb: float


async def one_campaign(
    servers: Servers,
    folder: Path,
    messages: int,
    *,
    root: Path = ROOT,
    senders: int = 1,
    **more: str,
) -> Mailing:
    """Send a campaign over ``messages`` contacts; the clock runs from its start to its end."""
    with smtp_sink() as sink:
        async with site(servers, folder, sink, **more) as made:
            campaign = await made.approved(messages)
            for _ in range(senders):
                made.add_sender()
            await made.ready()
            pids = {"sink": [sink.pid], "sender": [one.pid for one in made.senders]}
            pids |= server_pids(root)
            before = _cpu(pids)
            began = time.perf_counter()
            await made.runtime.execute(campaign.start())
            await made.finished(campaign)
            seconds = time.perf_counter() - began
            after = _cpu(pids)
            peak = max(peak_mb(one.pid) for one in made.senders)
            sent = await made.owner.fetchval(
                "SELECT count(*) FROM delivery.ledger WHERE run_id = $1 AND outcome = 'sent'",
                campaign.run_id,
            )
            assert sent == messages, f"{sent} of {messages} were sent"
    cores = {name: (after[name] - before[name]) / seconds for name in pids}
    return Mailing(messages / seconds, cores, peak)


def _cpu(pids: dict[str, list[int]]) -> dict[str, float]:
    return {name: sum(cpu_seconds(pid) for pid in found) for name, found in pids.items()}


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
            "delivery.sender_cores",
            "cores",
            [one.cores["sender"] for one in found],
            None,
            "the sender's process alone",
        ),
        Figure(
            "delivery.sender_peak_mb", "MB", [one.sender_peak_mb for one in found], None, "memory"
        ),
    ]
