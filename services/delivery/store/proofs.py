"""Proofs as rows: asked for, rendered, on their way, arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.delivery.rendering import Rendered
from shared.database import Connection
from topics.approval_rules import ApprovalRules
from topics.content import ContentWarning

_COLUMNS: Final = """
proof_id, campaign_id, campaign_number, campaign_label, delivery_id, number, state,
content_hash, snapshot_id, snapshot_hash, count, chunks, reviewer_ids, requested_by, rules
"""
_ADD: Final = """
INSERT INTO proofs (proof_id, campaign_id, campaign_number, campaign_label, delivery_id,
    number, state, content_hash, snapshot_id, snapshot_hash, count, chunks, reviewer_ids,
    requested_by, made_at, rules)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as its row holds it, without what was rendered."""

    proof_id: UUID
    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    delivery_id: UUID
    number: int
    state: str
    content_hash: str
    snapshot_id: UUID
    snapshot_hash: str
    count: int
    chunks: int
    reviewer_ids: tuple[UUID, ...]
    requested_by: str
    rules: ApprovalRules


@dataclass(frozen=True, slots=True)
class Seen:
    """A proof as its page shows it."""

    number: int
    campaign_number: int
    campaign_label: str
    subject: str
    html: str
    text: str
    send_doubles: bool
    has_letter: bool
    warnings: tuple[ContentWarning, ...]
    count: int
    content_hash: str
    snapshot_hash: str


def _warnings(rows: list[dict[str, str]]) -> tuple[ContentWarning, ...]:
    return tuple(map(ContentWarning.model_validate, rows))


def _proof(row: asyncpg.Record) -> Proof:
    return Proof(**dict(row) | {"rules": ApprovalRules.model_validate(row["rules"])})


class ProofStore:
    """Proofs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def proven(self, snapshot_id: UUID) -> bool:
        """Whether a snapshot has a proof that did not fail."""
        return bool(
            await self._connection.fetchval(
                "SELECT 1 FROM proofs WHERE snapshot_id = $1 AND state <> 'failed' LIMIT 1",
                snapshot_id,
            )
        )

    async def add(self, proof: Proof, at: datetime) -> None:
        """Write a new proof."""
        await self._connection.execute(
            _ADD,
            proof.proof_id,
            proof.campaign_id,
            proof.campaign_number,
            proof.campaign_label,
            proof.delivery_id,
            proof.number,
            proof.state,
            proof.content_hash,
            proof.snapshot_id,
            proof.snapshot_hash,
            proof.count,
            proof.chunks,
            list(proof.reviewer_ids),
            proof.requested_by,
            at,
            proof.rules.model_dump(mode="json", exclude_none=True),
        )

    async def lock(self, proof_id: UUID) -> Proof | None:
        """Return a proof, its row locked until the transaction ends."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM proofs WHERE proof_id = $1 FOR UPDATE", proof_id
        )
        return _proof(row) if row else None

    async def lock_waiting(self, snapshot_id: UUID) -> list[Proof]:
        """Return the proofs that wait for a snapshot, locked."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM proofs WHERE snapshot_id = $1 AND state = 'waiting'"
            " FOR UPDATE",
            snapshot_id,
        )
        return [_proof(row) for row in rows]

    async def rendered(
        self,
        proof_id: UUID,
        rendered: Rendered,
        *,
        send_doubles: bool,
        warnings: Sequence[ContentWarning],
        sample_key: str | None,
        letter: bytes | None,
    ) -> None:
        """Keep what a proof looks like and what was noticed; it is on its way from now on."""
        await self._connection.execute(
            "UPDATE proofs SET state = 'sending', subject = $2, html = $3, text = $4,"
            " sample_key = $5, send_doubles = $6, warnings = $7, letter = $8 WHERE proof_id = $1",
            proof_id,
            rendered.subject,
            rendered.html,
            rendered.text,
            sample_key,
            send_doubles,
            [one.model_dump() for one in warnings],
            letter,
        )

    async def ended(self, proof_id: UUID, *, sent: bool) -> None:
        """Note whether a proof arrived."""
        await self._connection.execute(
            "UPDATE proofs SET state = $2 WHERE proof_id = $1",
            proof_id,
            "sent" if sent else "failed",
        )

    async def html(self, proof_id: UUID) -> str | None:
        """Return what a proof looks like; ``None`` when it is not known or not rendered."""
        html: str | None = await self._connection.fetchval(
            "SELECT html FROM proofs WHERE proof_id = $1 AND html <> ''", proof_id
        )
        return html

    async def seen(self, proof_id: UUID) -> Seen | None:
        """Return a proof to show; ``None`` when it is not known, not rendered or erased."""
        row = await self._connection.fetchrow(
            "SELECT number, campaign_number, campaign_label, subject, html, text,"
            " send_doubles, letter IS NOT NULL AS has_letter, warnings, count, content_hash,"
            " snapshot_hash"
            " FROM proofs WHERE proof_id = $1 AND html <> ''",
            proof_id,
        )
        return Seen(**dict(row) | {"warnings": _warnings(row["warnings"])}) if row else None

    async def letter(self, proof_id: UUID) -> bytes | None:
        """Return a proof's letter as PDF; ``None`` when it has none, or it was erased."""
        pdf: bytes | None = await self._connection.fetchval(
            "SELECT letter FROM proofs WHERE proof_id = $1 AND html <> ''", proof_id
        )
        return pdf

    async def warnings(self, proof_id: UUID) -> tuple[ContentWarning, ...]:
        """Return what was noticed when a proof was rendered."""
        return _warnings(
            await self._connection.fetchval(
                "SELECT warnings FROM proofs WHERE proof_id = $1", proof_id
            )
        )

    async def latest(self, delivery_id: UUID) -> UUID | None:
        """Return a delivery's last rendered proof."""
        proof_id: UUID | None = await self._connection.fetchval(
            "SELECT proof_id FROM proofs WHERE delivery_id = $1 AND html <> ''"
            " ORDER BY number DESC LIMIT 1",
            delivery_id,
        )
        return proof_id
