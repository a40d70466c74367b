"""One mail as the commands and the content that hand it over, or why this server cannot have it."""

from __future__ import annotations

from functools import lru_cache

from services.delivery.domain.runs import Reason
from services.delivery.smtp import addresses, lines
from services.delivery.smtp.mails import Mail, Unsendable
from services.delivery.smtp.replies import Capabilities, Reply


class Transaction:
    """One mail that may be offered, as bytes.

    Attributes:
        index: its place among the mails of the dialogue.
        commands: MAIL, RCPT and DATA.
        content: what follows the 354, the final dot included.
        refusal: the first command's that was refused.
    """

    __slots__ = ("commands", "content", "index", "refusal")

    def __init__(self, index: int, commands: tuple[bytes, bytes, bytes], content: bytes) -> None:
        self.index = index
        self.commands = commands
        self.content = content
        self.refusal: Reply | None = None


def prepared(index: int, mail: Mail, peer: Capabilities) -> Transaction:
    """Return a mail's transaction with a server.

    Raises:
        Unsendable: it may go to no server, or this one does not take it.
    """
    content = mail.content
    lines.checked(content)
    if 0 < peer.size < len(content):
        raise Unsendable(f"{Reason.UNSENDABLE}: the server takes {peer.size} octets at most")
    options = b" SIZE=%d" % len(content) if peer.sizes else b""
    if not content.isascii():
        if not peer.eight_bit:
            raise Unsendable(f"{Reason.UNSENDABLE}: the server takes no 8-bit content")
        options += b" BODY=8BITMIME"
    sender = _sender(mail.sender, utf8=peer.utf8)
    recipient = addresses.path(mail.recipient, utf8=peer.utf8)
    if peer.utf8 and not (sender.isascii() and recipient.isascii()):
        options += b" SMTPUTF8"
    commands = (
        b"MAIL FROM:<%s>%s\r\n" % (sender, options),
        b"RCPT TO:<%s>\r\n" % recipient,
        b"DATA\r\n",
    )
    return Transaction(index, commands, lines.stuffed(content))


@lru_cache(maxsize=256)
def _sender(address: str, *, utf8: bool) -> bytes:
    """Return the reverse-path; what is wrong with it is not the recipient's address."""
    try:
        return addresses.path(address, utf8=utf8) if address else b""
    except Unsendable:
        raise Unsendable(f"{Reason.UNSENDABLE}: the sender's address") from None
