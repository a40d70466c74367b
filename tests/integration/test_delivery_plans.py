"""What a window costs in a ledger of many runs that ended: its own rows, not its run's."""

from __future__ import annotations

import re
from uuid import UUID

import asyncpg

from services.delivery.app import SERVICE
from services.delivery.store.queue import _DUE_URGENT, _URGENT
from services.delivery.store.slices import PER_CHUNK, Slice, SliceStore
from shared.database import Connection
from shared.ids import new_id
from tests.conftest import Open
from tests.instances import Instance

RUNS = 16
"""Enough for each of the ledger's partitions to hold some."""
ROWS = 2_000
A_CHUNK = 500
_RUN = """
INSERT INTO runs (run_id, kind, state, count, filled, retry_until, asked_at, started_at)
VALUES ($1, 'campaign', 'started', $2, true, now(), now(), now())
"""
_FILL = f"""
INSERT INTO ledger (run_id, member_id, recipient_key, channel, outcome, address, merge, attempts,
                    position)
SELECT $1::uuid, gen_random_uuid(), md5($1::uuid::text || n), 'email', $3, 'a@b.example', '{{}}', 0,
       n / {A_CHUNK} * {PER_CHUNK} + n % {A_CHUNK}
FROM generate_series(0, $2::int - 1) AS n
"""
_READ = """
SELECT sum(idx_tup_read)::int FROM pg_stat_user_indexes WHERE relname LIKE 'ledger%'
"""


async def a_run(connection: Connection, outcome: str) -> UUID:
    run_id = new_id()
    await connection.execute(_RUN, run_id, ROWS)
    await connection.execute(_FILL, run_id, ROWS, outcome)
    return run_id


async def rows_read(connection: Connection) -> int:
    await connection.execute("SELECT pg_stat_force_next_flush()")
    read: int = await connection.fetchval(_READ)
    return read


async def test_a_window_reads_its_rows_and_not_its_run_once_others_have_ended(
    open_service: Open, instance: Instance
) -> None:
    runtime = await open_service(SERVICE)
    owner = await asyncpg.connect(instance.database_url)
    async with runtime.pool.acquire() as connection:
        for _ in range(RUNS):
            await a_run(connection, "sent")
        await owner.execute("ANALYZE delivery.ledger")
        await owner.close()
        part = Slice(await a_run(connection, "pending"), number=1, epoch=1, start=PER_CHUNK)
        before = await rows_read(connection)
        rows = await SliceStore(connection).rows(part)
        await SliceStore(connection).sent(rows[:100], code="250", at=runtime.clock.now())
        assert len(rows) == A_CHUNK
        assert await rows_read(connection) - before < 2 * A_CHUNK


async def test_a_claim_reads_what_it_takes_of_a_long_queue(
    open_service: Open, instance: Instance
) -> None:
    runtime = await open_service(SERVICE)
    await runtime.pool.execute(
        "INSERT INTO runs (run_id, kind, state, count, filled, retry_until, asked_at, started_at)"
        " SELECT gen_random_uuid(), 'transactional', 'started', 1, true, now(), now(), now()"
        " FROM generate_series(1, 5000)"
    )
    await runtime.pool.execute(
        "INSERT INTO ledger (run_id, member_id, recipient_key, channel, outcome, address, merge,"
        " attempts, urgent) SELECT run_id, run_id, run_id::text, 'email', 'pending', 'a@b.example',"
        " '{}', 0, true FROM runs"
    )
    await runtime.pool.execute(
        "INSERT INTO queue (run_id, member_id, urgent, next_at, batch)"
        " SELECT run_id, run_id, true,"
        " asked_at + CASE WHEN random() < 0.5 THEN interval '1 hour' ELSE interval '0' END,"
        " random() < 0.5 FROM runs"
    )
    owner = await asyncpg.connect(instance.database_url)
    await owner.execute("ANALYZE delivery.ledger, delivery.runs, delivery.queue")
    await owner.close()
    explain = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) "
    for batch in (False, True):
        async with runtime.pool.acquire() as connection, connection.transaction():
            plan = await connection.fetch(explain + _URGENT, runtime.clock.now(), 100, batch)
        check(plan)
    async with runtime.pool.acquire() as connection:
        check(await connection.fetch(explain + _DUE_URGENT, runtime.clock.now()))


def check(plan: list[asyncpg.Record]) -> None:
    text = "\n".join(row[0] for row in plan)
    assert "Seq Scan on runs" not in text, text
    assert "Hash" not in text, text
    assert max(float(rows) for rows in re.findall(r"rows=([\d.]+)", text)) <= 100, text
    assert sum(int(rows) for rows in re.findall(r"Rows Removed by Filter: (\d+)", text)) < 5, text
