"""Approvals as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.delivery.domain.approvals import Approval
from shared.database import Connection
from topics.content import ContentWarning
from topics.delivery import ApprovalKind, ApprovalOutcome

_COLUMNS: Final = """
approval_id, version, campaign_id, campaign_number, campaign_label, delivery_id, revision, kind,
outcome, subject, proof_number, proof_path, count, content_hash, snapshot_id, snapshot_hash,
send_doubles, warnings, requested_by, requested_at, deadline_at, reviewer_ids, reminders_sent,
decided_by, decided_at, reason, file_id
"""
_OPEN: Final = f"""
INSERT INTO approvals (approval_id, campaign_id, campaign_number, campaign_label, delivery_id,
    revision, kind, subject, proof_number, proof_path, count, content_hash, snapshot_id,
    snapshot_hash, send_doubles, warnings, requested_by, requested_at, deadline_at, reviewer_ids,
    file_id)
VALUES ($1, $2, $3, $4, $5,
    (SELECT coalesce(max(revision), 0) + 1 FROM approvals WHERE campaign_id = $2),
    $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
RETURNING {_COLUMNS}
"""
_END: Final = f"""
UPDATE approvals
SET outcome = $2, decided_by = $3, decided_at = $4, reason = $5,
    version = version + 1
WHERE approval_id = $1 RETURNING {_COLUMNS}
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be approved."""

    approval_id: UUID
    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    delivery_id: UUID | None
    kind: ApprovalKind
    subject: str
    proof_number: int | None
    proof_path: str | None
    count: int
    content_hash: str | None
    snapshot_id: UUID
    snapshot_hash: str
    requested_by: str
    requested_at: datetime
    deadline_at: datetime
    reviewer_ids: tuple[UUID, ...]
    send_doubles: bool = False
    warnings: tuple[ContentWarning, ...] = ()
    file_id: UUID | None = None


def _approval(row: asyncpg.Record) -> Approval:
    values: dict[str, Any] = dict(row)
    values["kind"] = ApprovalKind(values["kind"])
    values["outcome"] = ApprovalOutcome(values["outcome"])
    values["reviewer_ids"] = tuple(values["reviewer_ids"])
    values["warnings"] = tuple(map(ContentWarning.model_validate, values["warnings"]))
    return Approval(**values)


class ApprovalStore:
    """Approvals."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def open(self, request: Request) -> Approval:
        """Write a new open approval and return it."""
        row = await self._connection.fetchrow(
            _OPEN,
            request.approval_id,
            request.campaign_id,
            request.campaign_number,
            request.campaign_label,
            request.delivery_id,
            request.kind.value,
            request.subject,
            request.proof_number,
            request.proof_path,
            request.count,
            request.content_hash,
            request.snapshot_id,
            request.snapshot_hash,
            request.send_doubles,
            [one.model_dump() for one in request.warnings],
            request.requested_by,
            request.requested_at,
            request.deadline_at,
            list(request.reviewer_ids),
            request.file_id,
        )
        if row is None:
            raise KeyError(request.approval_id)
        return _approval(row)

    async def find(self, approval_id: UUID) -> Approval | None:
        """Return an approval."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM approvals WHERE approval_id = $1", approval_id
        )
        return _approval(row) if row else None

    async def lock(self, approval_id: UUID) -> Approval | None:
        """Return an approval, its row locked until the transaction ends."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM approvals WHERE approval_id = $1 FOR UPDATE", approval_id
        )
        return _approval(row) if row else None

    async def lock_latest(self, campaign_id: UUID) -> Approval | None:
        """Return the latest approval of a campaign's content or target, its row locked."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM approvals WHERE campaign_id = $1 AND file_id IS NULL"
            " ORDER BY revision DESC LIMIT 1 FOR UPDATE",
            campaign_id,
        )
        return _approval(row) if row else None

    async def lock_of_run(self, run_id: UUID) -> Approval | None:
        """Return the approval on which a run started, its row locked."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM approvals"
            " WHERE approval_id = (SELECT approval_id FROM runs WHERE run_id = $1) FOR UPDATE",
            run_id,
        )
        return _approval(row) if row else None

    async def lock_open_files(
        self, campaign_id: UUID, file_id: UUID | None = None
    ) -> list[Approval]:
        """Return a campaign's open approvals of files, or of one file, their rows locked."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM approvals WHERE campaign_id = $1 AND file_id IS NOT NULL"
            " AND outcome = 'pending' AND ($2::uuid IS NULL OR file_id = $2)"
            " ORDER BY revision FOR UPDATE",
            *(campaign_id, file_id),
        )
        return [_approval(row) for row in rows]

    async def end(
        self,
        approval_id: UUID,
        outcome: ApprovalOutcome,
        *,
        by: str,
        at: datetime,
        reason: str,
    ) -> Approval:
        """Write how an approval ended and return it."""
        row = await self._connection.fetchrow(_END, approval_id, outcome.value, by, at, reason)
        if row is None:
            raise KeyError(approval_id)
        return _approval(row)

    async def reminded(self, approval_id: UUID, number: int) -> Approval | None:
        """Note a reminder of an open approval; ``None`` when it ended or was reminded so far."""
        row = await self._connection.fetchrow(
            "UPDATE approvals SET reminders_sent = $2, version = version + 1"
            " WHERE approval_id = $1 AND outcome = 'pending' AND reminders_sent < $2"
            f" RETURNING {_COLUMNS}",
            approval_id,
            number,
        )
        return _approval(row) if row else None

    async def page(
        self, *, outcome: ApprovalOutcome | None, before: UUID | None, limit: int
    ) -> list[Approval]:
        """Return approvals, latest first, before one of them."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM approvals WHERE ($1::text IS NULL OR outcome = $1)"
            " AND ($2::uuid IS NULL OR approval_id < $2) ORDER BY approval_id DESC LIMIT $3",
            outcome.value if outcome else None,
            before,
            limit,
        )
        return [_approval(row) for row in rows]
