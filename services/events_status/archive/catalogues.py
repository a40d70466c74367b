"""The steps that bring what others name: texts with their meaning, links, quarantined addresses.

They are common to all accounts: whichever comes first takes them over. What its step has not taken
yet is a row of its own, so none is passed by that was committed late.
"""

from __future__ import annotations

from typing import Final

from services.events_status.archive.pointers import Pointer, PointerStore
from shared.uow import Work

CHUNK: Final = 2_000
_QUALIFICATIONS: Final = """
WITH taken AS (
    DELETE FROM incoming_qualifications WHERE text IN (
        SELECT text FROM incoming_qualifications ORDER BY text LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING text, reason, severity, status, at
), put AS (
    INSERT INTO archived_qualifications AS q (text, reason, severity, status, at)
    SELECT * FROM taken ORDER BY text
    ON CONFLICT (text) DO UPDATE
    SET reason = excluded.reason, severity = excluded.severity, status = excluded.status,
        at = excluded.at
    WHERE q.at < excluded.at)
SELECT count(*) FROM taken
"""
_URLS: Final = """
WITH taken AS (
    DELETE FROM incoming_urls WHERE (content_hash, number) IN (
        SELECT content_hash, number FROM incoming_urls
        ORDER BY 1, 2 LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING content_hash, number, kind, url, label
), put AS (
    INSERT INTO archived_urls (content_hash, number, kind, url, label)
    SELECT * FROM taken ORDER BY 1, 2
    ON CONFLICT DO NOTHING)
SELECT count(*) FROM taken
"""
_QUARANTINE: Final = """
WITH taken AS (
    DELETE FROM incoming_quarantine WHERE (recipient_key, channel) IN (
        SELECT recipient_key, channel FROM incoming_quarantine
        ORDER BY 1, 2 LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING recipient_key, channel, status, reason, at
), put AS (
    INSERT INTO archived_quarantine AS q (recipient_key, channel, status, reason, at)
    SELECT * FROM taken ORDER BY 1, 2
    ON CONFLICT (recipient_key, channel) DO UPDATE
    SET status = excluded.status, reason = excluded.reason, at = excluded.at
    WHERE q.at < excluded.at)
SELECT count(*) FROM taken
"""


async def archive_qualifications(work: Work, account: str, pointer: Pointer) -> tuple[int, bool]:
    """Take over texts of mail servers and what they mean."""
    return await _take(work, account, pointer, _QUALIFICATIONS)


async def archive_urls(work: Work, account: str, pointer: Pointer) -> tuple[int, bool]:
    """Take over tracked links."""
    return await _take(work, account, pointer, _URLS)


async def archive_quarantine(work: Work, account: str, pointer: Pointer) -> tuple[int, bool]:
    """Take over quarantined addresses, once the three hours after a send are over."""
    if pointer.due_at is None or pointer.due_at > work.now:
        return 0, False
    rows, more = await _take(work, account, pointer, _QUARANTINE)
    if not more:
        await PointerStore(work.connection, account).done(pointer.stage)
    return rows, more


async def _take(work: Work, account: str, pointer: Pointer, query: str) -> tuple[int, bool]:
    rows = int(await work.connection.fetchval(query, CHUNK))
    more = rows == CHUNK
    reached = None if more else work.now
    await PointerStore(work.connection, account).move(pointer.stage, reached, rows)
    return rows, more
