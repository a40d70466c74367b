"""Forgetting a person in dead letters, and in what waits behind them."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared import dead_letters, erasing, retries
from shared.kafka import Record
from shared.registry import Registry
from shared.service import Runtime, Service
from tests.conftest import Open
from tests.records import record_of
from topics.targeting import CountTarget

ADDRESS = "Ann@Example.org"


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    files = Path(__file__).parent / "no_migrations"
    return await open_service(Service("targeting", Registry(), files))


def record(body: bytes, offset: int = 0, key: str = "k") -> Record:
    command = CountTarget(campaign_id=UUID(int=1), targeting_id=uuid4())
    _, headers, _ = record_of(command)
    return Record("targeting.commands.v1", 0, offset, key, headers, body)


async def bury(runtime: Runtime, *bodies: bytes) -> None:
    async with runtime.uow.begin() as work:
        for offset, body in enumerate(bodies):
            await dead_letters.bury(work, "targeting", record(body, offset), reason="never")


async def erased(runtime: Runtime) -> list[int]:
    async with runtime.uow.begin() as work:
        await erasing.erase(work, f" {ADDRESS} ")
    rows = await runtime.pool.fetch(
        "SELECT kafka_offset FROM dead_letters WHERE value = ''::bytea ORDER BY 1"
    )
    return [row["kafka_offset"] for row in rows]


async def test_bodies_with_the_address_are_cleared_and_others_stay(runtime: Runtime) -> None:
    await bury(
        runtime,
        b'{"email": "ann@example.org"}',
        b'{"email": "joann@example.org"}',
        b'{"email": "ann@example.org.uk"}',
        b"to ANN@EXAMPLE.ORG.",
        b"\xff\x00 <ann@example.org>",
        b'{"email": "other@example.org"}',
    )
    assert await erased(runtime) == [0, 3, 4]
    reasons = await runtime.pool.fetch("SELECT DISTINCT reason FROM dead_letters ORDER BY 1")
    assert [row["reason"] for row in reasons] == ["erased: never", "never"]
    async with runtime.uow.begin() as work:
        assert await erasing.erase(work, ADDRESS) == 0
        letter = await work.connection.fetchval(
            "SELECT id FROM dead_letters WHERE kafka_offset = 0"
        )
        assert not await dead_letters.replay(work, letter), "there is nothing to replay"


async def test_what_waited_behind_an_erased_letter_goes_on(runtime: Runtime) -> None:
    first, second = record(b'{"email": "ann@example.org"}', 1), record(b"{}", 2)
    async with runtime.uow.begin() as work:
        seq = await retries.park(work.connection, "targeting", first, dead=True)
        await retries.park(work.connection, "targeting", second)
        await dead_letters.bury(work, "targeting", first, reason="never", retry_seq=seq)
        assert await retries.claim(work.connection, "targeting") is None
    assert await erased(runtime) == [1]
    async with runtime.uow.begin() as work:
        waiting = await retries.claim(work.connection, "targeting")
    assert waiting is not None
    assert waiting.record.offset == 2
    assert await runtime.pool.fetchval("SELECT count(*) FROM retries") == 1
