"""A transaction has its time: a frozen worker's locks go, a batch too long for one is halved."""

from __future__ import annotations

from pathlib import Path
from typing import cast
from uuid import uuid4

import asyncpg
import pytest

from services.targeting.app import SERVICE as TARGETING
from services.targeting.domain import Definition
from services.targeting.reading import reading
from services.targeting.selection import select
from services.targeting.settings import TargetingSettings
from shared.database import TRANSACTION_TIMEOUT, TRANSACTION_TIMEOUT_SINCE
from shared.errors import INTERRUPTIONS
from shared.kafka import Record
from shared.registry import Registry
from shared.service import Runtime, Service
from shared.settings import role_name
from shared.uow import Work
from tests.conftest import Open
from tests.instances import Instance
from tests.records import record_of
from tests.waiting import eventually
from topics.names import TARGETING_COMMANDS
from topics.targeting import Counts, CountTarget, TargetingKind

FILES = Path(__file__).parent / "no_migrations"
FROZEN_SECONDS = 8
"""Less than the limit of an idle transaction, which is another protection."""
slow = Registry()


@slow.on(CountTarget)
async def take_a_moment(command: CountTarget, work: Work) -> None:
    await work.connection.execute("SELECT pg_sleep(0.4)")
    await work.connection.execute(
        "INSERT INTO timers VALUES ('x', $1, now(), '{}')", str(command.targeting_id)
    )


async def limited(open_service: Open, instance: Instance, service: Service) -> Runtime:
    """Open a service whose transactions have a second; skip where the server knows no limit."""
    runtime = await open_service(service)
    owner = await asyncpg.connect(instance.database_url)
    try:
        if owner.get_server_version().major < TRANSACTION_TIMEOUT_SINCE:
            pytest.skip("PostgreSQL 16 has no transaction_timeout")
        role = role_name(instance.database_url, service.name)
        assert await runtime.pool.fetchval("SHOW transaction_timeout") == TRANSACTION_TIMEOUT
        await owner.execute(f"ALTER ROLE {role} SET transaction_timeout = '1s'")
    finally:
        await owner.close()
    await runtime.pool.expire_connections()
    return runtime


async def test_a_worker_frozen_between_parse_and_bind_loses_its_locks(
    open_service: Open, instance: Instance
) -> None:
    runtime = await limited(open_service, instance, Service("targeting", Registry(), FILES))
    lock = "UPDATE instance SET epoch = epoch"

    async def locked_by_successor() -> bool:
        try:
            await runtime.pool.execute(lock)
        except asyncpg.LockNotAvailableError:
            return False
        return True

    async with runtime.pool.acquire() as frozen:
        transaction = frozen.transaction()
        await transaction.start()
        await frozen.execute(lock)
        # asyncpg ends a Parse with a Flush: the server now waits in mid-query.
        await frozen.prepare("SELECT 1")
        await eventually(locked_by_successor, seconds=FROZEN_SECONDS, what="the successor's turn")
        with pytest.raises(INTERRUPTIONS):
            await transaction.commit()


async def test_a_batch_too_long_for_one_transaction_is_halved_until_it_fits(
    open_service: Open, instance: Instance
) -> None:
    runtime = await limited(open_service, instance, Service("targeting", slow, FILES))
    batch = []
    for offset in range(4):
        command = CountTarget(campaign_id=uuid4(), targeting_id=uuid4())
        key, headers, value = record_of(command)
        batch.append(Record(TARGETING_COMMANDS.name, 0, offset, key.decode(), headers, value))
    assert await runtime.consumers[0].batcher.handle(batch) == set()
    assert await runtime.pool.fetchval("SELECT count(*) FROM timers") == 4


async def test_a_target_is_read_for_as_long_as_its_own_limit_says(
    open_service: Open, instance: Instance
) -> None:
    runtime = await limited(open_service, instance, TARGETING)
    selection = select(Definition(Counts.CONTACTS, TargetingKind.CRITERIA), rows_max=10)
    settings = cast("TargetingSettings", runtime.settings)
    async with reading(runtime.pool, settings, selection, seconds=30) as reader:
        await reader._connection.execute("SELECT pg_sleep(1.5)")
        assert (await reader.tally()).chosen == 0
