"""Rules of quarantine: what errors make of an address.

Where an address stands follows from the set of its errors alone, so that reports that come twice,
late or out of order change nothing. Another error never improves it: a chain of errors a day apart
only gets longer by one more, and the time after which it is forgotten only later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from topics.bounces import AddressStatus, ErrorReason, Severity
from topics.delivery import Channel

BLOCKED: Final = frozenset({AddressStatus.QUARANTINE, AddressStatus.DENYLISTED})
_RANK: Final = {status: rank for rank, status in enumerate(AddressStatus)}


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of quarantine.

    Attributes:
        soft_errors: how many significant soft errors an address may have; one more quarantines it.
        significant: how far apart two soft errors must be for both to count.
        reset: after this long without an error, the counter begins again.
        reset_full: the same after a full mailbox, whose owner may be on holiday.
    """

    soft_errors: int = 5
    significant: timedelta = timedelta(days=1)
    reset: timedelta = timedelta(days=10)
    reset_full: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that failed, as a server said in the session, or a bounce or complaint later.

    Attributes:
        code: the server's reply, such as ``550 5.1.1``, ``5.1.1`` or ``450``.
        text: what it said beside that; it is kept without anybody's data.
        address: the recipient's, so that it can be told from the other words.
        complaint: the recipient called the message unwanted.
        late: the message had left: its ledger row, now sent, is to become failed.
    """

    run_id: UUID
    member_id: UUID
    recipient_key: str
    channel: Channel
    code: str
    at: datetime
    text: str = ""
    address: str = ""
    complaint: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class AddressError:
    """An error of an address, qualified."""

    at: datetime
    severity: Severity
    reason: ErrorReason


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an address stands.

    Attributes:
        soft_errors: significant soft errors in the present chain.
        significant_at: the latest of them.
        forgotten_at: when the chain is over if nothing more happens.
        reason: of the error that made the status what it is.
    """

    status: AddressStatus = AddressStatus.VALID
    soft_errors: int = 0
    significant_at: datetime | None = None
    forgotten_at: datetime | None = None
    reason: ErrorReason = ErrorReason.UNDEFINED

    @property
    def blocked(self) -> bool:
        """Whether nothing but a proof may go there."""
        return self.status in BLOCKED


def standing_of(errors: Iterable[AddressError], limits: Limits) -> Standing:
    """Return where an address with these errors stands, whatever their order."""
    standing = Standing()
    for error in sorted(errors, key=lambda one: (one.at, one.severity, one.reason)):
        standing = _after(standing, error, limits)
    return standing


def _after(standing: Standing, error: AddressError, limits: Limits) -> Standing:
    if error.severity is Severity.IGNORED:
        return standing
    if error.reason is ErrorReason.DENYLISTED:
        return _at_least(standing, AddressStatus.DENYLISTED, error)
    if error.severity is Severity.HARD:
        return _at_least(standing, AddressStatus.QUARANTINE, error)
    counted = _count(standing, error, limits)
    status = AddressStatus.WITH_ERRORS
    if counted.soft_errors > limits.soft_errors:
        status = AddressStatus.QUARANTINE
    return _at_least(counted, status, error)


def _count(standing: Standing, error: AddressError, limits: Limits) -> Standing:
    if standing.forgotten_at is not None and error.at > standing.forgotten_at:
        standing = replace(standing, soft_errors=0, significant_at=None)
    window = limits.reset_full if error.reason is ErrorReason.MAILBOX_FULL else limits.reset
    # An error that is forgotten late keeps the chain alive also behind one forgotten early.
    forgotten_at = max(error.at + window, standing.forgotten_at or error.at)
    last = standing.significant_at
    if last is not None and error.at - last < limits.significant:
        return replace(standing, forgotten_at=forgotten_at)
    return replace(
        standing,
        soft_errors=standing.soft_errors + 1,
        significant_at=error.at,
        forgotten_at=forgotten_at,
    )


def _at_least(standing: Standing, status: AddressStatus, error: AddressError) -> Standing:
    """Return the standing with a status that is never better than before."""
    if _RANK[status] < _RANK[standing.status]:
        return standing
    if status is standing.status and status in BLOCKED:
        return standing
    return replace(standing, status=status, reason=error.reason)


def held(before: Standing, now: Standing) -> Standing:
    """Return what is to be kept: a blocked address is never released by a rule."""
    if before.blocked and _RANK[now.status] < _RANK[before.status]:
        return replace(now, status=before.status, reason=before.reason)
    return now
