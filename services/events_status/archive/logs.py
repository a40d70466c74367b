"""The steps that bring the logs of archived events: of their delivery, and of what was followed.

A log is taken over once what it names is in the archive: its event, its text's meaning, its link.
Until then it waits as a row, so neither the order of messages nor that of commits matters.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.events_status.archive.accounts import DEFAULT, OWN
from services.events_status.archive.pointers import Pointer, PointerStore
from shared.uow import Work

CHUNK: Final = 2_000
QUARANTINE_AFTER: Final = timedelta(hours=3)
"""How long after a send quarantined addresses are taken over (source: Adobe Campaign, mcSynch)."""
# An account that is no longer named leaves what it had under way to the default one.
_MINE: Final = f"""(
    account = $1 OR ($1 = '{DEFAULT}' AND account NOT IN (
        SELECT name FROM execution_accounts WHERE active)))"""
_OUTCOMES: Final = f"""
WITH due AS (
    SELECT event_id FROM archive_due d
    WHERE {_MINE} AND EXISTS (SELECT 1 FROM archived_events a WHERE a.event_id = d.event_id)
    ORDER BY event_id LIMIT $2 FOR UPDATE SKIP LOCKED
), done AS (
    DELETE FROM archive_due d USING due WHERE d.event_id = due.event_id
), put AS (
    INSERT INTO archived_delivery_logs (event_id, at, outcome, reason, archived_at)
    SELECT o.event_id, o.at, o.outcome, o.reason, $3
    FROM outcomes o JOIN due USING (event_id) ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING RETURNING outcome
)
SELECT (SELECT count(*) FROM due) AS taken, count(*) AS rows,
       count(*) FILTER (WHERE outcome = 'sent') AS sent
FROM put
"""
# Of every event, archived or not: one that is being archived cannot be seen yet. One that is noted
# already stays locked until what was said is to be seen, lest its logs be read without it.
_AGAIN: Final = f"""
INSERT INTO archive_due AS d (event_id, account)
SELECT e.event_id, coalesce({OWN}, '{DEFAULT}') FROM events e WHERE e.event_id = ANY ($1::uuid[])
ORDER BY e.event_id ON CONFLICT (event_id) DO UPDATE SET account = d.account
"""
_ANSWERS: Final = f"""
WITH taken AS (
    SELECT i.event_id, i.text, i.kind, i.at, q.qualification_id
    FROM incoming_answers i JOIN archived_events a USING (event_id)
    JOIN archived_qualifications q ON q.text = i.text
    WHERE {_MINE} ORDER BY 1, 2, 3 LIMIT $2 FOR UPDATE OF i SKIP LOCKED
), done AS (
    DELETE FROM incoming_answers i USING taken t
    WHERE (i.event_id, i.text, i.kind) = (t.event_id, t.text, t.kind)
), put AS (
    INSERT INTO archived_answers (event_id, qualification_id, kind, at)
    SELECT event_id, qualification_id, kind, at FROM taken ON CONFLICT DO NOTHING
)
SELECT count(*) FROM taken
"""
_TRACKING: Final = f"""
WITH taken AS (
    SELECT i.* FROM incoming_tracking i JOIN archived_events a USING (event_id)
    JOIN archived_urls u USING (content_hash, number)
    WHERE {_MINE} ORDER BY i.tracking_id LIMIT $2 FOR UPDATE OF i SKIP LOCKED
), done AS (
    DELETE FROM incoming_tracking i USING taken t WHERE i.tracking_id = t.tracking_id
), put AS (
    INSERT INTO archived_tracking_logs
        (tracking_id, event_id, content_hash, number, kind, at, is_machine)
    SELECT tracking_id, event_id, content_hash, number, kind, at, is_machine FROM taken
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM taken
"""


async def archive_logs(work: Work, account: str, pointer: Pointer) -> tuple[int, bool]:
    """Take over a chunk of what the delivery and mail servers said of archived events."""
    row = await work.connection.fetchrow(_OUTCOMES, account, CHUNK, work.now)
    assert row is not None  # counts always make a row
    answers = int(await work.connection.fetchval(_ANSWERS, account, CHUNK))
    pointers = PointerStore(work.connection, account)
    if row["sent"]:
        await pointers.await_quarantine(work.now + QUARANTINE_AFTER)
    more = CHUNK in {row["taken"], answers}
    await pointers.move(pointer.stage, None if more else work.now, row["rows"] + answers)
    return row["rows"] + answers, more


async def archive_again(work: Work, event_ids: Collection[UUID]) -> None:
    """Have the logs of events read once they are archived: more was said, and no status changed."""
    if event_ids:
        await work.connection.execute(_AGAIN, list(event_ids))


async def archive_tracking(work: Work, account: str, pointer: Pointer) -> tuple[int, bool]:
    """Take over a chunk of what was followed of archived events' messages."""
    rows = int(await work.connection.fetchval(_TRACKING, account, CHUNK))
    more = rows == CHUNK
    pointers = PointerStore(work.connection, account)
    await pointers.move(pointer.stage, None if more else work.now, rows)
    return rows, more
