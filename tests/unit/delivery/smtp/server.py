"""A strict SMTP server without I/O: what RFC 5321 and 2920 demand of a client, it insists on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.delivery.smtp.replies import Capabilities

PIPELINING = Capabilities(pipelining=True, eight_bit=True, sizes=True)
SEQUENTIAL = Capabilities(eight_bit=True)


@dataclass(slots=True)
class Conduct:
    """How one mail is answered."""

    mail: int = 250
    rcpt: int = 250
    data: int = 354
    final: int = 250

    @property
    def first_refusal(self) -> int | None:
        codes = (self.mail, self.rcpt, self.data, self.final)
        return next((code for code in codes if code >= 400), None)


@dataclass(slots=True)
class PureServer:
    """Answers bytes with bytes.

    Attributes:
        conducts: of the mails, in the order of their MAIL.
        lenient: asks for data although no recipient was accepted, as RFC 2920 allows.
        took: the mails it accepted, undone of their dots.
    """

    peer: Capabilities
    conducts: Sequence[Conduct]
    lenient: bool = False
    took: list[tuple[str, bytes]] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    lone_dots: int = 0
    _buffer: bytes = b""
    _number: int = -1
    _sender: bool = False
    _recipient: str | None = None
    _reading: bool = False

    def receive(self, data: bytes) -> list[bytes]:
        """Return the replies, one element each."""
        if not self.peer.pipelining:
            assert data.count(b"\r\n") <= 1 or self._reading, "a second command was not waited for"
        self._buffer += data
        replies: list[bytes] = []
        while True:
            reply = self._content() if self._reading else self._command()
            if reply is None:
                return replies
            replies.append(reply)

    def _command(self) -> bytes | None:
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return None
        self._buffer = rest
        assert b"\n" not in line
        assert b"\r" not in line
        verb, _, argument = line.partition(b" ")
        return self._answer(verb.upper().decode("ascii"), argument.decode())

    def _answer(self, verb: str, argument: str) -> bytes:
        if verb == "RSET":
            self._forget()
            return b"250 2.0.0 Ok\r\n"
        if verb == "MAIL":
            return self._mail()
        if verb == "RCPT":
            return self._rcpt(argument)
        assert verb == "DATA", verb
        return self._data()

    @property
    def _conduct(self) -> Conduct:
        return self.conducts[self._number]

    def _mail(self) -> bytes:
        if self._sender:
            return b"503 5.5.1 Error: nested MAIL command\r\n"
        self._number += 1
        self._sender = self._conduct.mail < 400
        return _reply(self._conduct.mail)

    def _rcpt(self, argument: str) -> bytes:
        if not self._sender:
            return b"503 5.5.1 Error: need MAIL command\r\n"
        if self._conduct.rcpt < 400:
            self._recipient = argument.removeprefix("TO:<").partition(">")[0]
        return _reply(self._conduct.rcpt)

    def _data(self) -> bytes:
        assert not self._buffer, "DATA was not the last command of its group"
        if self._recipient is None:
            if self.lenient:
                self._reading = True
                return _reply(354)
            return b"554 5.5.1 Error: no valid recipients\r\n"
        self._reading = self._conduct.data == 354
        return _reply(self._conduct.data)

    def _content(self) -> bytes | None:
        lone = self._buffer.startswith(b".\r\n")
        end = 0 if lone else self._buffer.find(b"\r\n.\r\n") + 2
        if not lone and end < 2:
            return None
        raw, self._buffer = self._buffer[:end], self._buffer[end + 3 :]
        self._reading = False
        recipient = self._recipient
        self._forget()
        if recipient is None:
            assert lone, "a content was sent to nobody"
            self.lone_dots += 1
            return b"554 5.5.1 no valid recipients\r\n"
        self.got.append(recipient)
        if self._conduct.final < 400:
            self.took.append((recipient, undone(raw)))
        return _reply(self._conduct.final)

    def _forget(self) -> None:
        self._sender, self._recipient = False, None


def undone(raw: bytes) -> bytes:
    """Return a content without the doubled dots."""
    lines = raw.split(b"\r\n")
    assert not any(line == b"." for line in lines)
    return b"\r\n".join(line.removeprefix(b".") for line in lines)


def _reply(code: int) -> bytes:
    if code % 2:
        return b"%d-%d.1.1 one\r\n%d two\r\n" % (code, code // 100, code)
    return b"%d %d.0.0 said\r\n" % (code, code // 100)
