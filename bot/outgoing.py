"""What is to be said in Slack, as rows: written where it is decided, sent by the posting loop."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson

from bot.limits import Json
from bot.teams import HOME, team_of
from shared.database import Connection

LEASE: Final = timedelta(seconds=20)
"""Longer than a call may take (ten seconds), so that nobody repeats one under way."""
TELL_WITHIN: Final = timedelta(hours=12)
OPEN_WITHIN: Final = timedelta(seconds=2.9)
"""A trigger opens a view for three seconds."""
FORM_WITHIN: Final = timedelta(minutes=10)
"""Who has not got a figure into a form by then asks again."""
FILE_WITHIN: Final = timedelta(hours=1)
HOME_WITHIN: Final = timedelta(minutes=10)
"""An older Home tab is not worth showing: who looks again gets a new one."""

POSTING: Final = "slackPosting"
"""The technical workflow that holds back, while it is stopped or paused, all but forms."""

HELD: Final = f"""
EXISTS (SELECT 1 FROM technical_workflows
        WHERE name = '{POSTING}' AND status IN ('stopped', 'paused'))
"""
# What a topic tells again after a restore may stand in Slack since before: an attempt noted at the
# backup's time makes the posting loop look for it first.
_WANT: Final = """
INSERT INTO slack_messages (key, target, thread_key, content, wanted_hash, next_at, attempted_at)
VALUES ($1, $2, $3, $4, $5, $6, (SELECT backup_at FROM instance WHERE restored_at >= $7))
ON CONFLICT (key) DO UPDATE
SET content = excluded.content, wanted_hash = excluded.wanted_hash, failed = false
WHERE slack_messages.wanted_hash <> excluded.wanted_hash
"""
# Posts to one place keep their order; a reply waits for the message whose thread it is in.
_CLAIM_MESSAGES: Final = f"""
UPDATE slack_messages s
SET attempts = attempts + 1, lease_until = $2,
    unsure_since = CASE WHEN ts IS NULL THEN attempted_at END,
    attempted_at = CASE WHEN ts IS NULL THEN coalesce(attempted_at, $1) END
WHERE key IN (
    SELECT key FROM slack_messages m
    WHERE shown_hash IS DISTINCT FROM wanted_hash AND NOT failed
      AND next_at <= $1 AND lease_until <= $1 AND m.team = $4
      AND (thread_key IS NULL OR EXISTS (
          SELECT 1 FROM slack_messages p
          WHERE p.key = m.thread_key AND (p.ts IS NOT NULL OR p.failed)))
      AND (ts IS NOT NULL OR NOT EXISTS (
          SELECT 1 FROM slack_messages e
          WHERE e.target = m.target AND e.ts IS NULL AND NOT e.failed AND e.seq < m.seq))
      AND NOT {HELD}
    ORDER BY seq LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING key, target, content, wanted_hash, channel, ts, attempts, unsure_since, lease_until,
    (SELECT p.ts FROM slack_messages p WHERE p.key = s.thread_key) AS thread_ts
"""
_SHOWN: Final = """
UPDATE slack_messages SET channel = $2, ts = $3, shown_hash = $4, next_at = $5, attempts = 0,
    attempted_at = NULL, unsure_since = NULL, lease_until = '-infinity', error = ''
WHERE key = $1
"""
_CLAIM_CALLS: Final = f"""
UPDATE slack_calls SET attempts = attempts + 1, lease_until = $2
WHERE seq IN (
    SELECT seq FROM slack_calls c
    WHERE done_at IS NULL AND next_at <= $1 AND lease_until <= $1 AND c.team = $4
      AND NOT EXISTS (SELECT 1 FROM slack_calls e
                      WHERE e.lane = c.lane AND e.done_at IS NULL AND e.seq < c.seq)
      AND NOT (c.kind = 'tell' AND {HELD})
    ORDER BY seq LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING seq, kind, arguments, attempts, expires_at, lease_until
"""


# What one person was told before a restore is not told again.
_CALL: Final = """
INSERT INTO slack_calls (key, lane, kind, arguments, next_at, expires_at, team)
SELECT $1, $2, $3, $4, $5, $6, $8
WHERE NOT EXISTS (SELECT 1 FROM instance WHERE restored_at >= $7)
ON CONFLICT (key) DO NOTHING
"""


_FORM_IS_OF: Final = """
SELECT slack_user_id FROM forms JOIN operators USING (operator_id) WHERE campaign_id = $1
"""


class CallKind(StrEnum):
    """What a call does: opens or changes a form, tells or sends one person something."""

    OPEN = "open"
    UPDATE = "update"
    TELL = "tell"
    HOME = "home"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Posting:
    """A message whose turn has come; ``ts`` is set when Slack has it already."""

    key: str
    target: str
    content: Json
    wanted_hash: str
    channel: str | None
    ts: str | None
    attempts: int
    unsure_since: datetime | None
    lease_until: datetime
    thread_ts: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose turn has come."""

    seq: int
    kind: CallKind
    arguments: Json
    attempts: int
    expires_at: datetime
    lease_until: datetime


def content_hash(content: Json) -> str:
    """Return what tells two contents of a message apart."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


class Outgoing:
    """The rows of the posting loop, in the caller's transaction.

    Without a workspace (``is_on`` is false) nothing is written: words kept for a workspace that is
    connected months later would be noise. ``since`` is when what is to be said came about, if that
    is not now: a topic that is read again tells old news.
    """

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        *,
        is_on: bool = True,
        since: datetime | None = None,
    ) -> None:
        self._connection = connection
        self._now = now
        self._is_on = is_on
        self._since = since or now

    async def show(
        self, key: str, target: str, content: Json, *, thread_key: str | None = None
    ) -> None:
        """Have a message shown as ``content`` from now on: posted once, changed where it stands."""
        if not self._is_on:
            return
        await self._connection.execute(
            _WANT, key, target, thread_key, content, content_hash(content), self._now, self._since
        )

    async def shown_under(self, prefix: str) -> list[tuple[str, str]]:
        """Return the messages whose keys begin so: each key, and where it stands."""
        rows = await self._connection.fetch(
            "SELECT key, target FROM slack_messages WHERE starts_with(key, $1) ORDER BY key", prefix
        )
        return [(row["key"], row["target"]) for row in rows]

    async def place_of(self, key: str) -> str | None:
        """Return where a message of this key stands or is to; ``None`` when there is none."""
        found: str | None = await self._connection.fetchval(
            "SELECT target FROM slack_messages WHERE key = $1", key
        )
        return found

    async def content_of(self, key: str) -> Json | None:
        """Return what a message of this key says or is to say; ``None`` when there is none."""
        found: Json | None = await self._connection.fetchval(
            "SELECT content FROM slack_messages WHERE key = $1", key
        )
        return found

    async def is_shown(self, key: str) -> bool:
        """Whether a message of this key is posted or waits to be."""
        found = await self._connection.fetchval(
            "SELECT true FROM slack_messages WHERE key = $1", key
        )
        return bool(found)

    async def open_view(
        self, key: str, trigger: str, view: Json, teller: Json, *, form: UUID | None = None
    ) -> None:
        """Have a modal opened while its trigger holds; ``teller`` says whom to tell if not."""
        arguments: Json = {"trigger_id": trigger, "view": view, "teller": teller}
        arguments |= {"form": str(form), "turn": 0} if form else {}
        await self._call(f"open:{key}", f"view:{key}", CallKind.OPEN, arguments, OPEN_WITHIN)

    async def change_form(self, campaign_id: UUID, turn: int, view: Json, *, key: str) -> None:
        """Have an open campaign form changed, once per ``key``.

        Nothing happens when it was closed meanwhile, or a step was taken since ``turn``.
        """
        user = await self._connection.fetchval(_FORM_IS_OF, campaign_id)
        arguments: Json = {"form": str(campaign_id), "turn": turn, "view": view, "user": user or ""}
        lane = f"view:{view['external_id']}"
        await self._call(f"update:{key}", lane, CallKind.UPDATE, arguments, FORM_WITHIN)

    async def show_home(self, user: str, trigger: str, view: Json) -> None:
        """Have somebody's Home tab show a view, once per ``trigger``."""
        arguments = {"user": user, "view": view}
        await self._call(
            f"home:{user}:{trigger}", f"home:{user}", CallKind.HOME, arguments, HOME_WITHIN
        )

    async def send_file(self, wanted: Json, teller: Json, *, key: str) -> None:
        """Have a list sent to one person as a file; ``teller`` says whom to tell if it cannot."""
        arguments = wanted | {"teller": teller}
        lane = f"file:{wanted['user']}"
        await self._call(f"file:{key}", lane, CallKind.FILE, arguments, FILE_WITHIN)

    async def tell(self, key: str, user: str, channel: str, content: Json) -> None:
        """Have one person told something, in a channel (only they see it) or by direct message."""
        arguments = {"user": user, "channel": channel, "content": content}
        await self._call(
            f"tell:{key}:{user}", f"user:{user}", CallKind.TELL, arguments, TELL_WITHIN
        )

    async def _call(
        self, key: str, lane: str, kind: CallKind, arguments: Json, within: timedelta
    ) -> None:
        if not self._is_on:
            return
        await self._connection.execute(
            _CALL,
            key,
            lane,
            kind.value,
            arguments,
            self._now,
            self._now + within,
            self._since,
            team_of(arguments.get("user") or arguments["teller"]["user"]),
        )

    async def claim_messages(self, limit: int, team: str = HOME) -> list[Posting]:
        """Take messages of a workspace whose turn has come; an attempt is noted before its call."""
        rows = await self._connection.fetch(
            _CLAIM_MESSAGES, self._now, self._now + LEASE, limit, team
        )
        return [Posting(**dict(row)) for row in rows]

    async def shown(
        self, key: str, *, channel: str, ts: str, shown_hash: str, next_at: datetime
    ) -> None:
        """Note what Slack shows now; the next change waits until ``next_at``."""
        await self._connection.execute(_SHOWN, key, channel, ts, shown_hash, next_at)

    async def replace(self, key: str, wanted_hash: str, content: Json) -> None:
        """Have a message shown otherwise, if it is still to be shown as it was when claimed."""
        await self._connection.execute(
            "UPDATE slack_messages SET content = $3, wanted_hash = $4, lease_until = '-infinity'"
            " WHERE key = $1 AND wanted_hash = $2",
            key,
            wanted_hash,
            content,
            content_hash(content),
        )

    async def message_later(self, key: str, next_at: datetime, error: str) -> None:
        """Put a message off."""
        await self._connection.execute(
            "UPDATE slack_messages SET next_at = $2, error = $3, lease_until = '-infinity'"
            " WHERE key = $1",
            key,
            next_at,
            error,
        )

    async def surely_not_posted(self, key: str) -> None:
        """Note that Slack refused to post: there is nothing to look up before the next try."""
        await self._connection.execute(
            "UPDATE slack_messages SET attempted_at = NULL WHERE key = $1", key
        )

    async def message_failed(self, key: str, error: str) -> None:
        """Give a message up: Slack will never take it as it is."""
        await self._connection.execute(
            "UPDATE slack_messages SET failed = true, error = $2, attempted_at = NULL,"
            " lease_until = '-infinity' WHERE key = $1",
            key,
            error,
        )

    async def claim_calls(self, limit: int, team: str = HOME) -> list[Call]:
        """Take a workspace's calls whose turn has come."""
        rows = await self._connection.fetch(_CLAIM_CALLS, self._now, self._now + LEASE, limit, team)
        return [Call(**dict(row) | {"kind": CallKind(row["kind"])}) for row in rows]

    async def call_done(self, seq: int, error: str = "") -> None:
        """Note that a call was made, or given up with an error."""
        await self._connection.execute(
            "UPDATE slack_calls SET done_at = $2, error = $3, arguments = '{}' WHERE seq = $1",
            seq,
            self._now,
            error,
        )

    async def call_later(self, seq: int, next_at: datetime, error: str) -> None:
        """Put a call off."""
        await self._connection.execute(
            "UPDATE slack_calls SET next_at = $2, error = $3, lease_until = '-infinity'"
            " WHERE seq = $1",
            seq,
            next_at,
            error,
        )

    async def waiting(self) -> dict[str, Any]:
        """Return how many messages and calls wait, for logs and tests."""
        row = await self._connection.fetchrow(
            "SELECT (SELECT count(*) FROM slack_messages WHERE shown_hash IS DISTINCT FROM"
            " wanted_hash AND NOT failed) AS messages,"
            " (SELECT count(*) FROM slack_calls WHERE done_at IS NULL) AS calls"
        )
        return dict(row) if row else {}
