"""What the bot remembers of its own doing: identities taken, asks, followers, estimates."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from bot.store import Ask, Estimate
from shared.database import Connection
from topics.budget import GoodsNeeded


class Memory:
    """The bot's own rows in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def take(self, key: str, now: datetime) -> bool:
        """Note the identity of something a person sent; return whether it was new."""
        return bool(
            await self._connection.fetchval(
                "INSERT INTO slack_inbox (key, taken_at) VALUES ($1, $2)"
                " ON CONFLICT DO NOTHING RETURNING true",
                key,
                now,
            )
        )

    async def give_back(self, approval_id: UUID, operator_id: str) -> None:
        """Forget somebody's answers to an approval: they were refused, and may be given again."""
        await self._connection.execute(
            "DELETE FROM slack_inbox WHERE key LIKE $1 || '%' AND split_part(key, ':', 4) = $2",
            f"decide:{approval_id}:",
            operator_id,
        )

    async def ask(self, subject: str, ask: Ask, now: datetime) -> None:
        """Remember where to answer somebody who asked about a subject."""
        await self._connection.execute(
            "INSERT INTO asks (subject, operator_id, channel, asked_at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (subject, operator_id) DO UPDATE"
            " SET channel = excluded.channel, asked_at = excluded.asked_at",
            subject,
            ask.operator_id,
            ask.channel,
            now,
        )

    async def channel_of(self, subject: str, operator_id: str) -> str:
        """Return where somebody asked about a subject; empty when they did not."""
        found = await self._connection.fetchval(
            "SELECT channel FROM asks WHERE subject = $1 AND operator_id = $2",
            subject,
            operator_id,
        )
        return found or ""

    async def askers(self, subject: str) -> list[Ask]:
        """Return who asked about a subject."""
        rows = await self._connection.fetch(
            "SELECT operator_id, channel FROM asks WHERE subject = $1 ORDER BY operator_id", subject
        )
        return [Ask(row["operator_id"], row["channel"]) for row in rows]

    async def answered(self, subject: str) -> list[Ask]:
        """Forget the asks about a subject and return them."""
        rows = await self._connection.fetch(
            "DELETE FROM asks WHERE subject = $1 RETURNING operator_id, channel", subject
        )
        return [Ask(row["operator_id"], row["channel"]) for row in rows]

    async def follow(
        self, campaign_id: UUID, operator_id: str, message_key: str, now: datetime
    ) -> bool:
        """Note that somebody follows a campaign by a message; return whether they did not yet."""
        return bool(
            await self._connection.fetchval(
                "INSERT INTO followers (campaign_id, operator_id, message_key, since)"
                " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true",
                campaign_id,
                operator_id,
                message_key,
                now,
            )
        )

    async def unfollow(self, campaign_id: UUID, operator_id: str | None = None) -> None:
        """Forget that somebody follows a campaign, or that anybody does."""
        await self._connection.execute(
            "DELETE FROM followers WHERE campaign_id = $1"
            " AND ($2::text IS NULL OR operator_id = $2)",
            campaign_id,
            operator_id,
        )

    async def followers(self, campaign_id: UUID) -> dict[str, str]:
        """Return the keys of the messages that follow a campaign, by operator."""
        rows = await self._connection.fetch(
            "SELECT operator_id, message_key FROM followers WHERE campaign_id = $1"
            " ORDER BY operator_id",
            campaign_id,
        )
        return {row["operator_id"]: row["message_key"] for row in rows}

    async def save_estimate(self, campaign_id: UUID, estimate: Estimate) -> None:
        """Keep what a campaign would cost and take."""
        await self._connection.execute(
            "INSERT INTO estimates (campaign_id, amount_minor, left_minor, currency, at, goods)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (campaign_id) DO UPDATE"
            " SET amount_minor = excluded.amount_minor, left_minor = excluded.left_minor,"
            " currency = excluded.currency, at = excluded.at, goods = excluded.goods",
            campaign_id,
            estimate.amount_minor,
            estimate.left_minor,
            estimate.currency,
            estimate.at,
            [one.model_dump(mode="json") for one in estimate.goods],
        )

    async def estimate(self, campaign_id: UUID) -> Estimate | None:
        """Return what a campaign would cost, when known."""
        row = await self._connection.fetchrow(
            "SELECT amount_minor, left_minor, currency, at, goods FROM estimates"
            " WHERE campaign_id = $1",
            campaign_id,
        )
        if row is None:
            return None
        goods = tuple(GoodsNeeded.model_validate(one) for one in row["goods"])
        return Estimate(**dict(row) | {"goods": goods})

    async def prune(self, *, inbox_before: datetime, calls_before: datetime) -> None:
        """Forget identities and finished calls older than the times given."""
        await self._connection.execute("DELETE FROM slack_inbox WHERE taken_at < $1", inbox_before)
        await self._connection.execute("DELETE FROM asks WHERE asked_at < $1", inbox_before)
        await self._connection.execute("DELETE FROM slack_calls WHERE done_at < $1", calls_before)
