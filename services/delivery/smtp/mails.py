"""What is handed over, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.delivery.domain.runs import Reason, Verdict


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one recipient.

    Attributes:
        sender: the envelope's sender (reverse-path); empty for none.
        content: the whole message with CRLF line ends, not dot-stuffed.
        key: the caller's, never looked at.
    """

    sender: str
    recipient: str
    content: bytes
    key: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one mail.

    Attributes:
        code: the server's, such as ``550 5.1.1``, without its text, which may repeat the address.
        relay: ``host:port`` of the server that was asked; empty when none was.
        fault: why the mail was not even offered to the server, in the ledger's words.
        wait_seconds: how long the server asks to be left alone, where it says.
        parts: of an SMS, how many it was sent in.
    """

    verdict: Verdict
    code: str = ""
    relay: str = ""
    fault: str = ""
    wait_seconds: float = 0.0
    parts: int = 0

    @property
    def reason(self) -> str:
        """Why, in the ledger's words."""
        return self.fault or (Reason.REFUSED_BY_SERVER.value if self.code else "")


RELEASED = Answer(Verdict.RELEASED)


class Unsendable(Exception):
    """This mail can go to no server, or not to this one; ``fault`` says why, without the data."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault
