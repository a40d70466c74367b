"""What a targeting is, what is counted of it, and how a snapshot is cut and hashed. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from topics.targeting import Counts, Criterion, TargetCounts, TargetingKind

CHUNK_MEMBERS: Final = 500
# The broker takes records of 1 MB; this leaves room for the rest of the message.
CHUNK_BYTES: Final = 880_000


@dataclass(frozen=True, slots=True)
class Definition:
    """How members are chosen; ``sql`` is the guard's normal form of a direct SQL targeting."""

    counts: Counts
    kind: TargetingKind
    criteria: tuple[Criterion, ...] = ()
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class Targeting:
    """A saved targeting; ``version`` grows with each change."""

    targeting_id: UUID
    version: int
    label: str
    definition: Definition
    saved_by: str
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """What one read of the directory counted, before the waterfall is drawn from it.

    Attributes:
        chosen: ids the targeting gave out, known to the directory or not.
        members: members of the target.
        deals: deals of the members (or the members themselves).
        organisations: distinct sites behind the members.
        persons: distinct contacts behind the members.
        without_email: persons without an address.
        addresses: distinct addresses of persons, opted out or not.
        opted_out: distinct addresses that opted out.
    """

    chosen: int
    members: int
    deals: int
    organisations: int
    persons: int
    without_email: int
    addresses: int
    opted_out: int


def waterfall(tally: Tally, counts: Counts) -> TargetCounts:
    """Return the counts for people: persons - duplicates - opted out = reachable + without e-mail.

    Each person falls in one group: without an address; a duplicate, when another person was
    counted for the same address; opted out; or reachable. ``records`` are the dossiers: the sites
    of a target of deals, the members of any other.
    """
    return TargetCounts(
        records=tally.organisations if counts is Counts.DEALS else tally.members,
        deals=tally.deals,
        organisations=tally.organisations,
        persons=tally.persons,
        duplicates=tally.persons - tally.without_email - tally.addresses,
        opted_out=tally.opted_out,
        without_email=tally.without_email,
        reachable=tally.addresses - tally.opted_out,
    )


@dataclass(slots=True)
class Cutter:
    """Cuts members, in order, into chunks that a message can carry, and hashes who they are.

    The hash is SHA-256 over a line ``<member id>:<recipient key>`` per member, in order.
    """

    position: int = 0
    chunk: int = 0
    _members: int = 0
    _bytes: int = 0
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def place(self, member_id: UUID, recipient_key: str | None, size_bytes: int) -> tuple[int, int]:
        """Return the position and the chunk of the next member."""
        if self._members == CHUNK_MEMBERS or (
            self._members and self._bytes + size_bytes > CHUNK_BYTES
        ):
            self.chunk, self._members, self._bytes = self.chunk + 1, 0, 0
        self._members += 1
        self._bytes += size_bytes
        self._hash.update(f"{member_id}:{recipient_key or ''}\n".encode())
        self.position += 1
        return self.position - 1, self.chunk

    @property
    def chunks(self) -> int:
        """How many chunks the members so far need."""
        return self.chunk + 1 if self.position else 0

    @property
    def digest(self) -> str:
        """The hash of the members so far (hex)."""
        return self._hash.hexdigest()


def snapshot_hash(members: Iterable[tuple[UUID, str | None]]) -> str:
    """Return the hash of (member id, recipient key) pairs in order, as a snapshot carries it."""
    cutter = Cutter()
    for member_id, key in members:
        cutter.place(member_id, key, 0)
    return cutter.digest


def mask_text(text: str) -> str:
    """Return the first letter of a text and dots, for people who may not see who it is."""
    return f"{text[:1]}…" if text else ""


def mask_address(address: str | None) -> str | None:
    """Return an address by its first letter and the end of its domain (``m…@….example``)."""
    if not address:
        return None
    return f"{address[:1]}…@….{address.rpartition('.')[2]}"


def mask_number(number: str) -> str:
    """Return the last two digits of a telephone number."""
    return f"…{number[-2:]}" if number else ""
