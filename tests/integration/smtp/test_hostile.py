"""The SMTP client against servers that break every rule there is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from services.delivery.domain.relays import Relay
from services.delivery.smtp import CANNOT_CONNECT, CannotConnect, Connection, Mail, Relays
from tests.integration.smtp.servers import HOST, Visit, scripted, settings_for

CONTENT = b"Subject: a\r\n\r\n" + b"x" * 60 + b"\r\n.\r\nend\r\n"
LONG = 1e12


def mails(count: int, content: bytes = CONTENT) -> list[Mail]:
    return [Mail("news@example.org", f"r{i}@example.net", content, key=i) for i in range(count)]


def verdicts(answers: list[object]) -> list[str]:
    return [one.verdict.value for one in answers]  # type: ignore[attr-defined]  # answers of any test


async def sent(connection: Connection, count: int, *, until: float = LONG) -> list[str]:
    await connection.ensure()
    return verdicts([*await connection.send_many(mails(count), until=until)])


async def takes_all(visit: Visit) -> None:
    await visit.welcome()
    await visit.take(1_000)


async def test_many_mails_leave_over_one_connection() -> None:
    async with scripted(takes_all) as server:
        connection = Connection(settings_for(server.port))
        assert await sent(connection, 50) == ["sent"] * 50
        assert await sent(connection, 50) == ["sent"] * 50
        [answer] = await connection.send_many(mails(1), until=LONG)
        assert (answer.code, answer.relay) == ("250 2.0.0", f"{HOST}:{server.port}")
        await connection.close()
        assert len(server.visits) == 1


@pytest.mark.parametrize("lines", [(), ("421 4.3.2 busy",), ("554 5.3.2 no",), ("hello",)])
async def test_a_server_that_does_not_greet_is_not_one(lines: tuple[str, ...]) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(*lines)

    async with scripted(script) as server:
        connection = Connection(settings_for(server.port))
        with pytest.raises(CANNOT_CONNECT):
            await connection.ensure()
        assert verdicts([*await connection.send_many(mails(2), until=LONG)]) == ["released"] * 2


async def test_a_server_that_never_greets_is_given_up_in_time() -> None:
    async def script(visit: Visit) -> None:
        await visit.hear()

    async with scripted(script) as server:
        connection = Connection(settings_for(server.port, smtp_timeout_seconds=0.2))
        with pytest.raises(TimeoutError):
            await connection.ensure()


async def drops_at_data(visit: Visit) -> None:
    await visit.welcome()
    await visit.hear(3)
    visit.hang_up()


async def drops_before_354(visit: Visit) -> None:
    await visit.welcome()
    await visit.hear(3)
    await visit.say("250 ok", "250 ok")


async def drops_in_content(visit: Visit) -> None:
    await visit.welcome()
    await visit.envelope()
    await visit.reader.read(20)
    visit.hang_up()


async def drops_before_250(visit: Visit) -> None:
    await visit.welcome()
    await visit.envelope()
    await visit.content()
    visit.hang_up()


async def drops_after_250(visit: Visit) -> None:
    await visit.welcome()
    await visit.take(1)


async def refuses_then_drops(visit: Visit) -> None:
    await visit.welcome()
    await visit.hear(3)
    await visit.say("250 ok", "550 5.1.1 no")


async def says_421_at_mail(visit: Visit) -> None:
    await visit.welcome()
    await visit.take(1)
    await visit.say("421 4.7.0 enough")


async def says_421_after_content(visit: Visit) -> None:
    await visit.welcome()
    await visit.envelope()
    await visit.content()
    await visit.say("421 4.7.0 enough")


async def gives_a_wrong_code(visit: Visit) -> None:
    await visit.welcome()
    await visit.envelope()
    await visit.content()
    await visit.say("354 more")


async def gives_an_endless_reply(visit: Visit) -> None:
    await visit.welcome()
    await visit.hear(3)
    await visit.say("250 " + "x" * 1_000_000)


async def counts_wrong(visit: Visit) -> None:
    await visit.welcome()
    await visit.hear(3)
    await visit.say("250 ok", "250 ok", "250 ok", "354 go")


async def answers_twice(visit: Visit) -> None:
    await visit.welcome()
    await visit.envelope()
    await visit.content()
    await visit.say("250 taken", "250 taken")
    await visit.hear(3)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (drops_at_data, ["deferred", "released", "released"]),
        (drops_before_354, ["deferred", "released", "released"]),
        (drops_in_content, ["ambiguous", "released", "released"]),
        (drops_before_250, ["ambiguous", "released", "released"]),
        (drops_after_250, ["sent", "deferred", "released"]),
        (refuses_then_drops, ["failed", "released", "released"]),
        (says_421_at_mail, ["sent", "deferred", "released"]),
        (says_421_after_content, ["deferred", "released", "released"]),
        (gives_a_wrong_code, ["ambiguous", "released", "released"]),
        (gives_an_endless_reply, ["deferred", "released", "released"]),
        (counts_wrong, ["deferred", "released", "released"]),
        (answers_twice, ["sent", "deferred", "released"]),
    ],
)
async def test_a_broken_talk_tells_of_each_mail_what_is_known(
    script: object, expected: list[str]
) -> None:
    async with scripted(script, takes_all) as server:  # type: ignore[arg-type]  # a table of scripts
        connection = Connection(settings_for(server.port), Relays([Relay(HOST, server.port)]))
        assert await sent(connection, 3) == expected


async def test_a_silent_server_is_given_up_and_its_mail_is_in_doubt() -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.envelope()
        await visit.content()
        await visit.hear(4)

    async with scripted(script) as server:
        relays = Relays([Relay(HOST, server.port)])
        connection = Connection(settings_for(server.port, smtp_timeout_seconds=0.3), relays)
        assert await sent(connection, 2) == ["ambiguous", "released"]
        assert relays.resting() == [Relay(HOST, server.port)]


async def test_a_reply_that_drips_without_end_is_no_sign_of_life() -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.hear(3)
        while True:
            visit.writer.write(b"250-x\r\n")
            await visit.writer.drain()
            await asyncio.sleep(0.05)

    async with scripted(script) as server:
        connection = Connection(settings_for(server.port, smtp_timeout_seconds=0.4))
        assert await sent(connection, 1) == ["deferred"]


async def test_a_server_that_reads_slowly_gets_a_large_mail_all_the_same() -> None:
    content = (b"y" * 900 + b"\r\n") * 3_000
    got = bytearray()

    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.envelope()
        while not got.endswith(b"\r\n.\r\n"):
            got.extend(await visit.reader.read(65_536))
            await asyncio.sleep(0.002)
        await visit.say("250 taken")

    async with scripted(script) as server:
        connection = Connection(settings_for(server.port))
        await connection.ensure()
        [answer] = await connection.send_many(mails(1, content), until=LONG)
        assert answer.verdict == "sent"
    assert bytes(got) == content + b".\r\n"


async def test_replies_split_at_every_byte_are_understood() -> None:
    async def script(visit: Visit) -> None:
        async def drip(*lines: str) -> None:
            for byte in "".join(f"{line}\r\n" for line in lines):
                visit.writer.write(byte.encode())
                await visit.writer.drain()
                await asyncio.sleep(0)

        await drip("220-scripted", "220 ready")
        await visit.hear()
        await drip("250-scripted", "250-PIPELINING", "250 SIZE 1000")
        for _ in range(2):
            await visit.hear(3)
            await drip("250-2.1.0 your", "250 2.1.0 sender", "250 2.1.5 ok", "354-go", "354 on")
            await visit.content()
            await drip("250-2.0.0 got", "250 2.0.0 it")

    async with scripted(script) as server:
        connection = Connection(settings_for(server.port))
        assert await sent(connection, 2) == ["sent", "sent"]


async def test_what_a_server_says_unasked_costs_it_the_connection() -> None:
    gone = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.take(1)
        await visit.say("250 surprise")
        await visit.reader.read()
        gone.set()

    async with scripted(script, takes_all) as server:
        connection = Connection(settings_for(server.port))
        assert await sent(connection, 1) == ["sent"]
        assert await sent(connection, 1) in (["sent"], ["deferred"])
        await gone.wait()
        assert await sent(connection, 1) == ["sent"]
        assert len(server.visits) == 2


async def test_a_server_that_closes_after_some_mails_is_asked_again_at_once() -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.take(2)
        await visit.say("421 4.7.0 so many mails a connection")

    async with scripted(script) as server:
        relays = Relays([Relay(HOST, server.port)])
        connection = Connection(settings_for(server.port), relays)
        for _ in range(3):
            assert await sent(connection, 4) == ["sent", "sent", "deferred", "released"]
            assert relays.resting() == []


async def test_no_mail_is_begun_after_its_time() -> None:
    async with scripted(takes_all) as server:
        connection = Connection(settings_for(server.port))
        assert await sent(connection, 45, until=time.monotonic() - 1) == ["released"] * 45
        assert await sent(connection, 1) == ["sent"]


async def test_a_drop_ends_what_is_under_way() -> None:
    heard = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.envelope()
        await visit.content()
        heard.set()
        await visit.hear(4)

    async with scripted(script) as server:
        connection = Connection(settings_for(server.port))
        await connection.ensure()
        task = asyncio.create_task(connection.send_many(mails(3), until=LONG))
        await heard.wait()
        connection.drop()
        assert verdicts([*await task]) == ["ambiguous", "released", "released"]


async def test_a_drop_on_purpose_says_nothing_of_the_relay() -> None:
    heard = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.hear(3)
        heard.set()
        await visit.hear()

    async with scripted(script) as server:
        relays = Relays([Relay(HOST, server.port)])
        connection = Connection(settings_for(server.port), relays)
        await connection.ensure()
        task = asyncio.create_task(connection.send_many(mails(2), until=LONG))
        await heard.wait()
        connection.drop()
        assert verdicts([*await task]) == ["deferred", "released"]
        assert relays.resting() == []


async def test_a_server_that_hangs_up_at_the_first_mail_rests() -> None:
    async with scripted(drops_at_data) as server:
        relays = Relays([Relay(HOST, server.port)])
        connection = Connection(settings_for(server.port), relays)
        assert await sent(connection, 1) == ["deferred"]
        assert relays.resting() == [Relay(HOST, server.port)]


async def test_a_cancelled_call_leaves_no_connection_that_is_half_used() -> None:
    heard = asyncio.Event()

    async def stuck(visit: Visit) -> None:
        await visit.welcome()
        await visit.envelope()
        heard.set()
        await visit.content()
        await visit.hear(4)

    async with scripted(stuck, takes_all) as server:
        connection = Connection(settings_for(server.port))
        await connection.ensure()
        task = asyncio.create_task(connection.send_many(mails(3), until=LONG))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await sent(connection, 2) == ["sent", "sent"]


async def test_what_the_mails_iterator_raises_reaches_the_caller() -> None:
    def broken() -> Iterator[Mail]:
        yield from mails(2)
        raise LookupError

    async with scripted(takes_all) as server:
        connection = Connection(settings_for(server.port))
        await connection.ensure()
        with pytest.raises(LookupError):
            await connection.send_many(broken(), until=LONG)
        assert await sent(connection, 2) == ["sent", "sent"]


async def test_closing_waits_for_no_server() -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.hear(9)

    async with scripted(script) as server:
        connection = Connection(settings_for(server.port, smtp_timeout_seconds=0.2))
        await connection.ensure()
        async with asyncio.timeout(8):
            await connection.close()
        assert server.visits[0].heard[-1] == "QUIT"


# -- several relays


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_the_next_relay_takes_over_and_the_first_is_taken_up_again() -> None:
    clock = Clock()

    async def busy(visit: Visit) -> None:
        await visit.say("421 4.3.2 busy")

    async with scripted(busy, takes_all) as one, scripted(takes_all) as two:
        first, second = Relay(HOST, one.port), Relay(HOST, two.port)
        relays = Relays([first, second], clock=clock)
        settings = settings_for(1, smtp_relays=f"{first},{second}")
        connection = Connection(settings, relays)
        await connection.ensure()
        [answer] = await connection.send_many(mails(1), until=LONG)
        assert answer.relay == str(second)
        await connection.ensure()
        assert len(one.visits) == 1
        clock.now += 31
        await connection.ensure()
        [answer] = await connection.send_many(mails(1), until=LONG)
        assert answer.relay == str(first)
        assert relays.resting() == []


async def test_a_relay_that_stays_away_costs_no_working_connection() -> None:
    clock = Clock()
    async with scripted(takes_all) as two:
        first, second = Relay(HOST, 1), Relay(HOST, two.port)
        relays = Relays([first, second], clock=clock)
        connection = Connection(settings_for(1, smtp_relays=f"{first},{second}"), relays)
        for _ in range(3):
            assert await sent(connection, 1) == ["sent"]
            clock.now += 31
        assert len(two.visits) == 1


async def test_no_relay_at_all_is_said_at_once_and_asked_once_a_second() -> None:
    clock = Clock()
    relays = Relays([Relay(HOST, 1)], clock=clock)
    connection = Connection(settings_for(1), relays)
    with pytest.raises(ConnectionRefusedError):
        await connection.ensure()
    with pytest.raises(CannotConnect, match="just been tried"):
        await connection.ensure()
    clock.now += 1.5
    with pytest.raises(ConnectionRefusedError):
        await connection.ensure()
