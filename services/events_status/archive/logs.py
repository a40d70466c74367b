"""The third step: what the delivery said of archived events' messages."""

from __future__ import annotations

from typing import Final

from services.events_status.archive.accounts import DEFAULT
from services.events_status.archive.pointers import Pointer, PointerStore
from shared.uow import Work

CHUNK: Final = 2_000
# An account that is no longer named leaves what it had under way to the default one.
MINE: Final = f"""(
    account = $1 OR ($1 = '{DEFAULT}' AND account NOT IN (
        SELECT name FROM execution_accounts WHERE active)))"""
_TAKE: Final = f"""
WITH due AS (
    SELECT event_id FROM archive_due WHERE {MINE}
    ORDER BY event_id LIMIT $2 FOR UPDATE SKIP LOCKED
), done AS (
    DELETE FROM archive_due d USING due WHERE d.event_id = due.event_id
), put AS (
    INSERT INTO archived_delivery_logs (event_id, at, outcome, reason, archived_at)
    SELECT o.event_id, o.at, o.outcome, o.reason, $3
    FROM outcomes o JOIN due USING (event_id) ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM due) AS events, count(*) AS logs FROM put
"""


async def archive_logs(work: Work, account: str, pointer: Pointer) -> tuple[int, bool]:
    """Take over the logs of a chunk of archived events; return how many, and whether more wait."""
    row = await work.connection.fetchrow(_TAKE, account, CHUNK, work.now)
    assert row is not None  # counts always make a row
    pointers = PointerStore(work.connection, account)
    await pointers.move(pointer.stage, work.now, row["logs"])
    return row["logs"], row["events"] == CHUNK
