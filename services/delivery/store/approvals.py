"""Approvals as rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.delivery.domain.approvals import Approval
from services.delivery.domain.terms import Terms
from shared.database import Connection
from topics.approval_rules import ApprovalRules
from topics.content import ContentWarning
from topics.delivery import ApprovalKind, ApprovalOutcome

_COLUMNS: Final = ", ".join(one.name for one in fields(Approval))


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be approved; ``reviewer_ids`` where the rule of its kind names nobody."""

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
    reviewer_ids: tuple[UUID, ...]
    rules: ApprovalRules
    send_doubles: bool = False
    has_letter: bool = False
    warnings: tuple[ContentWarning, ...] = ()
    file_id: UUID | None = None


def _approval(row: asyncpg.Record) -> Approval:
    values: dict[str, Any] = dict(row)
    values["kind"] = ApprovalKind(values["kind"])
    values["outcome"] = ApprovalOutcome(values["outcome"])
    values["reviewer_ids"] = tuple(values["reviewer_ids"])
    values["warnings"] = tuple(map(ContentWarning.model_validate, values["warnings"]))
    values["rules"] = ApprovalRules.model_validate(values["rules"])
    for name in ("reviewer_groups", "remind_at"):
        values[name] = tuple(values[name])
    return Approval(**values)


def _columns(request: Request, terms: Terms) -> dict[str, object]:
    """Return what a new row holds, by column."""
    return asdict(request) | {
        "kind": request.kind.value,
        "warnings": [one.model_dump() for one in request.warnings],
        "rules": request.rules.model_dump(mode="json", exclude_none=True),
        **asdict(terms),
    }


_NAMES: Final = tuple(dict.fromkeys(one.name for one in (*fields(Request), *fields(Terms))))
_OPEN: Final = f"""
INSERT INTO approvals ({", ".join(_NAMES)}, revision)
VALUES ({", ".join(f"${number}" for number in range(1, len(_NAMES) + 1))},
    (SELECT coalesce(max(revision), 0) + 1 FROM approvals
     WHERE campaign_id = ${_NAMES.index("campaign_id") + 1}))
RETURNING {_COLUMNS}
"""


class ApprovalStore:
    """Approvals."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def open(self, request: Request, terms: Terms) -> Approval:
        """Write a new open approval and return it."""
        columns = _columns(request, terms)
        row = await self._connection.fetchrow(_OPEN, *(columns[name] for name in _NAMES))
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

    async def lock_latest(self, campaign_id: UUID, kind: ApprovalKind) -> Approval | None:
        """Return the latest approval of a campaign of a kind, files' left out, its row locked."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM approvals WHERE campaign_id = $1 AND kind = $2"
            " AND file_id IS NULL ORDER BY revision DESC LIMIT 1 FOR UPDATE",
            campaign_id,
            kind.value,
        )
        return _approval(row) if row else None

    async def lock_in_force(self, campaign_id: UUID) -> list[Approval]:
        """Return the latest approval of each kind that is open or granted, files' left out."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM approvals a WHERE campaign_id = $1 AND file_id IS NULL"
            " AND outcome IN ('pending', 'approved') AND revision = ("
            "SELECT max(revision) FROM approvals b WHERE b.campaign_id = a.campaign_id"
            " AND b.kind = a.kind AND b.file_id IS NULL)"
            " ORDER BY revision FOR UPDATE",
            campaign_id,
        )
        return [_approval(row) for row in rows]

    async def latest(self, campaign_id: UUID, kind: ApprovalKind | None = None) -> Approval | None:
        """Return a campaign's latest approval, of a kind if named: an open one before any other."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM approvals WHERE campaign_id = $1 AND file_id IS NULL"
            " AND ($2::text IS NULL OR kind = $2)"
            " ORDER BY outcome = 'pending' DESC, revision DESC LIMIT 1",
            campaign_id,
            kind.value if kind else None,
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
        self, campaign_id: UUID, file_id: UUID | None = None, kind: ApprovalKind | None = None
    ) -> list[Approval]:
        """Return a campaign's open approvals of files, or of one file and kind, rows locked."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM approvals WHERE campaign_id = $1 AND file_id IS NOT NULL"
            " AND outcome = 'pending' AND ($2::uuid IS NULL OR file_id = $2)"
            " AND ($3::text IS NULL OR kind = $3) ORDER BY revision FOR UPDATE",
            *(campaign_id, file_id, kind.value if kind else None),
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
        ended = {"outcome": outcome.value, "decided_by": by, "decided_at": at, "reason": reason}
        return await self.change(approval_id, **ended)

    async def reminded(self, approval_id: UUID, number: int) -> Approval | None:
        """Number a reminder of an open approval, at least so high; ``None`` when it has ended."""
        row = await self._connection.fetchrow(
            "UPDATE approvals SET reminders_sent = greatest(reminders_sent + 1, $2),"
            " version = version + 1"
            f" WHERE approval_id = $1 AND outcome = 'pending' RETURNING {_COLUMNS}",
            approval_id,
            number,
        )
        return _approval(row) if row else None

    async def change(self, approval_id: UUID, **values: object) -> Approval:
        """Set columns of an approval (names come from the code, never from input)."""
        names = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, 2))
        row = await self._connection.fetchrow(
            f"UPDATE approvals SET {names}, version = version + 1"
            f" WHERE approval_id = $1 RETURNING {_COLUMNS}",
            approval_id,
            *values.values(),
        )
        if row is None:
            raise KeyError(approval_id)
        return _approval(row)

    async def snooze(self, approval_id: UUID, operator_id: UUID, until: datetime) -> None:
        """Note until when a reviewer put their reminders off."""
        await self._connection.execute(
            "INSERT INTO approval_snoozes (approval_id, operator_id, until) VALUES ($1, $2, $3)"
            " ON CONFLICT (approval_id, operator_id) DO UPDATE SET until = excluded.until",
            *(approval_id, operator_id, until),
        )

    async def snoozing(self, approval_id: UUID) -> list[UUID]:
        """Return who put their reminders off."""
        rows = await self._connection.fetch(
            "SELECT operator_id FROM approval_snoozes WHERE approval_id = $1 ORDER BY operator_id",
            approval_id,
        )
        return [UUID(int=row["operator_id"].int) for row in rows]

    async def wake(self, approval_id: UUID, operator_id: UUID) -> None:
        """Forget that a reviewer put their reminders off."""
        await self._connection.execute(
            "DELETE FROM approval_snoozes WHERE approval_id = $1 AND operator_id = $2",
            *(approval_id, operator_id),
        )

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
