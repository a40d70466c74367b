"""What was followed of single messages, told to Message Center for its archive.

It is told where events are counted, hourly: in the transaction that marks them, so each once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.delivery.store.links import LinkStore
from shared.ids import new_id
from shared.uow import Work
from topics.logs import LoggedTracking, LoggedUrl, TrackingLogged

MOST: Final = 500
"""Entries of one message: far under the broker's limit of a record."""


async def log_tracking(work: Work, rows: Sequence[Any]) -> None:
    """Tell what was followed of single messages, with the links it was; rows of the tracking log.

    A link that is not kept any more is told with an empty target.
    """
    for first in range(0, len(rows), MOST):
        entries = tuple(_entry(row) for row in rows[first : first + MOST])
        work.emit(
            TrackingLogged(
                batch_id=new_id(),
                urls=await _urls(work, entries),
                entries=entries,
                at=work.now,
            )
        )


def _entry(row: Any) -> LoggedTracking:
    return LoggedTracking(
        tracking_id=row["event_id"],
        message_id=row["run_id"],
        content_hash=row["template_hash"],
        number=row["url"],
        kind=row["kind"],
        at=row["at"],
        is_machine=row["is_machine"],
    )


async def _urls(work: Work, entries: Sequence[LoggedTracking]) -> tuple[LoggedUrl, ...]:
    kinds = {(one.content_hash, one.number): one.kind for one in entries}
    found = await LinkStore(work.connection).named(
        [content for content, _ in kinds], [number for _, number in kinds]
    )
    urls = {(content, link.number): link for content, link in found}
    return tuple(
        LoggedUrl(
            content_hash=content,
            number=number,
            kind=int(link.kind) if (link := urls.get((content, number))) else kind,
            url=link.url if link else "",
            label=link.label if link else "",
        )
        for (content, number), kind in kinds.items()
    )
