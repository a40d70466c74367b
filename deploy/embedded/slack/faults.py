"""Faults on purpose: answers refused by rate, lost or slow, and the pace Slack allows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import Field

from deploy.embedded.slack.wire import Wire


class FaultKind(StrEnum):
    """What goes wrong with a call."""

    RATE_LIMITED = "rate_limited"
    LOST = "lost"
    SLOW = "slow"
    ERROR = "error"
    HALF = "half"


class Fault(Wire):
    """The next ``times`` calls of ``method`` (``*`` for any) go wrong this way.

    ``seconds`` is Retry-After for ``rate_limited`` and the delay for ``slow``; ``error`` is the
    code answered for ``error`` and ``half``. A lost answer comes after the call was carried out;
    so does that of ``half``, which Slack says of its ``internal_error`` and ``fatal_error``.
    """

    kind: FaultKind
    method: str = "*"
    times: int = Field(default=1, gt=0)
    seconds: float = 1.0
    error: str = "internal_error"


class Pace(Wire):
    """Slack's own limit for a method: ``per_second`` on average, ``burst`` at once.

    ``per_channel`` counts each channel by itself, as ``chat.postMessage`` does (1 per second).
    """

    method: str
    per_second: float = Field(default=1.0, gt=0)
    burst: int = Field(default=1, gt=0)
    per_channel: bool = True


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


@dataclass(slots=True)
class Faults:
    """The faults to come, first in, first out, and the paces that hold."""

    monotonic: Callable[[], float]
    coming: list[Fault] = field(default_factory=list)
    paces: dict[str, Pace] = field(default_factory=dict)
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    def script(self, fault: Fault) -> None:
        """Add a fault after those already scripted."""
        self.coming.append(fault)

    def keep_pace(self, pace: Pace) -> None:
        """Hold a method to a pace from now on."""
        self.paces[pace.method] = pace

    def clear(self) -> None:
        """Forget every fault and pace."""
        self.coming.clear()
        self.paces.clear()
        self._buckets.clear()

    def take(self, method: str) -> Fault | None:
        """Return the fault this call meets, if any, and count it."""
        for index, fault in enumerate(self.coming):
            if fault.method in (method, "*"):
                left = fault.times - 1
                kept = [fault.model_copy(update={"times": left})] if left else []
                self.coming[index : index + 1] = kept
                return fault
        return None

    def over_pace(self, method: str, channel: str) -> float | None:
        """Return how many seconds to wait when this call comes too soon; count it otherwise."""
        pace = self.paces.get(method)
        if pace is None:
            return None
        key = (method, channel if pace.per_channel else "")
        now = self.monotonic()
        bucket = self._buckets.setdefault(key, _Bucket(left=pace.burst, at=now))
        gained = (now - bucket.at) * pace.per_second
        bucket.left, bucket.at = min(pace.burst, bucket.left + gained), now
        if bucket.left >= 1:
            bucket.left -= 1
            return None
        return (1 - bucket.left) / pace.per_second
