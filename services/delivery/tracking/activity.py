"""Summaries for the live view: how much happened in one transaction, numbered per teller."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.delivery.domain.tracking import EventKind
from services.delivery.store.tracking import Written
from shared.ids import new_id
from shared.uow import Work
from topics.delivery import ActivityCounts, DeliveryActivity

TELL_SECONDS: Final = 1.0
_TOLD: Final = {EventKind.OPEN: "opens", EventKind.CLICK: "clicks"}


class Untold:
    """What a task did and has not told yet: told about once a second, not with every transaction.

    A view that hears of each of dozens of windows a second costs more than it shows.
    """

    def __init__(self, name: str) -> None:
        self._source = ActivitySource(name)
        self._counts: dict[UUID, Counter[str]] = {}
        self._told_at = time.monotonic()

    def add(self, run_id: UUID, what: str, number: int = 1) -> None:
        """Note that something happened to so many messages of a run (a name of the counts)."""
        self._counts.setdefault(run_id, Counter())[what] += number

    @property
    def due(self) -> bool:
        """Whether it is time to tell."""
        return bool(self._counts) and time.monotonic() - self._told_at >= TELL_SECONDS

    def tell(self, work: Work) -> None:
        """Publish what is noted, when the transaction commits; it is then forgotten here."""
        counts, self._counts = self._counts, {}
        self._told_at = time.monotonic()
        for run_id, noted in counts.items():
            self._source.tell(work, run_id, ActivityCounts(**noted))


class ActivitySource:
    """Tells of the work of one task, whose transactions follow one another.

    Tasks that commit side by side need a source each: the view takes a source's summaries in the
    order of their numbers, and a lower one that comes late for a repetition.
    """

    def __init__(self, name: str) -> None:
        self.source: Final = f"{name}:{new_id().hex}"
        self._sequence = 0

    def tell(self, work: Work, run_id: UUID, counts: ActivityCounts) -> None:
        """Publish what this transaction did for a run, when it commits."""
        self._sequence += 1
        work.emit(
            DeliveryActivity(
                run_id=run_id,
                source=self.source,
                sequence=self._sequence,
                counts=counts,
                at=work.now,
            )
        )

    def tell_events(self, work: Work, written: Sequence[Written]) -> None:
        """Publish how many opens and clicks this transaction wrote, by campaign's run.

        Single messages are runs of their own, too many and too small to look at live.
        """
        told: dict[UUID, Counter[str]] = {}
        for one in written:
            if one.campaign and one.kind in _TOLD:
                told.setdefault(one.run_id, Counter())[_TOLD[one.kind]] += one.events
        for run_id, counts in told.items():
            self.tell(work, run_id, ActivityCounts(**counts))
