"""The mail server at the far end: it misbehaves as it is told, and writes down what it took."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum, auto
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
REFUSED: Final = "refused"
"""How the addresses begin that it refuses for good."""
DEFERRALS: Final = 2
"""It puts off one message at most this often: back-off doubles, and a run has to end."""
_MESSAGE_ID: Final = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_PATH: Final = re.compile(rb"<([^>]*)>")


class Fate(StrEnum):
    """What becomes of a mail whose content has come."""

    TAKEN = auto()
    PUT_OFF = auto()
    """451."""
    DROPPED = auto()
    """The connection is cut, and the mail forgotten."""
    SWALLOWED = auto()
    """The mail is kept, and the connection cut before the 250."""
    FAREWELL = auto()
    """421 in place of the 250."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a server behaves; shares are of mails, from 0 to 1.

    Attributes:
        slow_share: of those, each waits ``slow_seconds`` for its 250.
        cuts: how many connections at most are dropped, before or after a mail was kept.
        per_connection: it closes behind so many mails; 0: it does not.
    """

    pipelining: bool = True
    delay_seconds: float = 0.0
    slow_share: float = 0.0
    slow_seconds: float = 0.1
    deferred_share: float = 0.0
    dropped_share: float = 0.0
    swallowed_share: float = 0.0
    farewell_share: float = 0.0
    cuts: int = 3
    per_connection: int = 0

    @property
    def name(self) -> str:
        """What is unusual about it, in words."""
        found = [] if self.pipelining else ["no PIPELINING"]
        found += [f"{self.deferred_share:.0%} 4xx"] if self.deferred_share else []
        found += ["slow"] if self.slow_share or self.delay_seconds else []
        found += ["drops after DATA"] if self.dropped_share else []
        found += ["drops before 250"] if self.swallowed_share else []
        found += ["421"] if self.farewell_share else []
        found += [f"closes after {self.per_connection}"] if self.per_connection else []
        return ", ".join(found) or "polite"


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail that the server took; times are wall-clock (UTC).

    ``begun_at`` is when its MAIL was read: from then on nobody can call it back.
    """

    message_id: str
    sender: str
    recipient: str
    begun_at: datetime
    kept_at: datetime


@dataclass
class Receiver:
    """One mail server, in this process.

    Attributes:
        log: takes a line for each mail kept, before its 250 leaves.
        kept: all of them, oldest first.
        contents: by message, each content that was kept; ``None``: they are not.
        going_on: while it is not set, no mail gets its 354: every sender stands before its content.
    """

    log: Path
    manners: Manners = field(default_factory=Manners)
    chance: random.Random = field(default_factory=random.Random)
    port: int = 0
    kept: list[Kept] = field(default_factory=list)
    by_message: Counter[str] = field(default_factory=Counter)
    recipients: dict[str, str] = field(default_factory=dict)
    put_off: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    contents: dict[str, list[bytes]] | None = None
    going_on: asyncio.Event = field(default_factory=asyncio.Event)
    _most: int | None = None

    def __post_init__(self) -> None:
        """Nobody is held up."""
        self.going_on.set()

    def hold_after(self, mails: int) -> None:
        """Keep so many mails from now on, then hold up the others until :meth:`go_on`.

        Whatever is to happen while mails leave then does, however slow or quick the machine is.
        Those put off or dropped do not count: who waits for mails waits for kept ones.
        """
        self._most = len(self.kept) + mails

    def go_on(self) -> None:
        """Hold up nobody any more."""
        self._most = None
        self.going_on.set()

    async def admit(self) -> None:
        """Return once a mail's content may come."""
        if self._most is not None and len(self.kept) >= self._most:
            self.going_on.clear()
        await self.going_on.wait()

    def behave(self, manners: Manners, chance: random.Random) -> None:
        """Behave so from now on; what was kept until now is known to its run alone."""
        self.go_on()
        self.manners, self.chance, self.cut = manners, chance, 0
        self.kept.clear()
        self.by_message.clear()
        self.recipients.clear()
        self.put_off.clear()

    async def read(self) -> Counter[str]:
        """Return how often each message was kept, by Message-ID."""
        return self.by_message

    def keep(self, content: bytes, sender: str, recipient: str, begun_at: datetime) -> None:
        """Write a mail down."""
        found = _MESSAGE_ID.search(content)
        message_id = found[1].decode() if found else ""
        mail = Kept(message_id, sender, recipient, begun_at, datetime.now(UTC))
        with self.log.open("a") as file:
            file.write(json.dumps(asdict(mail), default=str) + "\n")
        self.kept.append(mail)
        if self.contents is not None:
            self.contents.setdefault(message_id, []).append(content)
        self.by_message[message_id] += 1
        self.recipients[message_id] = recipient

    def fate(self, recipient: str) -> Fate:
        """Decide what becomes of a mail to a recipient."""
        draw, manners = self.chance.random(), self.manners
        may_cut = self.cut < manners.cuts
        for share, fate in (
            (manners.dropped_share, Fate.DROPPED),
            (manners.swallowed_share, Fate.SWALLOWED),
            (manners.farewell_share, Fate.FAREWELL),
        ):
            if may_cut and draw < share:
                self.cut += 1
                return fate
            draw -= share
        return Fate.PUT_OFF if self.puts_off(recipient) else Fate.TAKEN

    def puts_off(self, recipient: str) -> bool:
        """Decide whether a mail is put off here: half are at RCPT, half behind their content."""
        share = self.manners.deferred_share / 2
        if self.put_off[recipient] >= DEFERRALS or self.chance.random() >= share:
            return False
        self.put_off[recipient] += 1
        return True


class _Visit:
    """One connection."""

    def __init__(
        self, receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._receiver = receiver
        self._reader = reader
        self._writer = writer
        self._begun_at = datetime.now(UTC)
        self._sender = ""
        self._recipient: str | None = None
        self._taken = 0
        self._over = False

    async def receive(self) -> None:
        """Talk until either side has had enough."""
        self._say("220 receiver.example ESMTP")
        while not self._over and (line := await self._reader.readline()):
            await self._turn(line[:4].upper().rstrip(), line)

    async def _turn(self, verb: bytes, line: bytes) -> None:
        if verb == b"EHLO":
            offers = ["PIPELINING"] if self._receiver.manners.pipelining else []
            names = ["receiver.example", *offers, "8BITMIME"]
            self._say(*(f"250-{name}" for name in names[:-1]), f"250 {names[-1]}")
        elif verb == b"MAIL":
            self._begun_at, self._sender, self._recipient = datetime.now(UTC), _path(line), None
            self._say("250 2.1.0 ok")
        elif verb == b"RCPT":
            self._rcpt(line)
        elif verb == b"DATA":
            await self._data()
        elif verb == b"QUIT":
            self._say("221 2.0.0 bye")
            self._over = True
        else:
            self._say("250 2.0.0 ok")

    def _rcpt(self, line: bytes) -> None:
        recipient = _path(line)
        if recipient.startswith(REFUSED):
            self._say("550 5.1.1 nobody here")
        elif self._receiver.puts_off(recipient):
            self._say("450 4.2.1 later")
        else:
            self._recipient = recipient
            self._say("250 2.1.5 ok")

    async def _data(self) -> None:
        if self._recipient is None:
            self._say("554 5.5.1 nobody to send it to")
            return
        await self._receiver.admit()
        self._say("354 go on")
        content = await self._reader.readuntil(b"\r\n.\r\n")
        manners, chance = self._receiver.manners, self._receiver.chance
        if manners.delay_seconds:
            await asyncio.sleep(manners.delay_seconds)
        if manners.slow_share and chance.random() < manners.slow_share:
            await asyncio.sleep(manners.slow_seconds)
        fate = self._receiver.fate(self._recipient)
        if fate in (Fate.TAKEN, Fate.SWALLOWED):
            self._receiver.keep(content, self._sender, self._recipient, self._begun_at)
        self._answer(fate)

    def _answer(self, fate: Fate) -> None:
        if fate in (Fate.DROPPED, Fate.SWALLOWED):
            self._writer.transport.abort()
            self._over = True
        elif fate is Fate.FAREWELL:
            self._say("421 4.3.2 closing")
            self._over = True
        elif fate is Fate.PUT_OFF:
            self._say("451 4.3.0 later")
        else:
            self._say("250 2.0.0 taken")
            self._taken += 1
            limit = self._receiver.manners.per_connection
            self._over = bool(limit) and self._taken >= limit

    def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())


def _path(line: bytes) -> str:
    found = _PATH.search(line)
    return found[1].decode() if found else ""


@asynccontextmanager
async def receiver(folder: Path) -> AsyncIterator[Receiver]:
    """Yield a mail server that listens on a port of its own."""
    made = Receiver(folder / f"kept-{time.monotonic_ns()}.jsonl")
    visits: set[asyncio.Task[None]] = set()

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Visit(made, reader, writer).receive()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(visited(reader, writer))
        visits.add(task)
        task.add_done_callback(visits.discard)

    server = await asyncio.start_server(accept, HOST, 0, limit=1 << 24)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in list(visits):
            task.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
