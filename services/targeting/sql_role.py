"""The login role of direct SQL, and everything that its sessions cannot do.

It reads the views of the schema ``directory`` and nothing else of ours: no table, no other schema,
no temporary table. Functions that PostgreSQL grants to everybody are taken from PUBLIC in this
database when a query could do harm with them; every other role that may connect keeps them, so this
runs after each migration, when all roles are there. What no grant can forbid (a costly query, a
long one, ``SET``) is bounded by the role's limits and by the client's deadline.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import asyncpg

from shared.database import identifier
from shared.settings import Settings, database_name, derived, role_name

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Step: TypeAlias = Callable[[Connection, Settings], Awaitable[bool]]

NAME: Final = "targeting_sql"
"""The role is ``<database>_targeting_sql``; its password is derived from the secret."""
CONNECTIONS: Final = 4

# Waiting, locks, notices, session settings, transaction ids (a reader that has one holds back
# every relay), large objects, text that is run as SQL, the server's log and other sessions.
_DANGEROUS: Final = (
    "^(pg_sleep(_for|_until)?|pg_(try_)?advisory_(xact_)?lock(_shared)?|pg_notify|set_config"
    "|pg_current_xact_id|txid_current|pg_export_snapshot|pg_logical_emit_message"
    "|lo_[a-z0-9_]+|loread|lowrite|ts_stat|pg_(cancel|terminate)_backend"
    "|(query|table|schema|database|cursor)_to_xml(schema|_and_xmlschema)?)$"
)
# Those that are not everybody's from the start (pg_init_privs) stay as they are.
_FUNCTIONS: Final = """
SELECT p.oid::regprocedure::text FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ $1
  AND NOT EXISTS (SELECT 1 FROM pg_init_privs i
                  WHERE i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid)
ORDER BY 1
"""
_STILL_PUBLIC: Final = """
SELECT bool_or(has_function_privilege('public', name::regprocedure, 'EXECUTE'))
FROM unnest($1::text[]) name
"""
_OTHER_ROLES: Final = """
SELECT quote_ident(rolname) FROM pg_roles
WHERE rolname <> $1 AND NOT rolsuper AND rolname !~ '^pg_'
  AND has_database_privilege(oid, current_database(), 'CONNECT')
ORDER BY 1
"""
_LIMITS: Final = {
    "default_transaction_read_only": "on",
    "search_path": "directory",
    "statement_timeout": "30s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
    "work_mem": "16MB",
    "max_parallel_workers_per_gather": "0",
}


async def ensure_sql_role(settings: Settings) -> tuple[str, ...]:
    """Make the role of direct SQL what it should be; run after the migrations, as the owner.

    Returns:
        what the owner may not do here because it is no superuser, in words; empty when all holds.
    """
    connection: Connection = await asyncpg.connect(settings.database_url, timeout=10)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('muster sql role'))")
            await _make(connection, settings)
            await _grant_views(connection, settings)
            return tuple(
                [words for words, step in _STEPS if not await _done(connection, step, settings)]
            )
    finally:
        await connection.close()


async def _done(connection: Connection, step: Step, settings: Settings) -> bool:
    """Carry out what takes a superuser; return whether that was possible."""
    try:
        async with connection.transaction():
            return await step(connection, settings)
    except asyncpg.InsufficientPrivilegeError:
        return False


def _role(settings: Settings) -> str:
    return identifier(role_name(settings.database_url, NAME))


def _database(settings: Settings) -> str:
    return '"' + database_name(settings.database_url).replace('"', '""') + '"'


async def _make(connection: Connection, settings: Settings) -> None:
    role, database = _role(settings), _database(settings)
    password = derived(settings.secret, f"role:{role}")
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f"CREATE ROLE {role} NOINHERIT")
    # Only what an owner without superuser rights may alter; a new role can do nothing else anyway.
    await connection.execute(
        f"ALTER ROLE {role} LOGIN CONNECTION LIMIT {CONNECTIONS} PASSWORD '{password}'"
    )
    for name, value in _LIMITS.items():
        await connection.execute(f"ALTER ROLE {role} IN DATABASE {database} SET {name} = '{value}'")


async def _grant_views(connection: Connection, settings: Settings) -> None:
    role, database = _role(settings), _database(settings)
    await connection.execute(
        f"REVOKE ALL ON DATABASE {database} FROM {role};"
        f"GRANT CONNECT ON DATABASE {database} TO {role};"
        f"GRANT USAGE ON SCHEMA directory TO {role};"
        f"GRANT SELECT ON directory.sites, directory.contacts, directory.deals TO {role}"
    )


async def _limit_files(connection: Connection, settings: Settings) -> bool:
    await connection.execute(
        f"ALTER ROLE {_role(settings)} IN DATABASE {_database(settings)}"
        " SET temp_file_limit = '512MB'"
    )
    return True


async def _take_functions(connection: Connection, settings: Settings) -> bool:
    rows = await connection.fetch(_FUNCTIONS, _DANGEROUS)
    functions = ", ".join(f"pg_catalog.{row[0]}" for row in rows)
    others = await connection.fetch(_OTHER_ROLES, _role(settings))
    owner = await connection.fetchval("SELECT quote_ident(current_user)")
    keepers = ", ".join(sorted({owner, *(row[0] for row in others)}))
    # Granted before it is taken away: services that are running never lack it.
    await connection.execute(f"GRANT EXECUTE ON FUNCTION {functions} TO {keepers}")
    await connection.execute(f"REVOKE EXECUTE ON FUNCTION {functions} FROM PUBLIC")
    # Without the right to revoke, PostgreSQL warns and goes on.
    return not await connection.fetchval(_STILL_PUBLIC, [row[0] for row in rows])


async def _take_language(connection: Connection, _: Settings) -> bool:
    await connection.execute("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC")
    return not await connection.fetchval(
        "SELECT has_language_privilege('public', 'plpgsql', 'USAGE')"
    )


_STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("limit the role's temporary files", _limit_files),
    ("take dangerous functions from PUBLIC", _take_functions),
    ("take the language plpgsql from PUBLIC", _take_language),
)
