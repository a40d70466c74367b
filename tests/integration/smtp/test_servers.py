"""The SMTP client against real servers: aiosmtpd, smtp-sink, postfix, and the mail catcher."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.smtp import CANNOT_CONNECT, Answer, CannotConnect, Connection, Mail
from services.delivery.smtp.replies import Capabilities
from tests.integration.delivery_harness import Catcher, catching
from tests.integration.smtp.servers import (
    HOST,
    Authority,
    Visit,
    postfix,
    scripted,
    settings_for,
)
from tests.integration.smtp.servers import sink as a_sink
from tests.waiting import eventually

LONG = 1e12


BODIES = [
    b"",
    b".\r\n",
    b"..\r\n.\r\n.a\r\n",
    b"plain",
    b"\r\n\r\n.\r\n\r\n",
    b"x" * 998 + b"\r\n" + b"." * 998 + b"\r\n",
    b"=C3=A9t=C3=A9\r\n",
]


def contents() -> list[bytes]:
    return [b"Subject: %d\r\nX-Muster: 1\r\n\r\n" % i + body for i, body in enumerate(BODIES)]


def ended(content: bytes) -> bytes:
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def mails(domain: str = "x.example") -> list[Mail]:
    return [
        Mail("news@example.org", f"r{i}@{domain}", content) for i, content in enumerate(contents())
    ]


async def told(connection: Connection, *handed: Mail) -> list[Answer]:
    await connection.ensure()
    return await connection.send_many(handed, until=LONG)


# -- aiosmtpd, with and without PIPELINING


class Keeps:
    """Keeps what comes, byte for byte."""

    def __init__(self, *offers: str) -> None:
        self.offers = offers
        self.kept: list[tuple[str, bytes]] = []
        self.logins: list[tuple[str, bytes]] = []

    async def handle_EHLO(  # noqa: N802 - the library looks hooks up by this name
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], *(f"250-{offer}" for offer in self.offers), responses[-1]]

    async def handle_RCPT(  # noqa: N802 - see above
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address.startswith("gone"):
            return "550 5.1.1 nobody here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.kept.append((envelope.rcpt_tos[0], bytes(envelope.original_content)))
        return "250 2.0.0 kept"

    def authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password))
        return AuthResult(success=data.password == "s€cret".encode(), handled=False)


@asynccontextmanager
async def aiosmtpd(keeps: Keeps, *, tls: Any = None, **more: Any) -> AsyncIterator[int]:
    """Serve with aiosmtpd; yield the port. ``tls``: from the first byte on."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(keeps, hostname="aiosmtpd.example", loop=loop, **more), HOST, 0, ssl=tls
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
async def test_aiosmtpd_gets_every_octet_as_it_was_meant(offers: tuple[str, ...]) -> None:
    keeps = Keeps(*offers)
    async with aiosmtpd(keeps) as port:
        connection = Connection(settings_for(port))
        handed = mails()
        handed.insert(3, Mail("news@example.org", "gone@x.example", b"Subject: a\r\n\r\n"))
        answers = await told(connection, *handed)
        await connection.close()
    assert [one.code for one in answers] == [
        "250 2.0.0" if not mail.recipient.startswith("gone") else "550 5.1.1" for mail in handed
    ]
    assert keeps.kept == [
        (mail.recipient, ended(mail.content))
        for mail in handed
        if not mail.recipient.startswith("gone")
    ]
    for mail in handed:
        parsed = email.message_from_bytes(mail.content, policy=email.policy.SMTP)
        assert parsed.defects == []


async def test_a_mail_larger_than_the_server_takes_fails_before_it_leaves() -> None:
    keeps = Keeps()
    async with aiosmtpd(keeps, data_size_limit=100) as port:
        connection = Connection(settings_for(port))
        large = Mail("news@example.org", "a@x.example", b"Subject: a\r\n\r\n" + b"x" * 100)
        small = Mail("news@example.org", "b@x.example", b"Subject: b\r\n")
        answers = await told(connection, large, small)
        await connection.close()
    assert [one.reason for one in answers[:1]] == [
        "unsendable: the server takes 100 octets at most"
    ]
    assert [one.verdict.value for one in answers] == ["failed", "sent"]


async def test_an_address_outside_ascii_goes_where_it_is_taken() -> None:
    keeps = Keeps()
    mail = Mail("news@bücher.example", "rené@bücher.example", b"Subject: a\r\n\r\n")
    async with aiosmtpd(keeps, enable_SMTPUTF8=True) as port:
        connection = Connection(settings_for(port))
        [answer] = await told(connection, mail)
        await connection.close()
    assert answer.verdict == "sent"
    assert keeps.kept[0][0] == "rené@xn--bcher-kva.example"


# -- the mail catcher of the demo


async def test_the_catcher_of_the_demo_is_spoken_to_in_groups(tmp_path: Path) -> None:
    async with catching(tmp_path) as catcher:
        catcher.misbehave(
            FaultRule(action=Action.REFUSE_RECIPIENT, recipient="r1@*", code=550),
            FaultRule(action=Action.REFUSE_MESSAGE, recipient="r2@*", code=451),
            FaultRule(action=Action.DROP_AFTER_KEEP, recipient="r4@*"),
        )
        connection = Connection(settings_for(catcher.port))
        await connection.ensure()
        assert connection.offers.pipelining
        answers = await told(connection, *mails())
    found = [one.verdict.value for one in answers]
    assert found == ["sent", "failed", "deferred", "sent", "ambiguous", "released", "released"]
    assert len(await kept(catcher)) == 3


async def kept(catcher: Catcher) -> list[bytes]:
    return [mail.raw for mail in await catcher.store.after(0, 100)]


# -- smtp-sink


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ["sent", "sent", "sent"]),
        (("-p",), ["sent", "sent", "sent"]),
        (("-e",), ["sent", "sent", "sent"]),
        (("-8", "-E", "-N"), ["sent", "sent", "sent"]),
        (("-f", "RCPT"), ["failed", "failed", "failed"]),
        (("-r", "MAIL"), ["deferred", "deferred", "deferred"]),
        (("-f", "DATA"), ["failed", "failed", "failed"]),
        (("-r", "."), ["deferred", "deferred", "deferred"]),
        (("-q", "MAIL"), ["deferred", "released", "released"]),
        (("-q", "DATA"), ["deferred", "released", "released"]),
        (("-q", "."), ["ambiguous", "released", "released"]),
        (("-Q", "RCPT"), ["deferred", "released", "released"]),
        (("-Q", "."), ["deferred", "released", "released"]),
    ],
)
async def test_smtp_sink_is_understood_whatever_it_does(
    options: tuple[str, ...], expected: list[str]
) -> None:
    async with a_sink(*options) as port:
        connection = Connection(settings_for(port))
        answers = await told(connection, *mails()[:3])
        assert [one.verdict.value for one in answers] == expected
        await connection.close()


async def test_smtp_sink_takes_thousands_over_four_connections() -> None:
    async with a_sink() as port:

        async def one() -> list[Answer]:
            connection = Connection(settings_for(port))
            answers = await told(connection, *(mails() * 100))
            await connection.close()
            return answers

        for answers in await asyncio.gather(*(one() for _ in range(4))):
            assert {answer.verdict.value for answer in answers} == {"sent"}
            assert len(answers) == 700


# -- postfix


async def test_postfix_relays_every_octet_and_its_refusals_are_understood(tmp_path: Path) -> None:
    async with catching(tmp_path) as catcher, postfix(onward=catcher.port) as port:
        connection = Connection(settings_for(port, smtp_timeout_seconds=60))
        handed = [
            *mails(),
            Mail("news@example.org", "gone@x.example", b"Subject: gone\r\n\r\n"),
            Mail("news@example.org", "full@x.example", b"Subject: full\r\n\r\n"),
            Mail("barred@x.example", "r0@x.example", b"Subject: barred\r\n\r\n"),
            Mail("news@bücher.example", "end@bücher.example", b"Subject: end\r\n\r\nend\r\n"),
        ]
        answers = await told(connection, *handed)
        assert connection.offers.pipelining
        await connection.close()
        codes = [one.code for one in answers]
        assert codes == [
            *["250 2.0.0"] * len(BODIES),
            "554 5.7.1",
            "450 4.7.1",
            "554 5.7.1",
            "250 2.0.0",
        ]
        wanted = {ended(mail.content) for mail in handed[: len(BODIES)]} | {handed[-1].content}

        async def relayed() -> bool:
            return len(await kept(catcher)) == len(wanted)

        await eventually(relayed, seconds=60, what="what postfix relays")
        # Postfix puts its Received (and what was missing) before the first line.
        arrived = await kept(catcher)
    for content in wanted:
        [raw] = [raw for raw in arrived if content.split(b"\r\n")[0] + b"\r\n" in raw]
        assert raw.endswith(content.partition(b"\r\n\r\n")[2])
        assert b"Received: from" in raw
        assert email.message_from_bytes(raw, policy=email.policy.SMTP).defects == []


# -- TLS and AUTH


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def secured(port: int, authority: Authority, tls: str, *, password: str = "s€cret") -> Connection:
    return Connection(
        settings_for(
            port,
            smtp_tls=tls,
            smtp_ca_file=str(authority.file),
            smtp_username="muster",
            smtp_password=password,
        )
    )


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd does not see TLS from the start
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_mails_leave_encrypted_after_a_login(
    authority: Authority, tls: str, mechanism: str
) -> None:
    keeps = Keeps("PIPELINING")
    context = authority.server(HOST)
    async with aiosmtpd(
        keeps,
        tls=context if tls == "tls" else None,
        tls_context=context if tls == "starttls" else None,
        require_starttls=tls == "starttls",
        auth_require_tls=tls == "starttls",
        auth_required=True,
        auth_exclude_mechanism={"PLAIN", "LOGIN"} - {mechanism},
        authenticator=keeps.authenticate,
    ) as port:
        connection = secured(port, authority, tls)
        answers = await told(connection, *mails())
        await connection.close()
    assert {one.verdict.value for one in answers} == {"sent"}
    assert [content for _, content in keeps.kept] == [ended(content) for content in contents()]
    assert keeps.logins == [("muster", "s€cret".encode())]


async def test_a_refused_login_is_no_connection(authority: Authority) -> None:
    keeps = Keeps()
    async with aiosmtpd(
        keeps, tls_context=authority.server(HOST), authenticator=keeps.authenticate
    ) as port:
        connection = secured(port, authority, "starttls", password="wrong")
        with pytest.raises(CannotConnect, match=r"AUTH \w+ was answered with 535 5.7.8"):
            await connection.ensure()


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_certificate_of_somebody_else_ends_it(
    authority: Authority, tmp_path: Path, tls: str, wrong: str
) -> None:
    keeps = Keeps()
    issuer = Authority(tmp_path) if wrong == "authority" else authority
    context = issuer.server("other.example" if wrong == "name" else HOST)
    async with aiosmtpd(
        keeps,
        tls=context if tls == "tls" else None,
        tls_context=context if tls == "starttls" else None,
        authenticator=keeps.authenticate,
    ) as port:
        with pytest.raises(CANNOT_CONNECT):
            await secured(port, authority, tls).ensure()
    assert keeps.logins == []


async def test_a_server_whose_starttls_was_stripped_gets_nothing(authority: Authority) -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome("PIPELINING", "AUTH PLAIN")
        await visit.hear()

    async with scripted(script) as server:
        with pytest.raises(CannotConnect, match="offers no STARTTLS"):
            await secured(server.port, authority, "starttls").ensure()
        assert [line[:4] for line in server.visits[0].heard] == ["EHLO"]


async def test_replies_put_in_before_tls_are_not_taken_for_the_server_s(
    authority: Authority,
) -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome("STARTTLS")
        await visit.hear()
        await visit.say("220 go on", "250-mx.example", "250 AUTH PLAIN")
        await visit.hear()

    async with scripted(script) as server:
        with pytest.raises(CannotConnect, match="in the clear after STARTTLS"):
            await secured(server.port, authority, "starttls").ensure()
        assert [line[:4] for line in server.visits[0].heard] == ["EHLO", "STAR"]


async def test_what_was_offered_in_the_clear_counts_for_nothing(authority: Authority) -> None:
    keeps = Keeps()
    async with aiosmtpd(
        keeps, tls_context=authority.server(HOST), authenticator=keeps.authenticate
    ) as port:
        connection = secured(port, authority, "starttls")
        connection.offers = Capabilities(pipelining=True, utf8=True)
        await connection.ensure()
        assert not connection.offers.pipelining
        assert not connection.offers.starttls
        await connection.close()


async def test_no_password_travels_in_the_clear() -> None:
    with pytest.raises(ValueError, match="in the clear"):
        settings_for(25, smtp_username="muster", smtp_password="secret")
