"""Direct SQL: what it chooses, where it runs, and the limits of its role."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest

from services.targeting.app import SERVICE
from services.targeting.reading import Reader, reading, restricted
from services.targeting.selection import Selection
from services.targeting.settings import TargetingSettings
from services.targeting.sql_role import CONNECTIONS, NAME, ensure_sql_role
from shared.errors import Refused
from shared.migrations import migrate
from shared.service import Runtime
from shared.settings import role_name, role_url
from tests.conftest import Open
from tests.instances import Instance
from tests.integration.targeting_world import (
    answers,
    counted,
    emitted,
    freeze,
    open_world,
    sample,
    saved,
    work_off,
)
from tests.waiting import eventually
from topics.targeting import Counts, CountTarget, SnapshotFrozen, TargetRefused

DENIED: Final = asyncpg.InsufficientPrivilegeError


@pytest.fixture
async def world(open_service: Open) -> Runtime:
    """The sample CRM, with the role of direct SQL as ``muster migrate`` makes it."""
    runtime = await open_world(open_service, DIRECT_SQL_TIMEOUT_SECONDS="1")
    assert await ensure_sql_role(runtime.settings) == ()
    return runtime


def settings_of(runtime: Runtime) -> TargetingSettings:
    assert isinstance(runtime.settings, TargetingSettings)
    return runtime.settings


async def test_a_query_that_lifts_the_servers_limit_meets_the_clients_deadline(
    world: Runtime,
) -> None:
    began = time.monotonic()
    with pytest.raises(Refused, match="takes too long"):
        await run_away(settings_of(world))
    assert time.monotonic() - began < 8

    async def gone() -> bool:
        return not await sessions(world)

    await eventually(gone, what="the end of the runaway session")


async def run_away(settings: TargetingSettings) -> None:
    async with restricted(settings, seconds=1.5) as connection:
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("SELECT count(*) FROM generate_series(1, 1000000000000)")


async def sessions(runtime: Runtime) -> int:
    owner = await asyncpg.connect(runtime.settings.database_url)
    found: int = await owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = $1",
        role_name(runtime.settings.database_url, NAME),
    )
    await owner.close()
    return found


async def test_a_stream_of_rows_ends_at_the_cap(world: Runtime) -> None:
    endless = Selection(
        members="SELECT a.contact_id AS member_id FROM directory.contacts a, directory.contacts b",
        unsorted="",
        tally="",
        sample="",
        args=(),
        restricted=True,
    )
    settings = settings_of(world).model_copy(update={"direct_sql_rows_max": 20_000})
    async with reading(world.pool, settings, endless, seconds=20) as reader:
        slices = reader.slices()
        assert sum([len(await anext(slices)) for _ in range(10)]) == 20_000
        with pytest.raises(Refused, match="more than 20000 ids"):
            await anext(slices)


async def test_a_query_may_give_out_as_many_ids_as_the_cap_and_no_more(world: Runtime) -> None:
    targeting_id = await saved(world, sql="select contact_id from contacts")
    assert (await counted(world, targeting_id)).records == 2_100
    for cap, answer in ((2_099, TargetRefused), (2_100, SnapshotFrozen)):
        values = settings_of(world).model_copy(update={"direct_sql_rows_max": cap})
        capped = Runtime(world.service, values, world.pool)
        await freeze(capped, targeting_id)
        assert len(await answers(capped, answer)) == 1
        await capped.execute(CountTarget(campaign_id=uuid4(), targeting_id=targeting_id))
        await work_off(capped)
        refused = len(await answers(capped, TargetRefused))
        assert refused == (answer is TargetRefused)


async def test_the_session_is_wiped_before_it_is_given_up(
    world: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = asyncpg.Connection.close

    async def look(connection: asyncpg.Connection[asyncpg.Record], **_: object) -> None:
        left = await connection.fetchval("SELECT count(*) FROM pg_listening_channels()")
        value = await connection.fetchval("SELECT current_setting('work_mem')")
        seen.append((left, value))
        await closed(connection)

    seen: list[tuple[int, str]] = []
    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, "close", look)
        async with restricted(settings_of(world)) as connection:
            await connection.execute("LISTEN x")
            await connection.execute("SET work_mem = '3MB'")
    assert seen == [(0, "16MB")]


async def test_the_role_has_few_sessions_and_its_limits(world: Runtime) -> None:
    url = role_url(world.settings, NAME)
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):
            connection = await asyncpg.connect(url)
            stack.push_async_callback(connection.close)
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await asyncpg.connect(url)
        shown = {
            name: await connection.fetchval("SELECT current_setting($1)", name)
            for name in ("default_transaction_read_only", "temp_file_limit", "search_path")
        }
    assert shown == {
        "default_transaction_read_only": "on",
        "temp_file_limit": "512MB",
        "search_path": "directory",
    }


async def test_every_other_role_keeps_what_was_taken_from_the_public(world: Runtime) -> None:
    owner = await asyncpg.connect(world.settings.database_url)
    later = role_name(world.settings.database_url, "later")
    name = world.settings.database_url.rpartition("/")[2]
    await owner.execute(f"CREATE ROLE {later} LOGIN; GRANT CONNECT ON DATABASE {name} TO {later}")
    ask = "SELECT has_function_privilege($1, 'pg_notify(text,text)', 'EXECUTE')"
    service = role_name(world.settings.database_url, "targeting")
    assert await owner.fetchval(ask, service)
    assert not await owner.fetchval(ask, later)
    assert await ensure_sql_role(world.settings) == ()
    assert await owner.fetchval(ask, later)
    assert not await owner.fetchval(ask, role_name(world.settings.database_url, NAME))
    await owner.close()


async def test_an_owner_who_is_no_superuser_is_told_what_is_not_contained(
    instance: Instance,
) -> None:
    superuser = await asyncpg.connect(instance.database_url)
    host, name = instance.database_url.rpartition("@")[2].split("/")
    owner = f"{name}_owner"
    await superuser.execute(f"CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD 'x'")
    await superuser.execute(f"ALTER DATABASE {name} OWNER TO {owner}")
    await superuser.execute(f"ALTER SCHEMA public OWNER TO {owner}")
    settings = instance.settings(
        TargetingSettings, DATABASE_URL=f"postgresql://{owner}:x@{host}/{name}"
    )
    await migrate(settings, {SERVICE.name: SERVICE.migrations})
    for _ in range(2):
        words = await ensure_sql_role(settings)
        assert "limit the role's temporary files" in words
        assert "take dangerous functions from PUBLIC" in words
    async with restricted(settings) as connection:  # type: ignore[arg-type]  # the class is given
        assert await connection.fetchval("SELECT count(*) FROM directory.contacts") == 0
        with pytest.raises(DENIED):
            await connection.fetchval("SELECT count(*) FROM targeting.contacts")
    await superuser.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
    await superuser.execute(f"REASSIGN OWNED BY {owner} TO CURRENT_USER; DROP OWNED BY {owner}")
    await superuser.close()


async def test_counts_and_snapshots_of_sql_are_those_of_the_files(world: Runtime) -> None:
    sites = {row["site_ref"]: row for row in sample("sites")}
    key_accounts = [
        row
        for row in sample("contacts")
        if sites[row["site_ref"]]["segment"] == "key_account" and row["language"] == "fr"
    ]
    targeting_id = await saved(
        world,
        sql="select c.contact_id, s.name from contacts c join sites s on s.site_id = c.site_id"
        " where s.segment = 'key_account' and c.language = 'fr' order by s.name -- whoever",
    )
    found = await counted(world, targeting_id)
    assert found.records == found.persons == len(key_accounts) > 10
    await freeze(world, targeting_id)
    [frozen] = await answers(world, SnapshotFrozen)
    assert isinstance(frozen, SnapshotFrozen)
    assert (frozen.members, frozen.counts) == (len(key_accounts), found)
    won = sum(1 for row in sample("deals") if row["status"] == "won")
    for counts, sql, members in (
        (Counts.SITES, "select site_id from sites union select site_id from deals", 420),
        (Counts.DEALS, "select deal_id from deals where status = 'won'", won),
        (Counts.CONTACTS, "select contact_id from contacts union all select null", 2_100),
        (Counts.CONTACTS, "select site_id from contacts", 0),
    ):
        tally = await counted(world, await saved(world, counts=counts, sql=sql))
        assert (tally.deals if counts is Counts.DEALS else tally.records) == members, sql


FAILING: Final = [
    ("select last_name from contacts", "the first column must be the id"),
    ("select 1 from contacts", "the first column must be the id"),
    ("select contact_id from contacts where 1 / (length(email) - length(email)) = 1", "Divi"),
    ("select contact_id from contacts where cast(last_name as int) = 1", "InvalidText"),
    (
        (
            "select a.contact_id from contacts a, contacts b, contacts c"
            " where a.email || b.email || c.email = 'x'"
        ),
        "takes too long",
    ),
]


async def test_a_query_that_fails_is_refused_without_the_values_it_met(world: Runtime) -> None:
    for sql, words in FAILING:
        await freeze(world, await saved(world, sql=sql))
        [(kind, body)] = await emitted(world)
        assert kind == TargetRefused.ce_type
        reason = TargetRefused.model_validate_json(body).reason
        assert words in reason, sql
        assert not any(row["last_name"] in reason for row in sample("contacts")[:200])


async def test_without_its_role_direct_sql_says_what_to_do(open_service: Open) -> None:
    runtime = await open_world(open_service)
    targeting_id = await saved(runtime, sql="select contact_id from contacts")
    await freeze(runtime, targeting_id)
    [refused] = await answers(runtime, TargetRefused)
    assert isinstance(refused, TargetRefused)
    assert refused.reason == "direct SQL is not set up here: run muster migrate"


async def test_direct_sql_never_runs_on_a_connection_of_the_service(
    world: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    users: list[str] = []
    tally = Reader.tally

    async def look(reader: Reader) -> Any:
        users.append(await reader._connection.fetchval("SELECT session_user"))
        return await tally(reader)

    monkeypatch.setattr(Reader, "tally", look)
    await counted(world, await saved(world, sql="select contact_id from contacts"))
    await counted(world, await saved(world))
    url = world.settings.database_url
    assert users == [role_name(url, NAME), role_name(url, "targeting")]
