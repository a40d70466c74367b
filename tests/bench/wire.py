"""SMTP alone: ``python -m tests.bench.wire`` sends to smtp-sink, beside postfix's own C client."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvloop

from deploy.embedded.ports import HOST, accepts, free_port
from services.delivery.domain.runs import Verdict
from services.delivery.settings import DeliverySettings
from services.delivery.smtp import Connection, Mail
from shared import logs
from tests.bench.databases import SECRET
from tests.bench.results import Figure, write
from tests.waiting import eventually

MESSAGES = 30_000
RUNS = 3
MAIL_BYTES = 5_000
BATCH = 500
LINE = b"x" * 70 + b"\r\n"
CONTENT = b"Subject: bench\r\n\r\n" + LINE * (MAIL_BYTES // len(LINE))


@dataclass(frozen=True, slots=True)
class Sent:
    """One measurement: mails a second, and this process's CPU time for each."""

    per_s: float
    cpu_us: float


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise SystemExit(f"{name} is not installed: apt-get install postfix")
    return found


@asynccontextmanager
async def _sink() -> AsyncIterator[int]:
    port = free_port()
    sink = await asyncio.create_subprocess_exec(
        _program("smtp-sink"), "-u", "nobody", f"{HOST}:{port}", "64"
    )
    try:
        await eventually(lambda: accepts(port), what="smtp-sink")
        yield port
    finally:
        sink.terminate()
        await sink.wait()


def _mails(count: int) -> Iterator[Mail]:
    for number in range(count):
        yield Mail("news@sender.example", f"person{number}@sample.example", CONTENT)


async def _share(connection: Connection, count: int) -> None:
    for start in range(0, count, BATCH):
        mails = _mails(min(BATCH, count - start))
        answers = await connection.send_many(mails, until=time.monotonic() + 60)
        lost = [answer for answer in answers if answer.verdict is not Verdict.SENT]
        if lost:
            raise SystemExit(f"{len(lost)} mails did not leave: {lost[0]}")


async def ours(port: int, *, connections: int, messages: int) -> Sent:
    """Send over our own client, in this process."""
    settings = DeliverySettings.model_validate(
        {
            "database_url": "postgresql://nobody@127.0.0.1:1/none",
            "kafka_bootstrap": "127.0.0.1:1",
            "muster_secret_key": SECRET,
            "smtp_port": port,
        }
    )
    opened = [Connection(settings) for _ in range(connections)]
    for connection in opened:
        await connection.ensure()
    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(_share(one, messages // connections) for one in opened))
    took, cpu = time.perf_counter() - started, time.process_time() - cpu
    for connection in opened:
        await connection.close()
    return Sent(messages / took, cpu / messages * 1_000_000)


async def theirs(port: int, *, connections: int, messages: int) -> float:
    """Return mails a second of postfix's own C client, which waits for each reply."""
    started = time.perf_counter()
    source = await asyncio.create_subprocess_exec(
        _program("smtp-source"),
        *("-d", "-s", str(connections), "-l", str(MAIL_BYTES), "-m", str(messages)),
        f"{HOST}:{port}",
    )
    if await source.wait() != 0:
        raise SystemExit("smtp-source failed")
    return messages / (time.perf_counter() - started)


async def measure(*, messages: int, runs: int) -> list[Figure]:
    """Return the figures of our client and of smtp-source, measured in turns."""
    rates: dict[str, list[float]] = {}
    for _ in range(runs):
        async with _sink() as port:
            for connections in (1, 4):
                sent = await ours(port, connections=connections, messages=messages)
                rates.setdefault(f"smtp.connections_{connections}_per_s", []).append(sent.per_s)
                rates.setdefault("smtp.cpu_per_mail", []).append(sent.cpu_us)
                source = await theirs(port, connections=connections, messages=messages)
                rates.setdefault(f"smtp.source_{connections}_per_s", []).append(source)
    return [Figure(name, _unit(name), runs, None, BOUNDS[name]) for name, runs in rates.items()]


BOUNDS = {
    "smtp.connections_1_per_s": "smtp-sink, one core",
    "smtp.connections_4_per_s": "smtp-sink, one core",
    "smtp.cpu_per_mail": "the kernel's part of a write",
    "smtp.source_1_per_s": "a round trip a command",
    "smtp.source_4_per_s": "smtp-sink, one core",
}


def _unit(name: str) -> str:
    return "µs" if name == "smtp.cpu_per_mail" else "mails/s"


def main() -> None:
    """Measure, write ``docs/results/smtp.json``, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.wire")
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--runs", type=int, default=RUNS)
    arguments = parser.parse_args()
    logs.configure(level="warning", service="bench")
    figures = uvloop.run(measure(messages=arguments.messages, runs=arguments.runs))
    for figure in figures:
        print(figure.name, figure.unit, *(f"{one:,.0f}" for one in figure.runs))  # noqa: T201 - a command's answer
    print(f"written to {write('smtp', 'python -m tests.bench.wire', figures)}")  # noqa: T201 - the same


if __name__ == "__main__":
    main()
