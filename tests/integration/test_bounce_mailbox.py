"""The mailbox of bounces, polled over IMAP: a mail is a row before it is removed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

import pytest

from services.delivery.app import SERVICE
from services.delivery.bounces.mailbox import Mailbox, empty, run_mailbox
from services.delivery.settings import DeliverySettings
from shared.service import Runtime
from tests.bounce_mails import dsn
from tests.conftest import Open
from tests.integration.dovecot import PASSWORD, PROGRAM, Dovecot, dovecot
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Debian's dovecot-imapd")


@pytest.fixture
async def server() -> AsyncIterator[Dovecot]:
    async with dovecot() as found:
        yield found


@pytest.fixture
async def runtime(open_service: Open, server: Dovecot) -> Runtime:
    return await open_service(
        SERVICE,
        BOUNCE_IMAP_HOST="127.0.0.1",
        BOUNCE_IMAP_PORT=str(server.port),
        BOUNCE_IMAP_TLS="none",
        BOUNCE_IMAP_USERNAME="bounces",
        BOUNCE_IMAP_PASSWORD=PASSWORD,
        BOUNCE_IMAP_SECONDS="0.1",
        BOUNCE_MAX_BYTES="10000",
    )


def settings_of(runtime: Runtime) -> DeliverySettings:
    return cast("DeliverySettings", runtime.settings)


def some(count: int) -> list[bytes]:
    return [dsn("b@x.org", f"a{n}@x.example") for n in range(count)]


async def rows(runtime: Runtime) -> list[int]:
    return [len(row["raw"]) for row in await runtime.pool.fetch("SELECT raw FROM inbound_mails")]


async def test_mails_become_rows_and_leave_the_mailbox(runtime: Runtime, server: Dovecot) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(run_mailbox(runtime, stop))
    server.deliver(*some(45))
    await eventually(lambda: server.left() == 0, what="an empty mailbox")
    assert len(await rows(runtime)) == 45
    server.deliver(b"Subject: big\r\n\r\n" + b"x" * 50_000)
    await eventually(lambda: server.left() == 0, what="an empty mailbox")
    stop.set()
    await asyncio.wait_for(task, PATIENCE)
    assert max(await rows(runtime)) == 10_000, "the rest of a big one is not looked at"
    assert await runtime.pool.fetchval("SELECT count(*) FROM workflow_wakes") > 0


class Died(Exception):
    pass


async def test_a_mail_taken_by_a_run_that_died_or_by_two_at_once_is_one_row(
    runtime: Runtime, server: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.deliver(*some(30))
    settings, stop = settings_of(runtime), asyncio.Event()
    with monkeypatch.context() as patched:

        def dies(_mailbox: Mailbox, _uids: list[str]) -> None:
            raise Died

        patched.setattr(Mailbox, "remove", dies)
        with pytest.raises(Died):
            await empty(runtime, settings, stop)
    assert (len(await rows(runtime)), server.left()) == (20, 30)
    await asyncio.gather(*(empty(runtime, settings, stop) for _ in range(2)))
    assert (len(await rows(runtime)), server.left()) == (30, 0)


async def test_what_cannot_be_kept_stays_in_the_mailbox(
    runtime: Runtime, server: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.deliver(*some(3))

    async def fails(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr("services.delivery.bounces.mailbox.keep", fails)
        with pytest.raises(ConnectionResetError):
            await empty(runtime, settings_of(runtime), asyncio.Event())
    assert server.left() == 3


async def test_a_server_that_says_nothing_holds_up_no_stop(open_service: Open) -> None:
    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    runtime = await open_service(
        SERVICE,
        BOUNCE_IMAP_HOST="127.0.0.1",
        BOUNCE_IMAP_PORT=str(server.sockets[0].getsockname()[1]),
        BOUNCE_IMAP_TLS="none",
    )
    stop = asyncio.Event()
    task = asyncio.create_task(run_mailbox(runtime, stop))
    await eventually(lambda: held, what="a connection")
    stop.set()
    await asyncio.wait_for(task, PATIENCE)
    for writer in held:
        with contextlib.suppress(OSError):
            writer.close()
    server.close()


async def test_a_wrong_password_is_no_crash_and_the_next_look_comes(
    open_service: Open, server: Dovecot
) -> None:
    runtime = await open_service(
        SERVICE,
        BOUNCE_IMAP_HOST="127.0.0.1",
        BOUNCE_IMAP_PORT=str(server.port),
        BOUNCE_IMAP_TLS="none",
        BOUNCE_IMAP_USERNAME="bounces",
        BOUNCE_IMAP_PASSWORD="wrong",
        BOUNCE_IMAP_SECONDS="0.1",
    )
    stop = asyncio.Event()
    task = asyncio.create_task(run_mailbox(runtime, stop))
    log = server.folder / "log"
    await eventually(lambda: log.read_text().count("auth failed") > 1, what="two refusals")
    assert not task.done()
    stop.set()
    await asyncio.wait_for(task, PATIENCE)
