"""How fast actions are generated from a snapshot, beside one raw INSERT of the same rows."""

from __future__ import annotations

import asyncio
import resource
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from services.actions.app import SERVICE
from services.actions.generation import generate_step
from shared import topics_admin
from shared.ids import new_id
from shared.relay import Relay
from shared.service import Runtime, open_runtime
from tests.bench.databases import instance
from tests.bench.results import Figure
from tests.servers import Servers
from topics.actions import GenerateActions, ModelKind, SaveActionModel
from topics.message import Actor, Via
from topics.names import ACTIONS_COMMANDS, ACTIONS_EVENTS, ACTIONS_STATE
from topics.operators import OperatorState, Role

SIZES: Final = (10_000, 100_000, 1_000_000)
CHUNK: Final = 500
FLOOR: Final = 50_000.0

_FILL: Final = """
WITH chunk AS (
    INSERT INTO actions.member_chunks (snapshot_id, index, campaign_id, members, received_at)
    SELECT $1, n, $2, $4::int, now() FROM generate_series(0, $3::int / $4::int - 1) n
)
INSERT INTO actions.members (snapshot_id, ordinal, member_id, kind, site_id, contact_id, site_name,
                             postal_code, town, phone, contact_name, direct_line, mobile, email)
SELECT $1, (n / $4::int)::bigint * 1000 + n % $4::int, uuidv7(), 'contacts', uuidv7(), uuidv7(),
       'Atelier ' || n, '59000', 'Lille', '+33 3 20 00 00 00', 'Anne Person ' || n, '', '',
       'person' || n || '@sample.example'
FROM generate_series(0, $3::int - 1) n
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One size's figures: rows a second, ours and raw, and the worst relay lag meanwhile."""

    generated: float
    raw: float
    lag_ms: float
    memory_mb: float


async def one_run(servers: Servers, size: int) -> Run:
    """Generate ``size`` actions, then insert the same rows raw."""
    async with instance(servers, SERVICE) as (settings, owner):
        await topics_admin.apply(settings, topics=[ACTIONS_COMMANDS, ACTIONS_EVENTS, ACTIONS_STATE])
        runtime = await open_runtime(SERVICE, settings)
        relay = asyncio.create_task(Relay(runtime.pool, settings, SERVICE.name).run())
        try:
            await _ask(runtime, owner, size)
            lag = asyncio.create_task(_worst_lag(owner))
            before = _memory_mb()
            started = time.perf_counter()
            while await generate_step(runtime.uow):
                pass
            generated = size / (time.perf_counter() - started)
            lag.cancel()
            worst = max(await asyncio.gather(lag, return_exceptions=True), key=_as_number)
            raw = size / await _raw_seconds(owner)
        finally:
            relay.cancel()
            await asyncio.wait({relay})
            await runtime.pool.close()
        return Run(generated, raw, _as_number(worst), _memory_mb() - before)


def _as_number(value: object) -> float:
    return value if isinstance(value, float) else 0.0


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _ask(runtime: Runtime, owner: asyncpg.Connection[asyncpg.Record], size: int) -> None:
    manager, model_id = new_id(), new_id()
    actor = Actor(id=str(manager), via=Via.CLI)
    await runtime.execute(
        OperatorState(operator_id=manager, version=1, name="Bench", roles=(Role.MANAGER,))
    )
    await runtime.execute(
        SaveActionModel(
            model_id=model_id,
            actor=actor,
            code="CALL",
            label="Call",
            kind=ModelKind.ACTION_ON_SITE,
        )
    )
    campaign_id, snapshot_id = new_id(), new_id()
    await owner.execute(_FILL, snapshot_id, campaign_id, size, CHUNK)
    await owner.execute("ANALYZE actions.members")
    await runtime.execute(_generation(campaign_id, snapshot_id, model_id, size))


def _generation(campaign_id: UUID, snapshot_id: UUID, model_id: UUID, size: int) -> GenerateActions:
    return GenerateActions(
        campaign_id=campaign_id,
        run_id=new_id(),
        snapshot_id=snapshot_id,
        snapshot_hash="bench",
        chunks=size // CHUNK,
        model_ids=(model_id,),
    )


async def _worst_lag(owner: asyncpg.Connection[asyncpg.Record]) -> float:
    worst = 0.0
    try:
        while True:
            age = await owner.fetchval(
                "SELECT extract(epoch FROM clock_timestamp() - min(created_at))::float"
                " FROM actions.outbox"
            )
            worst = max(worst, (age or 0.0) * 1000)
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        return worst


async def _raw_seconds(owner: asyncpg.Connection[asyncpg.Record]) -> float:
    await owner.execute("CREATE TABLE actions.raw (LIKE actions.actions INCLUDING ALL)")
    started = time.perf_counter()
    await owner.execute("INSERT INTO actions.raw SELECT * FROM actions.actions")
    return time.perf_counter() - started


async def measure(servers: Servers, *, runs: int) -> list[Figure]:
    """Measure each size ``runs`` times (the largest once more than needed costs minutes)."""
    found = {size: [await one_run(servers, size) for _ in range(runs)] for size in SIZES}
    largest = found[SIZES[-1]]
    bound = "PostgreSQL: three indexes and the WAL of wide rows, one core"
    smaller = [
        Figure(
            f"actions.generated_{size // 1000}k_per_s",
            "rows/s",
            [run.generated for run in found[size]],
            FLOOR,
            bound,
        )
        for size in SIZES[:-1]
    ]
    return [
        Figure(
            "actions.generated_per_s",
            "rows/s",
            [run.generated for run in largest],
            FLOOR,
            f"{bound}; 1,000,000 targets",
        ),
        *smaller,
        Figure(
            "actions.raw_insert_select_per_s",
            "rows/s",
            [run.raw for run in largest],
            None,
            "one INSERT … SELECT of the same rows into the same indexes",
        ),
        Figure(
            "actions.relay_lag_ms",
            "ms",
            [run.lag_ms for run in largest],
            None,
            "the worst age of an outbox row meanwhile; the bar is 2,000 ms",
        ),
        Figure(
            "actions.memory_growth_mb",
            "MB",
            [run.memory_mb for run in largest],
            None,
            "rows never leave the database",
        ),
    ]
