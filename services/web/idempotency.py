"""``Idempotency-Key``: a POST that is sent again has no second effect and the same answer.

The row is written before the call is passed on. Whoever finds it under way waits; a row whose
caller was lost (web was killed, or the service never answered) may be taken over once no call can
be under way any more. The outcome of that lost call is unknown, so ids made by the caller are what
keeps a create from happening twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared.database import Connection
from shared.ids import new_id

LARGEST_BODY: Final = 1_048_576
LARGEST_ANSWER: Final = 1_048_576
LONGEST_KEY: Final = 255


@dataclass(frozen=True, slots=True)
class Asked:
    """A keyed call: whose, which, with what body."""

    token_id: UUID
    key: str
    target: str
    body_sha256: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a keyed call; nobody else has it."""

    claim: UUID


@dataclass(frozen=True, slots=True)
class Kept:
    """The first call's answer; ``body`` is ``None`` when it was not to be kept."""

    status: int
    content_type: str | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Clash:
    """Why a keyed call is not carried out: 409 under way, 422 another request's key."""

    status: int
    reason: str


class KeptAnswers:
    """Keyed calls and their answers, in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(
        self, asked: Asked, now: datetime, *, lease: timedelta, keep: timedelta
    ) -> Claim | Kept | Clash:
        """Return the claim of a first call, or what became of an earlier one.

        Args:
            asked: the call.
            now: the time.
            lease: how long a call can be under way at most.
            keep: how long an answer is kept.
        """
        claim = new_id()
        made = await self._connection.fetchval(
            "INSERT INTO kept_answers (token_id, key, target, body_sha256, started_at, claim)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING claim",
            asked.token_id,
            asked.key,
            asked.target,
            asked.body_sha256,
            now,
            claim,
        )
        if made is not None:
            return Claim(claim)
        return await self._again(asked, now, claim, lease=lease, keep=keep)

    async def _again(
        self, asked: Asked, now: datetime, claim: UUID, *, lease: timedelta, keep: timedelta
    ) -> Claim | Kept | Clash:
        row = await self._connection.fetchrow(
            "SELECT target, body_sha256, started_at, status, content_type, body"
            " FROM kept_answers WHERE token_id = $1 AND key = $2 FOR UPDATE",
            asked.token_id,
            asked.key,
        )
        if row is None:
            return Clash(409, "the first call with this key just ended unanswered; try again")
        if row["started_at"] > now - keep:
            if (row["target"], row["body_sha256"]) != (asked.target, asked.body_sha256):
                return Clash(422, "this key was used for another request; use a new one")
            if row["status"] is not None:
                return Kept(row["status"], row["content_type"], row["body"])
            if row["started_at"] > now - lease:
                return Clash(409, "the first call with this key is still under way")
        await self._connection.execute(
            "UPDATE kept_answers SET target = $3, body_sha256 = $4, started_at = $5, claim = $6,"
            " status = NULL, content_type = NULL, body = NULL WHERE token_id = $1 AND key = $2",
            asked.token_id,
            asked.key,
            asked.target,
            asked.body_sha256,
            now,
            claim,
        )
        return Claim(claim)

    async def finish(self, claim: Claim, kept: Kept) -> None:
        """Keep the answer, unless somebody took the call over meanwhile."""
        await self._connection.execute(
            "UPDATE kept_answers SET status = $2, content_type = $3, body = $4 WHERE claim = $1",
            claim.claim,
            kept.status,
            kept.content_type,
            kept.body,
        )

    async def drop(self, claim: Claim) -> None:
        """Forget a call that had no effect, so that the key may be used again."""
        await self._connection.execute("DELETE FROM kept_answers WHERE claim = $1", claim.claim)

    async def prune(self, before: datetime, limit: int = 5000) -> int:
        """Remove up to ``limit`` answers begun before a time; return how many."""
        status = await self._connection.execute(
            "DELETE FROM kept_answers WHERE (token_id, key) IN (SELECT token_id, key"
            " FROM kept_answers WHERE started_at < $1 ORDER BY started_at LIMIT $2)",
            before,
            limit,
        )
        return int(status.rpartition(" ")[2])
