"""Bounces: from the SMTP receiver to ledger rows and quarantine, each durable before its 250."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final, cast
from uuid import UUID, uuid4

from deploy.embedded.ports import free_port
from services.delivery.app import SERVICE
from services.delivery.bounces.receiver import run_receiver
from services.delivery.bounces.verp import envelope_sender
from services.delivery.bounces.workflow import bounces
from services.delivery.settings import DeliverySettings
from shared.ids import new_id, recipient_key
from shared.service import Runtime, open_runtime
from tests.bench.databases import instance
from tests.bench.results import Figure
from tests.bounce_mails import dsn
from tests.servers import Servers
from tests.waiting import eventually

BOUNCES: Final = 5_000
CONNECTIONS: Final = 16
DOMAIN: Final = "bounces.example.org"
_RUN: Final = """
INSERT INTO runs (run_id, kind, state, count, filled, retry_until, asked_at, started_at)
VALUES ($1, 'campaign', 'finished', $2, true, now(), now(), now())
"""


async def measure(servers: Servers, *, count: int = BOUNCES, runs: int = 3) -> list[Figure]:
    """Measure how many bounces a second are received, and received, read and counted."""
    found = [await _one_run(servers, count) for _ in range(runs)]
    received, done = (list(one) for one in zip(*found, strict=True))
    return [
        Figure(
            "delivery.bounces_received_per_s",
            "bounces/s",
            received,
            None,
            "aiosmtpd's line by line reading; client and receiver in one Python process",
        ),
        Figure(
            "delivery.bounces_per_s",
            "bounces/s",
            done,
            None,
            "the same process parses them too, with the standard library",
        ),
    ]


async def _one_run(servers: Servers, count: int) -> tuple[float, float]:
    """Return bounces/s until the last 250, and until the last is read and its row is failed."""
    port = free_port()
    async with instance(servers, SERVICE, bounce_domain=DOMAIN, bounce_smtp_port=str(port)) as (
        settings,
        _,
    ):
        runtime = await open_runtime(SERVICE, settings)
        mails = await _sent(runtime, count)
        stop = asyncio.Event()
        receiver = asyncio.create_task(run_receiver(runtime, stop))
        await eventually(lambda: _listens(port), what="the receiver")
        started = time.perf_counter()
        reading = asyncio.create_task(_read(runtime, count))
        await asyncio.gather(*(_send(port, mails[i::CONNECTIONS]) for i in range(CONNECTIONS)))
        received = count / (time.perf_counter() - started)
        await reading
        done = count / (time.perf_counter() - started)
        await _all_counted(runtime, count)
        stop.set()
        await receiver
        await runtime.pool.close()
    return received, done


async def _sent(runtime: Runtime, count: int) -> list[tuple[str, bytes]]:
    """Write a run whose messages have all left; return each one's bounce, with where it goes."""
    settings = cast("DeliverySettings", runtime.settings)
    run_id, members = new_id(), [uuid4() for _ in range(count)]
    addresses = [f"person{n}@x{n % 50}.example" for n in range(count)]
    keys = [recipient_key(settings.secret, "email", address) for address in addresses]
    now = runtime.clock.now()
    async with runtime.uow.begin() as work:
        await work.connection.execute(_RUN, run_id, count)
        await work.connection.copy_records_to_table(
            "ledger",
            records=[
                (run_id, member, key, "email", "sent", "250", address, {}, 1, now)
                for member, key, address in zip(members, keys, addresses, strict=True)
            ],
            columns=(
                *("run_id", "member_id", "recipient_key", "channel", "outcome", "code"),
                *("address", "merge", "attempts", "outcome_at"),
            ),
        )
    return [_bounce(settings, run_id, *one) for one in zip(members, addresses, strict=True)]


def _bounce(
    settings: DeliverySettings, run_id: UUID, member_id: UUID, address: str
) -> tuple[str, bytes]:
    to = envelope_sender(settings, run_id, member_id, "news@example.org")
    return to, dsn(to, address)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _send(port: int, mails: Sequence[tuple[str, bytes]]) -> None:
    """Hand bounces over on one connection, one command a round trip, as servers do."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def say(text: bytes, expected: bytes) -> None:
        if text:
            writer.write(text)
        line = await reader.readline()
        while line[3:4] == b"-":
            line = await reader.readline()
        assert line.startswith(expected), line

    await say(b"", b"220")
    await say(b"EHLO mx.example\r\n", b"250")
    for to, mail in mails:
        await say(b"MAIL FROM:<>\r\n", b"250")
        await say(f"RCPT TO:<{to}>\r\n".encode(), b"250")
        await say(b"DATA\r\n", b"354")
        await say(mail + b".\r\n", b"250")
    writer.close()


async def _read(runtime: Runtime, count: int) -> None:
    """Do what the workflow does, until every bounce is read."""
    handled = 0
    while handled < count:
        async with runtime.uow.begin() as work:
            step = await bounces(work)
        handled = await _handled(runtime)
        if not step.more:
            await asyncio.sleep(0.02)


async def _handled(runtime: Runtime) -> int:
    number: int = await runtime.pool.fetchval(
        "SELECT count(*) FROM inbound_mails WHERE handled_at IS NOT NULL"
    )
    return number


async def _all_counted(runtime: Runtime, count: int) -> None:
    for query in (
        "SELECT count(*) FROM ledger WHERE outcome = 'failed' AND reason = 'user_unknown'",
        "SELECT count(*) FROM quarantine WHERE status = 'quarantine'",
    ):
        found = await runtime.pool.fetchval(query)
        assert found == count, f"{found} of {count}: {query}"
