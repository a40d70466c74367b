"""Attacks by direct SQL, each sent both ways: through the guard, and straight past it.

The guard refuses it in words; the role alone lets nothing change.
"""

from __future__ import annotations

from typing import Any, Final

import asyncpg
import pytest

from services.targeting.fields import VIEWS
from services.targeting.guard import SqlRefused, check_sql
from services.targeting.reading import restricted
from services.targeting.settings import TargetingSettings
from services.targeting.sql_role import ensure_sql_role
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.targeting_world import (
    open_world,
    save,
)
from topics.targeting import TargetingRefused

DENIED: Final = (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)
TIMED_OUT: Final = (asyncpg.QueryCanceledError,)
NOT_THERE: Final = (asyncpg.UndefinedFunctionError, asyncpg.UndefinedTableError)

HARMLESS: Final[tuple[type[Exception], ...]] = ()

# What is sent, and what the role alone makes of it: these errors, or nothing that lasts.
ATTACKS: Final[dict[str, tuple[str, tuple[type[Exception], ...]]]] = {
    "stacked statement": ("SELECT 1; DELETE FROM targeting.contacts", DENIED),
    "stacked statement on a view": ("SELECT 1; DELETE FROM directory.sites", DENIED),
    "data-modifying CTE": (
        "WITH x AS (DELETE FROM directory.sites RETURNING site_id) SELECT site_id FROM x",
        DENIED,
    ),
    "data-modifying CTE on a table": (
        "WITH x AS (UPDATE targeting.consents SET opted_out = false RETURNING 1) SELECT 1 FROM x",
        DENIED,
    ),
    "table behind a view": ("SELECT contact_id FROM targeting.contacts", DENIED),
    "outbox": ("SELECT value FROM targeting.outbox", DENIED),
    "catalogue: passwords": ("SELECT rolpassword FROM pg_catalog.pg_authid", DENIED),
    "catalogue: names": ("SELECT relname FROM pg_catalog.pg_class", HARMLESS),
    "catalogue: other sessions": ("SELECT query FROM pg_catalog.pg_stat_activity", HARMLESS),
    "set_config": ("SELECT set_config('statement_timeout', '0', false)", DENIED),
    "pg_advisory_lock": ("SELECT pg_advisory_lock(1)", DENIED),
    "pg_try_advisory_xact_lock": ("SELECT pg_try_advisory_xact_lock(1)", DENIED),
    "pg_notify": ("SELECT pg_notify('outbox_targeting', '')", DENIED),
    "pg_sleep": ("SELECT pg_sleep(60)", DENIED),
    "pg_sleep_for": ("SELECT pg_sleep_for('1 minute')", DENIED),
    "a huge generate_series": ("SELECT count(*) FROM generate_series(1, 1000000000000)", TIMED_OUT),
    "query_to_xml": ("SELECT query_to_xml('SELECT 1', true, true, '')", DENIED),
    "database_to_xml": ("SELECT database_to_xml(true, true, '')", DENIED),
    "text run as SQL": ("SELECT * FROM ts_stat('SELECT to_tsvector(''x'')')", DENIED),
    "a transaction id": ("SELECT pg_current_xact_id()", DENIED),
    "an older transaction id": ("SELECT txid_current()", DENIED),
    "a large object": ("SELECT lo_create(0)", DENIED),
    "a large object from bytes": ("SELECT lo_from_bytea(0, 'x')", DENIED),
    "the write-ahead log": ("SELECT pg_logical_emit_message(false, 'x', 'y')", DENIED),
    "a server file": ("SELECT pg_read_file('/etc/passwd')", DENIED),
    "a server folder": ("SELECT pg_ls_dir('.')", DENIED),
    "another session": ("SELECT pg_terminate_backend(1)", DENIED),
    "another database": ("SELECT dblink('', 'SELECT 1')", NOT_THERE),
    "COPY to a program": ("COPY (SELECT 1) TO PROGRAM 'true'", DENIED),
    "a temporary table": ("CREATE TEMPORARY TABLE t (a int)", DENIED),
    "a table": ("CREATE TABLE directory.t (a int)", DENIED),
    "SELECT INTO": ("SELECT 1 AS a INTO directory.t", DENIED),
    "a function": (
        "CREATE FUNCTION directory.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        DENIED,
    ),
    "a block of code": ("DO $$ BEGIN PERFORM 1; END $$", DENIED),
    "a row lock": ("SELECT site_id FROM directory.sites FOR UPDATE", DENIED),
    "a table lock": ("BEGIN; LOCK TABLE directory.sites IN ACCESS EXCLUSIVE MODE", DENIED),
    "another role": ("SET ROLE pg_read_all_data", DENIED),
    "others' rights": ("GRANT SELECT ON targeting.contacts TO PUBLIC", DENIED),
    "its own limit": ("SET statement_timeout = 0", HARMLESS),
    "its own transaction": ("SET default_transaction_read_only = off", HARMLESS),
}


@pytest.fixture
async def world(open_service: Open) -> Runtime:
    """The sample CRM, with the role of direct SQL as ``muster migrate`` makes it."""
    runtime = await open_world(open_service, DIRECT_SQL_TIMEOUT_SECONDS="1")
    assert await ensure_sql_role(runtime.settings) == ()
    return runtime


def settings_of(runtime: Runtime) -> TargetingSettings:
    assert isinstance(runtime.settings, TargetingSettings)
    return runtime.settings


async def fingerprint(runtime: Runtime) -> dict[str, Any]:
    """Return what an attack may not change: rows, relations, rights, locks, large objects."""
    owner = await asyncpg.connect(runtime.settings.database_url)
    tables = await owner.fetch(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    found: dict[str, Any] = {}
    for name in (row["name"] for row in tables):
        found[name] = await owner.fetchval(
            f"SELECT count(*)::text || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0)"
            f" FROM {name} t"
        )
    found["relations"] = await owner.fetchval(
        "SELECT string_agg(oid::text || coalesce(relacl::text, ''), ' ' ORDER BY oid)"
        " FROM pg_class WHERE relkind IN ('r', 'v', 'S', 'i', 'm')"
    )
    found["functions"] = await owner.fetchval("SELECT count(*) FROM pg_proc")
    found["objects"] = await owner.fetchval("SELECT count(*) FROM pg_largeobject_metadata")
    found["roles"] = await owner.fetchval(
        "SELECT string_agg(rolname || rolsuper || rolcreaterole, ' ' ORDER BY rolname)"
        " FROM pg_roles WHERE rolname LIKE current_database() || '%'"
    )
    found["locks"] = await owner.fetchval(
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
        " WHERE locktype = 'advisory' AND d.datname = current_database()"
    )
    await owner.close()
    return found


@pytest.mark.parametrize("name", ATTACKS)
def test_the_guard_refuses_the_attack_with_a_reason(name: str) -> None:
    with pytest.raises(SqlRefused) as caught:
        check_sql(ATTACKS[name][0], views=VIEWS)
    assert caught.value.reason.endswith(".")


@pytest.mark.parametrize("lifted", [False, True], ids=["read-only", "read-only lifted"])
async def test_past_the_guard_the_role_alone_lets_nothing_change(
    world: Runtime,
    lifted: bool,
) -> None:
    before = await fingerprint(world)
    for name, (sql, errors) in ATTACKS.items():
        async with restricted(settings_of(world)) as connection:
            if lifted:
                await connection.execute("SET default_transaction_read_only = off")
            carried_out = True
            try:
                await connection.execute(sql)
            except errors:
                carried_out = False
            assert carried_out == (errors == HARMLESS), name
    assert await fingerprint(world) == before


async def test_a_target_in_sql_that_attacks_is_refused_when_it_is_saved(world: Runtime) -> None:
    for sql, _ in ATTACKS.values():
        [refused] = await save(world, sql=sql)
        assert isinstance(refused, TargetingRefused)
        assert refused.field == "sql"
    assert await world.pool.fetchval("SELECT count(*) FROM targetings") == 0
