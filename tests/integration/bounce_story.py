"""What the tests of bounces share: a campaign that was sent, and mails that come back."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.ports import free_port
from services.delivery.app import SERVICE
from services.delivery.bounces.receiver import run_receiver
from services.delivery.bounces.workflow import bounces
from services.delivery.invariants import broken
from services.delivery.progress import look
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET
from tests.integration.delivery_harness import (
    Case,
    Catcher,
    add_operators,
    approved,
    catching,
    finished,
    member,
    sending,
    work_off,
)
from tests.waiting import PATIENCE, eventually

DOMAIN = "bounces.example.org"


@dataclass(slots=True)
class Setting:
    runtime: Runtime
    catcher: Catcher
    port: int


@asynccontextmanager
async def set_up(open_service: Open, folder: Path, **more: str) -> AsyncIterator[Setting]:
    """Open a delivery service that receives bounces, with a mail catcher of its own."""
    port = free_port()
    async with catching(folder) as catcher:
        runtime = await open_service(
            SERVICE,
            SMTP_PORT=str(catcher.port),
            PROGRESS_SECONDS="0.1",
            BOUNCE_DOMAIN=DOMAIN,
            BOUNCE_SMTP_PORT=str(port),
            **more,
        )
        await add_operators(runtime)
        yield Setting(runtime, catcher, port)


@asynccontextmanager
async def receiving(setting: Setting) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_receiver(setting.runtime, stop))

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", setting.port)
        except OSError:
            return False
        writer.close()
        return True

    await eventually(listens, what="the receiver")
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


async def send(setting: Setting, to: str, *mails: bytes) -> None:
    def over_smtp() -> None:
        with smtplib.SMTP("127.0.0.1", setting.port, timeout=20) as client:
            for mail in mails:
                client.sendmail("", [to], mail)

    await asyncio.to_thread(over_smtp)


async def work_bounces(runtime: Runtime) -> None:
    more = True
    while more:
        async with runtime.uow.begin() as work:
            more = (await bounces(work)).more
    await look(runtime)


async def sent_to(setting: Setting, *addresses: str) -> tuple[Case, dict[str, str]]:
    """Send a campaign; return it and each mail's envelope sender by address."""
    case = Case([member(address) for address in addresses])
    async with sending(setting.runtime):
        await approved(setting.runtime, case, service=False)
        await setting.runtime.execute(case.start())
        await work_off(setting.runtime)
        await finished(setting.runtime, case)
    mails = await setting.catcher.store.after(0, 1_000)
    return case, {mail.recipients[0]: mail.mail_from for mail in mails}


async def row_of(runtime: Runtime, case: Case, address: str) -> tuple[str, str, str]:
    row = await runtime.pool.fetchrow(
        "SELECT outcome, reason, code FROM ledger WHERE run_id = $1 AND recipient_key = $2",
        case.run_id,
        key_of(address),
    )
    assert row is not None
    return row["outcome"], row["reason"], row["code"]


def key_of(address: str) -> str:
    return recipient_key(SECRET.encode(), "email", address)


async def standing(runtime: Runtime, address: str) -> tuple[str, int, int]:
    row = await runtime.pool.fetchrow(
        "SELECT status, soft_errors, reason FROM quarantine WHERE recipient_key = $1",
        key_of(address),
    )
    return (row["status"], row["soft_errors"], row["reason"]) if row else ("valid", 0, 0)


async def sound(runtime: Runtime) -> None:
    async with runtime.uow.begin() as work:
        assert await broken(work.connection) == []
