"""Precedence: campaigns leave the machine to proofs and single messages that wait too long.

A connection of their own is not enough: rendering, rows and records of a campaign take the cores
that single messages need all the way from their event to the server. How late the oldest of them
was when it was claimed says how scarce the cores are, so a campaign's worker waits a few times as
long between two windows. A campaign is slowed down and never stands still.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from services.delivery.store.sending import Claimed

PROMPT_SECONDS: Final = 0.03
"""What may pass between a message's being due and its claim without anybody giving way."""
TIMES: Final = 4.0
"""How many times as long as the oldest was late a campaign waits."""
LONGEST_SECONDS: Final = 1.0
"""The longest wait between two windows of a campaign."""
FRESH_SECONDS: Final = 1.0
"""How long a claim says how things are: without another one nothing waits."""


class Precedence:
    """How late single messages are, as the workers of one process see it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._late = 0.0
        self._seen_at = float("-inf")

    def note(self, rows: Sequence[Claimed], now: datetime) -> None:
        """Note how late the oldest of some claimed rows is; those of batch events may be late."""
        due = [row.next_at for row in rows if row.next_at is not None and not row.batch]
        if due:
            self._late = (now - min(due)).total_seconds()
            self._seen_at = self._monotonic()

    def wait_seconds(self) -> float:
        """Return how long a campaign's worker is to wait before its next window."""
        if self._late <= PROMPT_SECONDS or self._monotonic() - self._seen_at > FRESH_SECONDS:
            return 0.0
        return min(TIMES * self._late, LONGEST_SECONDS)
