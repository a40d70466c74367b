"""The SMTP receiver: kept before the 250, closed to strangers, unimpressed by hostile input."""

from __future__ import annotations

import asyncio
import os
import smtplib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.bounce_mails import dsn
from tests.conftest import REPOSITORY, Open
from tests.instances import Instance
from tests.integration.bounce_story import DOMAIN, Setting, receiving, send, set_up
from tests.waiting import eventually


@pytest.fixture
async def setting(open_service: Open, tmp_path: Path) -> AsyncIterator[Setting]:
    async with set_up(open_service, tmp_path) as found:
        yield found


async def mails(setting: Setting) -> int:
    count: int = await setting.runtime.pool.fetchval("SELECT count(*) FROM inbound_mails")
    return count


async def refused(setting: Setting, to: str, mail: bytes = b"Subject: x\r\n\r\ny\r\n") -> int:
    """Return the code with which a mail is refused."""
    with pytest.raises(smtplib.SMTPException) as caught:
        await send(setting, to, mail)
    problem = caught.value
    if isinstance(problem, smtplib.SMTPRecipientsRefused):
        return next(iter(problem.recipients.values()))[0]
    assert isinstance(problem, smtplib.SMTPResponseException)
    return problem.smtp_code


async def test_it_takes_mail_for_its_domain_and_tokens_it_signed_alone(setting: Setting) -> None:
    async with receiving(setting):
        assert await refused(setting, "somebody@elsewhere.example") == 550
        assert await refused(setting, f"b+{'a' * 61}@{DOMAIN}") == 550
        assert await refused(setting, f"b+short@{DOMAIN}") == 550
        await send(setting, f"complaints@{DOMAIN.upper()}", b"Subject: x\r\n\r\ny\r\n")
    assert await mails(setting) == 1


async def test_too_big_a_mail_is_refused_and_long_lines_are_not(setting: Setting) -> None:
    async with receiving(setting):
        assert await refused(setting, f"b@{DOMAIN}", b"a\r\n" * 1_000_000) == 552
        await send(setting, f"b@{DOMAIN}", b"Subject: x\r\n\r\n" + b"y" * 20_000 + b"\r\n")
    assert await mails(setting) == 1


async def test_what_cannot_be_kept_is_not_accepted_and_comes_again(
    setting: Setting, instance: Instance
) -> None:
    owner = await asyncpg.connect(instance.database_url)
    mail = dsn(f"b@{DOMAIN}", "one@x.example")
    async with receiving(setting):
        await owner.execute("ALTER TABLE delivery.inbound_mails RENAME TO elsewhere")
        assert await refused(setting, f"b@{DOMAIN}", mail) == 451
        await owner.execute("ALTER TABLE delivery.elsewhere RENAME TO inbound_mails")
        await send(setting, f"b@{DOMAIN}", mail)
    await owner.close()
    assert await mails(setting) == 1


async def test_many_connections_are_kept_together_and_each_is_answered(setting: Setting) -> None:
    async with receiving(setting):
        await asyncio.gather(
            *(
                send(setting, f"b@{DOMAIN}", *(f"X: {i}.{n}\r\n\r\n".encode() for n in range(5)))
                for i in range(20)
            )
        )
    assert await mails(setting) == 100


async def test_a_connection_too_many_is_sent_away_and_rubbish_ends_nothing(
    setting: Setting,
) -> None:
    async with receiving(setting):
        held = [await asyncio.open_connection("127.0.0.1", setting.port) for _ in range(100)]
        for reader, _ in held:
            assert (await reader.readline()).startswith(b"220 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", setting.port)
        assert (await reader.readline()).startswith(b"421 ")
        writer.close()
        for i, (_, writer) in enumerate(held):
            writer.write(bytes((i + n * 7) % 256 for n in range(5_000)) + b"\r\nDATA\r\n.\r\n")
            writer.close()

        async def free() -> bool:
            try:
                await send(setting, f"b@{DOMAIN}", b"Subject: x\r\n\r\ny\r\n")
            except (smtplib.SMTPException, OSError):
                return False
            return True

        await eventually(free, what="room for one more")
    assert await mails(setting) == 1


CHILD = """
import asyncio
from services.delivery.app import SERVICE
from services.delivery.bounces.receiver import run_receiver
from services.delivery.settings import DeliverySettings
from shared.service import open_runtime
from shared.settings import load

async def main():
    runtime = await open_runtime(SERVICE, load(DeliverySettings))
    await run_receiver(runtime, asyncio.Event())

asyncio.run(main())
"""


async def test_a_process_killed_between_the_row_and_the_250_leaves_one_row_when_it_comes_again(
    setting: Setting, instance: Instance
) -> None:
    environment = instance.environment(BOUNCE_DOMAIN=DOMAIN, BOUNCE_SMTP_PORT=str(setting.port))
    environment |= {"MUSTER_FAULT": "kill:bounce.before_answer:1", "PYTHONPATH": str(REPOSITORY)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, env=os.environ | environment, cwd=REPOSITORY
    )
    mail = dsn(f"b@{DOMAIN}", "one@x.example")

    async def cut_off() -> bool:
        try:
            await send(setting, f"b@{DOMAIN}", mail)
        except smtplib.SMTPServerDisconnected:
            return True
        except OSError:
            return False
        raise AssertionError("the mail was answered")

    await eventually(cut_off, what="the kill")
    assert await child.wait() == -9
    assert await mails(setting) == 1
    async with receiving(setting):
        await send(setting, f"b@{DOMAIN}", mail)
    assert await mails(setting) == 1
