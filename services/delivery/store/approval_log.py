"""The log of approvals: who did what with which, in rows that are only added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.delivery.domain.approvals import Approval
from shared.database import Connection
from topics.delivery import ApprovalKind


class LogEvent(StrEnum):
    """What happens to an approval while it is open; its end is logged by the outcome's name."""

    REQUESTED = "requested"
    REMINDED = "reminded"
    SNOOZED = "snoozed"
    DELEGATED = "delegated"
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log.

    Attributes:
        operator_ids: who is concerned: asked, named, added.
        until: the deadline that was set, or when a reviewer is reminded again.
    """

    entry_id: int
    approval_id: UUID
    campaign_id: UUID
    kind: ApprovalKind
    revision: int
    event: str
    actor_id: str
    operator_ids: tuple[UUID, ...]
    until: datetime | None
    comment: str
    at: datetime


class ApprovalLog:
    """The log in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self,
        approval: Approval,
        event: str,
        at: datetime,
        *,
        by: str,
        operator_ids: Sequence[UUID] = (),
        until: datetime | None = None,
        comment: str = "",
    ) -> None:
        """Note that something happened to an approval."""
        await self._connection.execute(
            "INSERT INTO approval_log (approval_id, campaign_id, kind, revision, event, actor_id,"
            " operator_ids, until, comment, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            approval.approval_id,
            approval.campaign_id,
            approval.kind.value,
            approval.revision,
            event,
            by,
            list(operator_ids),
            until,
            comment,
            at,
        )

    async def page(self, campaign_id: UUID, *, after: int, limit: int) -> list[Entry]:
        """Return a campaign's entries, oldest first, those after one of them."""
        rows = await self._connection.fetch(
            "SELECT * FROM approval_log WHERE campaign_id = $1 AND entry_id > $2"
            " ORDER BY entry_id LIMIT $3",
            campaign_id,
            after,
            limit,
        )
        return [
            Entry(
                **dict(row)
                | {
                    "kind": ApprovalKind(row["kind"]),
                    "operator_ids": tuple(row["operator_ids"]),
                }
            )
            for row in rows
        ]
