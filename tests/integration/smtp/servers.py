"""Servers for the SMTP client's tests: scripted ones, aiosmtpd, smtp-sink, postfix."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.embedded.ports import free_port
from services.delivery.settings import DeliverySettings
from tests.instances import SECRET
from tests.waiting import eventually

HOST = "127.0.0.1"


def settings_for(port: int, **more: object) -> DeliverySettings:
    values: dict[str, object] = {
        "database_url": "postgresql://nobody@127.0.0.1:1/none",
        "kafka_bootstrap": "127.0.0.1:1",
        "muster_secret_key": SECRET,
        "smtp_port": port,
        "smtp_timeout_seconds": 10.0,
    }
    return DeliverySettings.model_validate(values | more)


class Visit:
    """One connection as a scripted server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.heard: list[str] = []

    async def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def hear(self, count: int = 1) -> str:
        """Return the last of some lines."""
        for _ in range(count):
            line = await self.reader.readuntil(b"\r\n")
            self.heard.append(line.decode().rstrip())
        return self.heard[-1]

    async def content(self) -> bytes:
        return await self.reader.readuntil(b"\r\n.\r\n")

    async def welcome(self, *offers: str) -> None:
        """Greet, and answer EHLO."""
        await self.say("220 scripted.example ESMTP")
        await self.hear()
        names = ["scripted.example", *(offers or ("PIPELINING",))]
        await self.say(*(f"250-{name}" for name in names[:-1]), f"250 {names[-1]}")

    async def envelope(self) -> None:
        """Accept MAIL, RCPT and DATA."""
        await self.hear(3)
        await self.say("250 ok", "250 ok", "354 go")

    async def take(self, count: int) -> None:
        """Take some mails."""
        for _ in range(count):
            await self.envelope()
            await self.content()
            await self.say("250 2.0.0 taken")

    def hang_up(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Visit], Awaitable[None]]


class Scripted:
    """A server that plays one script after the other, the last one again and again."""

    def __init__(self, scripts: tuple[Script, ...]) -> None:
        self.scripts = scripts
        self.visits: list[Visit] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(reader, writer)
        self.visits.append(visit)
        script = self.scripts[min(len(self.visits), len(self.scripts)) - 1]
        try:
            await script(visit)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(*scripts: Script) -> AsyncIterator[Scripted]:
    """Serve scripts; what is left of them ends with the block."""
    found = Scripted(scripts)
    tasks: set[asyncio.Task[None]] = set()

    def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(found.serve(reader, writer))
        tasks.add(task)

    server = await asyncio.start_server(visited, HOST, 0, limit=64 * 1024 * 1024)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


@asynccontextmanager
async def process(*command: str | Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a server for the length of the block."""
    running = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.terminate()
        await running.wait()


async def answers_at(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def needed(name: str) -> str:
    """Return the path of a program of Debian's postfix; skip the test where it is not there."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian package postfix)")
    return found


@asynccontextmanager
async def sink(*options: str) -> AsyncIterator[int]:
    """Run smtp-sink; yield its port."""
    program, port = needed("smtp-sink"), free_port()
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    async with process(program, *user, *options, f"{HOST}:{port}", "64"):
        await eventually(lambda: answers_at(port), what="smtp-sink")
        yield port


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = relay.example
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
default_transport = smtp:[127.0.0.1]:{onward}
smtp_host_lookup = native
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
    check_recipient_access inline:{{ {{ gone@x.example = REJECT }}, {{ full@x.example = DEFER }} }}
smtpd_sender_restrictions = check_sender_access inline:{{ {{ barred@x.example = REJECT }} }}
smtpd_peername_lookup = no
"""
MASTER_CF = """
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
smtp unix - - n - - smtp
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@asynccontextmanager
async def postfix(*, onward: int) -> AsyncIterator[int]:
    """Run Debian's postfix from a folder of its own; yield its port.

    Args:
        onward: the port all mails go on to.
    """
    program = needed("postfix")
    if os.geteuid() != 0:
        pytest.skip("postfix starts as root only")
    port = free_port()
    folder = _postfix_folder(port, onward)
    try:
        async with process(program, "-c", folder / "etc", "start-fg"):
            await eventually(lambda: answers_at(port), what="postfix")
            yield port
    finally:
        shutil.rmtree(folder)


def _postfix_folder(port: int, onward: int) -> Path:
    # Not pytest's folder: postfix's own user must be able to reach it.
    folder = Path(tempfile.mkdtemp(prefix="muster-postfix-"))
    folder.chmod(0o755)
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir(mode=0o755)
    shutil.chown(folder / "data", pwd.getpwnam("postfix").pw_uid)
    (folder / "etc" / "main.cf").write_text(MAIN_CF.format(folder=folder, onward=onward))
    (folder / "etc" / "master.cf").write_text(MASTER_CF.format(port=f"{HOST}:{port}"))
    return folder


class Authority:
    """A certificate authority of one test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"ca-{os.urandom(4).hex()}.pem"
        self._certificate = self._signed("authority", self._key.public_key(), authority=True)
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, *names: str) -> ssl.SSLContext:
        """Return the TLS side of a server with these names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        file = self._folder / f"server-{os.urandom(4).hex()}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + self._signed("server", key.public_key(), *names).public_bytes(
                serialization.Encoding.PEM
            )
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _signed(
        self, name: str, key: ec.EllipticCurvePublicKey, *names: str, authority: bool = False
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named("authority"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(one) for one in names]), False
            )
        return builder.sign(self._key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
