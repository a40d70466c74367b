"""How fast mails leave: durable, personalised, each with its row and outcome, into a real sink.

Every process runs on the same machine: PostgreSQL, Kafka and the sink take their part of its cores.
What is compared is measured in one run.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.delivery.dkim import keeping
from services.delivery.dkim.signing import Algorithm
from tests.bench import bounces, letters, tracking
from tests.bench.mailing import MAIL_BYTES, SENDER_DOMAIN, Campaign, Site, site
from tests.bench.processes import cpu_of, peak_mb, program, server_pids, smtp_sink
from tests.bench.results import Figure
from tests.servers import Servers
from tests.waiting import eventually

MESSAGES: Final = 100_000
FLOOR: Final = 5_000.0
ROOT: Final = Path(".muster/bench")
REALTIME_A_SECOND: Final = 300
REALTIME_SECONDS: Final = 15
OLD_ROWS: Final = 10_000_000
MANY: Final = 1_000_000
BOUND: Final = "two cores, shared with PostgreSQL, Kafka and the sink"


@dataclass(frozen=True, slots=True)
class Mailing:
    """One campaign's figures.

    Attributes:
        per_s: messages a second from the command to the finished run, with the ledger's filling.
        cores: CPU seconds a second of the sender's, PostgreSQL's, Kafka's and the sink's processes.
        peak_mb: the peak resident memory of the sender's processes, the largest.
    """

    per_s: float
    cores: dict[str, float]
    peak_mb: float


@dataclass
class Bench:
    """Where the figures are measured: the servers, a folder for logs, the servers' own folder."""

    servers: Servers
    folder: Path
    root: Path = ROOT
    found: dict[str, list[float]] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self, *, senders: int = 1, **more: str) -> AsyncIterator[tuple[Site, int]]:
        """Yield an instance with its processes up, and its sink's pid."""
        for log in self.folder.glob("*.log"):
            log.unlink()
        with smtp_sink() as sink:
            async with site(self.servers, self.folder, sink, **more) as made:
                for _ in range(senders):
                    made.add_sender()
                await made.ready()
                yield made, sink.pid

    async def campaign(
        self,
        messages: int,
        *,
        senders: int = 1,
        algorithm: Algorithm | None = None,
        old_rows: int = 0,
        **more: str,
    ) -> Mailing:
        """Send a campaign over ``messages`` contacts."""
        async with self.running(senders=senders, **more) as (made, sink):
            if algorithm is not None:
                await _sign(made, algorithm)
            if old_rows:
                await made.age(old_rows)
            campaign = await made.approved(messages)
            return await self.sent(made, campaign, sink)

    async def sent(self, made: Site, campaign: Campaign, sink: int) -> Mailing:
        """Start a campaign and wait for its end; everybody must have got it."""
        pids = {"sender": [one.pid for one in made.senders], "sink": [sink]}
        pids |= server_pids(self.root)
        before = cpu_of(pids)
        began = time.perf_counter()
        await made.runtime.execute(campaign.start())
        await made.finished(campaign)
        seconds = time.perf_counter() - began
        after = cpu_of(pids)
        sent = await made.sent(campaign)
        assert sent == campaign.count, f"{sent} of {campaign.count} were sent"
        return Mailing(
            campaign.count / seconds,
            {name: (after[name] - before[name]) / seconds for name in pids},
            max(peak_mb(one.pid) for one in made.senders),
        )

    async def realtime(self, messages: int) -> list[float]:
        """Return the times (ms) of single messages asked for while a campaign runs.

        From the ledger row's time to the outcome's, which is written after the server's answer.
        """
        async with self.running() as (made, _):
            campaign = await made.approved(messages)
            template_id = await made.receipt()
            await made.runtime.execute(campaign.start())
            await eventually(lambda: made.sent(campaign), seconds=60, what="the first message")
            asked = await made.ask(template_id, REALTIME_A_SECOND, REALTIME_SECONDS)
            under_way = await made.sent(campaign) < campaign.count
            assert under_way, "the campaign ended too soon: give it more messages"
            return await made.times(asked)

    async def beside_a_limited_one(self, messages: int) -> float:
        """Return a campaign's rate beside one limited to a message a minute, of its rate alone.

        Alone, twice beside the other, alone: what a growing ledger costs falls on both alike.
        """
        async with self.running() as (made, sink):

            async def sent() -> float:
                return (await self.sent(made, await made.approved(messages), sink)).per_s

            first = await sent()
            slow = await made.approved(messages)
            await made.runtime.execute(slow.start(rate_per_minute=1))
            await eventually(lambda: made.filled(slow), what="the slow one's ledger")
            await eventually(lambda: made.sent(slow), what="the slow one's first")
            beside = [await sent(), await sent()]
            assert await made.sent(slow) < 10, "the slow campaign was not slow"
            await made.stop(slow)
            alone = [first, await sent()]
            return sum(1 / rate for rate in alone) / sum(1 / rate for rate in beside)


async def _sign(made: Site, algorithm: Algorithm) -> None:
    async with made.runtime.uow.begin() as work:
        await keeping.add(
            work, domain=SENDER_DOMAIN, selector=None, algorithm=algorithm, in_hours=0
        )


def sink_alone(messages: int) -> float:
    """Return what the sink takes from Debian's own client: messages of the same size, a second."""
    with smtp_sink() as sink:
        began = time.perf_counter()
        subprocess.run(
            [
                *(program("smtp-source"), "-s", "4", "-d", "-l", str(MAIL_BYTES)),
                *("-m", str(messages), f"127.0.0.1:{sink.port}"),
            ],
            check=True,
            timeout=300,
        )
        return messages / (time.perf_counter() - began)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def measure(servers: Servers, *, messages: int, runs: int, whole: bool) -> list[Figure]:
    """Measure the delivery engine; ``whole`` adds the million and the ten million rows."""
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        bench = Bench(servers, Path(name))
        figures = await _speed(bench, messages, runs)
        figures += await _beside(bench, messages, runs)
        if whole:
            figures += await _size(bench, messages)
    figures += await letters.measure(runs=runs)
    figures += await tracking.measure(servers, runs=runs)
    return figures + await bounces.measure(servers, runs=runs)


async def _speed(bench: Bench, messages: int, runs: int) -> list[Figure]:
    """Return the campaign's rate beside the sink's own, signed, and by more processes."""
    plain, rsa, edwards, two, alone = [], [], [], [], []
    for _ in range(runs):
        alone.append(sink_alone(messages))
        plain.append(await bench.campaign(messages))
        rsa.append((await bench.campaign(messages, algorithm=Algorithm.RSA)).per_s)
        edwards.append((await bench.campaign(messages, algorithm=Algorithm.ED25519)).per_s)
        two.append((await bench.campaign(messages, senders=2)).per_s)
    rates = [one.per_s for one in plain]
    signing = "one signature a message, by cryptography, one core"
    figures = [
        Figure("delivery.email_per_s", "messages/s", rates, FLOOR, BOUND),
        Figure("delivery.email_two_senders_per_s", "messages/s", two, None, BOUND),
        Figure("delivery.email_dkim_rsa_per_s", "messages/s", rsa, None, signing),
        Figure("delivery.email_dkim_ed25519_per_s", "messages/s", edwards, None, signing),
        Figure("delivery.sink_alone_per_s", "messages/s", alone, None, "smtp-sink, one thread"),
        Figure("delivery.sender_peak_mb", "MB", [one.peak_mb for one in plain], None, "windows"),
    ]
    for name in plain[0].cores:
        cores = [one.cores[name] * 1000 for one in plain]
        figures.append(Figure(f"delivery.{name}_millicores", "cores/1000", cores, None, BOUND))
    return figures


async def _beside(bench: Bench, messages: int, runs: int) -> list[Figure]:
    """Return what single messages and a second campaign notice of a campaign that runs."""
    times = [await bench.realtime(messages) for _ in range(runs)]
    shares = [100 * await bench.beside_a_limited_one(messages // 2) for _ in range(runs)]
    waits = "the urgent connection's next look at the queue, and the cores"
    return [
        Figure("delivery.realtime_p50_ms", "ms", [percentile(t, 0.5) for t in times], None, waits),
        Figure("delivery.realtime_p99_ms", "ms", [percentile(t, 0.99) for t in times], None, waits),
        Figure(
            "delivery.beside_a_limited_one_percent",
            "% of its rate alone",
            shares,
            95.0,
            "nothing: a limited slice is given back until its time",
        ),
    ]


async def _size(bench: Bench, messages: int) -> list[Figure]:
    """Return the rate and the memory of a million messages, and the rate over a big ledger."""
    many = await bench.campaign(MANY)
    small = await bench.campaign(messages)
    large = await bench.campaign(messages, old_rows=OLD_ROWS)
    return [
        Figure("delivery.email_million_per_s", "messages/s", [many.per_s], FLOOR, BOUND),
        Figure("delivery.sender_peak_million_mb", "MB", [many.peak_mb], None, "windows, not rows"),
        Figure(
            "delivery.over_ten_million_rows_percent",
            "% of the rate over an empty ledger",
            [100 * large.per_s / small.per_s],
            80.0,
            "index depth, and what of it the cache holds",
        ),
    ]
