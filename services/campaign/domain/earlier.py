"""Runs of a campaign that an edit ended: what they came to, and what is still held for them. Pure.

What is done stays done. Each run keeps its own totals, which may still change when a message that
was in doubt is decided, and is charged to the hold it was approved with.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

from topics.budget import Volumes
from topics.delivery import DeliveryCounts
from topics.message import Value

V = TypeVar("V", DeliveryCounts, Volumes)


class EarlierRun(Value):
    """A run that was ended for a later one to do the rest.

    Attributes:
        revision: of ``counts``; a lower one is out of date.
        done: no message of it is pending or ambiguous any more.
        targeting_id: the target it was for.
        hold_id: the money that was held for it.
        reservation_id: the goods that were kept for it, ``stock_per_letter`` of them a letter.
        closed: its cost was asked to be booked, and its goods to be given back.
        booked: what was asked to be booked; ``None``: nothing was ever held, so nothing is charged.
    """

    run_id: UUID
    counts: DeliveryCounts = DeliveryCounts()
    revision: int = 0
    done: bool = False
    targeting_id: UUID | None = None
    organisations: int = 0
    persons: int = 0
    extracted: int = 0
    hold_id: UUID | None = None
    reservation_id: UUID | None = None
    stock_per_letter: int = 1
    closed: bool = False
    booked: Volumes | None = None

    @property
    def used(self) -> Volumes:
        """What the run really used."""
        return used(self.counts, self.organisations, self.persons)

    @property
    def unbooked(self) -> Volumes:
        """What it came to use after its cost was booked: a message in doubt had left after all."""
        return Volumes() if self.booked is None else minus(self.used, self.booked)


def used(counts: DeliveryCounts, organisations: int, persons: int) -> Volumes:
    """Return what is paid for: what was delivered, and who was linked."""
    return Volumes(
        emails=counts.emails_sent,
        letters=counts.letters_sent,
        organisations=organisations,
        persons=persons,
    )


def plus(values: Iterable[V], first: V) -> V:
    """Return the sum, field by field."""
    parts = [first, *values]
    return type(first)(
        **{name: sum(getattr(one, name) for one in parts) for name in type(first).model_fields}
    )


def minus(more: Volumes, less: Volumes) -> Volumes:
    """Return the difference, field by field, never below zero."""
    return Volumes(
        **{name: max(0, getattr(more, name) - getattr(less, name)) for name in Volumes.model_fields}
    )
