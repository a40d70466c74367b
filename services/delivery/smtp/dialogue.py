"""The talk about a row of mails, without I/O: replies in, bytes out, one answer a mail.

With PIPELINING (RFC 2920) MAIL, RCPT and DATA leave as one group, which has to end with DATA; the
content that its 354 allows opens the next group. So one round trip carries a mail, and at any
moment at most one mail's final dot is without reply: the only one that can become ambiguous.
Without PIPELINING each command waits for the reply to the one before.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from enum import IntEnum, auto
from functools import lru_cache
from typing import Final

from services.delivery.domain.runs import Verdict, verdict_of
from services.delivery.smtp import lines
from services.delivery.smtp.mails import RELEASED, Answer, Mail, Unsendable
from services.delivery.smtp.replies import CLOSING, Capabilities, ProtocolViolation, Reply
from services.delivery.smtp.transactions import Transaction, prepared
from shared import faults

GO_AHEAD: Final = 354


class Step(IntEnum):
    """What the next reply answers."""

    RSET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()
    """The final dot of a mail."""
    LONE_DOT = auto()
    """The end of a message without recipient, which a server asked for all the same."""


class Dialogue:
    """Hands mails to a server that is ready for MAIL.

    Write ``out`` and clear it after :meth:`start` and each :meth:`receive`; then
    :meth:`look_ahead` makes the next mail ready while the server works. At ``over``, mails that
    were not taken from the iterator are the caller's to release.

    Args:
        until: (of ``clock``) after it no further MAIL is written.
    """

    def __init__(
        self,
        mails: Iterator[Mail],
        peer: Capabilities,
        *,
        relay: str,
        until: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.answers: list[Answer] = []
        self.out: list[bytes] = []
        self.lost = False
        self._mails = mails
        self._peer = peer
        self._relay = relay
        self._until = until
        self._clock = clock
        self._expected: deque[Step] = deque()
        self._plan: deque[tuple[Step, bytes]] = deque()
        self._next: Transaction | None = None
        self._offered: Transaction | None = None
        self._handed: int | None = None
        self._unclean = False
        self._late = False

    @property
    def over(self) -> bool:
        """Whether nothing is left to be written or answered."""
        return not self._expected

    def start(self) -> None:
        """Offer the first mail."""
        self._offer()

    def look_ahead(self) -> None:
        """Take the next mail, so that it can follow the present one in the same write."""
        if self._next is None and not self.lost and not self._late:
            self._next = self._take()

    def receive(self, reply: Reply) -> None:
        """Take the server's next reply.

        Raises:
            ProtocolViolation: no server may say that here; the dialogue is lost.
        """
        if not self._expected:
            self._end(None)
            if reply.code == CLOSING:
                return
            raise ProtocolViolation("a reply to nothing")
        step = self._expected.popleft()
        if reply.code == CLOSING:
            self._farewell(step, reply)
            return
        try:
            _TURNS[step](self, reply)
        except ProtocolViolation:
            # What it said of this mail before may have been meant for something else, too.
            if self._offered is not None:
                self._offered.refusal = None
            self._end(step)
            raise
        if self._plan and not self._expected:
            self._say(*self._plan.popleft())

    def lose(self) -> None:
        """End it: the connection is gone, and what left without reply is settled accordingly."""
        if not self.lost:
            self._end(self._expected[0] if self._expected else None)

    def _end(self, step: Step | None) -> None:
        """Settle everything; ``step`` is what the server was at."""
        self.lost = True
        if self._handed is not None:
            # Its final dot left, and nobody can tell whether the server took it.
            self.answers[self._handed] = Answer(Verdict.AMBIGUOUS, relay=self._relay)
        if self._offered is not None and step in _GROUP:
            self.answers[self._offered.index] = self._refused(self._offered)
        # Answers start as released, so that is what all others are.
        self._handed = self._offered = self._next = None
        self._expected.clear()
        self._plan.clear()
        self.out.clear()

    # -- mails

    def _take(self) -> Transaction | None:
        for mail in self._mails:
            index = len(self.answers)
            self.answers.append(RELEASED)
            try:
                return prepared(index, mail, self._peer)
            except Unsendable as problem:
                self.answers[index] = Answer(Verdict.FAILED, relay=self._relay, fault=problem.fault)
        return None

    def _offer(self) -> None:
        self.look_ahead()
        self._late = self._late or self._clock() > self._until
        if self._late:
            self._next = None
        offered = self._offered = self._next
        self._next = None
        if self._unclean:
            # A refused recipient leaves the transaction open, and the next MAIL would be refused.
            self._say(Step.RSET, b"RSET\r\n")
            self._unclean = False
        if offered is None:
            return
        if self._peer.pipelining:
            self.out.append(b"".join(offered.commands))
            self._expected.extend(_GROUP)
            return
        for step, command in zip(_GROUP, offered.commands, strict=True):
            self._say(step, command)

    def _say(self, step: Step, line: bytes) -> None:
        if self._expected and not self._peer.pipelining:
            self._plan.append((step, line))
            return
        self._expected.append(step)
        self.out.append(line)

    # -- replies

    def _on_rset(self, reply: Reply) -> None:
        _positive(reply)

    def _on_mail(self, reply: Reply) -> None:
        if not _accepted(reply):
            self._refuse(reply)

    def _on_rcpt(self, reply: Reply) -> None:
        offered = self._current
        if not _accepted(reply):
            self._refuse(reply)
        elif offered.refusal is not None:
            raise ProtocolViolation("a recipient accepted for a refused sender")

    def _on_data(self, reply: Reply) -> None:
        offered = self._current
        if reply.code != GO_AHEAD:
            if _accepted(reply):
                raise ProtocolViolation("DATA answered as if it were over")
            self._refuse(reply)
            if self._peer.pipelining:
                self._close()
            return
        if offered.refusal is not None:
            self._say(Step.LONE_DOT, lines.END)
            self._close()
            return
        faults.reach("sender.before_call")
        self._say(Step.CONTENT, offered.content)
        self._handed, self._offered = offered.index, None
        self._unclean = False
        if self._peer.pipelining:
            self._offer()

    def _on_content(self, reply: Reply) -> None:
        _accepted(reply)
        self._settle(reply)
        if not self._peer.pipelining:
            self._offer()

    def _on_lone_dot(self, reply: Reply) -> None:
        _accepted(reply)

    @property
    def _current(self) -> Transaction:
        assert self._offered is not None  # its group is only expected while it is offered
        return self._offered

    def _refuse(self, reply: Reply) -> None:
        """Remember the first refusal; without PIPELINING nothing more is said of this mail."""
        offered = self._current
        self._unclean = True
        if offered.refusal is None:
            offered.refusal = reply
        if not self._peer.pipelining:
            self._plan.clear()
            self._close()

    def _close(self) -> None:
        """Settle a refused mail and go on to the next."""
        offered = self._current
        self.answers[offered.index] = self._refused(offered)
        self._offer()

    def _farewell(self, step: Step, reply: Reply) -> None:
        if step is Step.CONTENT:
            self._settle(reply)
        elif step in _GROUP and self._current.refusal is None:
            self._current.refusal = reply
        self._end(step)

    def _settle(self, reply: Reply) -> None:
        faults.reach("sender.after_call")
        assert self._handed is not None  # CONTENT is only expected after it left
        self.answers[self._handed] = self._answer(reply)
        self._handed = None

    def _refused(self, transaction: Transaction) -> Answer:
        if transaction.refusal is None:
            return Answer(Verdict.DEFERRED, relay=self._relay)
        return self._answer(transaction.refusal)

    def _answer(self, reply: Reply) -> Answer:
        return _answered(reply.code, reply.text, self._relay)


_GROUP: Final = (Step.MAIL, Step.RCPT, Step.DATA)
_TURNS: Final[dict[Step, Callable[[Dialogue, Reply], None]]] = {
    Step.RSET: Dialogue._on_rset,
    Step.MAIL: Dialogue._on_mail,
    Step.RCPT: Dialogue._on_rcpt,
    Step.DATA: Dialogue._on_data,
    Step.CONTENT: Dialogue._on_content,
    Step.LONE_DOT: Dialogue._on_lone_dot,
}


@lru_cache(maxsize=256)
def _answered(code: int, text: str, relay: str) -> Answer:
    return Answer(verdict_of(code), text, relay)


def _accepted(reply: Reply) -> bool:
    """Whether a command was accepted (2yz) and not refused (4yz, 5yz).

    Raises:
        ProtocolViolation: it is neither.
    """
    if 200 <= reply.code < 300:
        return True
    if reply.code < 400:
        raise ProtocolViolation(f"{reply.code} where only yes or no will do")
    return False


def _positive(reply: Reply) -> None:
    if not _accepted(reply):
        raise ProtocolViolation("RSET refused")
