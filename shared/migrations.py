"""Schemas and roles: ``muster migrate`` with an owner URL makes each service's own.

Files are ``NNNN_name.pre.sql`` (run before new code) and ``NNNN_name.post.sql`` (after); each runs
once, in one transaction, with the service's schema as search path. There are no down scripts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncpg

from shared.database import TRANSACTION_TIMEOUT, TRANSACTION_TIMEOUT_SINCE, identifier
from shared.settings import Settings, database_name, derived, role_name

Phase = Literal["pre", "post"]
CORE = Path(__file__).parent / "migrations"


class MigrationError(Exception):
    """A migration cannot be applied; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file: its name in the schema's history, and when it runs."""

    name: str
    phase: Phase
    sql: str

    @property
    def sha256(self) -> str:
        """The hash the history keeps, so that an edited file is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_in(folder: Path, prefix: str) -> list[Migration]:
    """Return a folder's migrations in order; names carry ``prefix`` (core, service)."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        phase = path.suffixes[-2].lstrip(".") if len(path.suffixes) > 1 else ""
        if phase not in {"pre", "post"}:
            message = f"{path.name}: name it NNNN_words.pre.sql or NNNN_words.post.sql"
            raise MigrationError(message)
        found.append(Migration(f"{prefix}/{path.name}", phase, path.read_text()))  # type: ignore[arg-type]  # checked above
    return found


async def migrate(
    settings: Settings, services: Mapping[str, Path], *, phases: Sequence[Phase] = ("pre", "post")
) -> list[str]:
    """Bring every service's schema and role up to date; return the names applied.

    Raises:
        MigrationError: an applied file was edited afterwards, or SQL fails.
    """
    applied: list[str] = []
    connection = await asyncpg.connect(settings.database_url, timeout=10)
    try:
        # One migrator at a time, whatever the number of processes that start at once.
        await connection.execute("SELECT pg_advisory_lock(hashtext('muster migrate'))")
        await _close_database(connection, settings)
        for service, folder in services.items():
            await _ensure_role(connection, settings, service)
            applied += await _migrate_service(connection, service, folder, phases)
            await _grant(connection, settings, service)
    finally:
        await connection.close()
    return applied


async def _close_database(
    connection: asyncpg.Connection[asyncpg.Record], settings: Settings
) -> None:
    name = '"' + database_name(settings.database_url).replace('"', '""') + '"'
    await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")


async def _ensure_role(
    connection: asyncpg.Connection[asyncpg.Record], settings: Settings, service: str
) -> None:
    role = identifier(role_name(settings.database_url, service))
    password = derived(settings.secret, f"role:{role}")
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    # An owner who is no superuser may make a role without rights, and set its password later.
    rights = "" if exists else "NOSUPERUSER NOCREATEDB NOCREATEROLE"
    verb = "ALTER" if exists else "CREATE"
    await connection.execute(f"{verb} ROLE {role} LOGIN {rights} PASSWORD '{password}'")
    if connection.get_server_version().major >= TRANSACTION_TIMEOUT_SINCE:
        await connection.execute(
            f"ALTER ROLE {role} SET transaction_timeout = '{TRANSACTION_TIMEOUT}'"
        )
    name = database_name(settings.database_url).replace('"', '""')
    await connection.execute(f'GRANT CONNECT, TEMPORARY ON DATABASE "{name}" TO {role}')


async def _migrate_service(
    connection: asyncpg.Connection[asyncpg.Record],
    service: str,
    folder: Path,
    phases: Sequence[Phase],
) -> list[str]:
    schema = identifier(service)
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS {schema}.schema_migrations ("
        " name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz DEFAULT now())"
    )
    rows = await connection.fetch(f"SELECT name, sha256 FROM {schema}.schema_migrations")
    known = {row["name"]: row["sha256"] for row in rows}
    applied = []
    for migration in migrations_in(CORE, "core") + migrations_in(folder, service):
        if migration.name in known:
            _check_unchanged(schema, migration, known[migration.name])
        elif migration.phase in phases:
            await _apply(connection, schema, migration)
            applied.append(f"{schema}: {migration.name}")
    return applied


def _check_unchanged(schema: str, migration: Migration, sha256: str) -> None:
    if migration.sha256 != sha256:
        message = f"{schema}: {migration.name} was applied and edited since; add a new file instead"
        raise MigrationError(message)


async def _apply(
    connection: asyncpg.Connection[asyncpg.Record], schema: str, migration: Migration
) -> None:
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL search_path = {schema}")
            await connection.execute(migration.sql)
            await connection.execute(
                f"INSERT INTO {schema}.schema_migrations (name, sha256) VALUES ($1, $2)",
                migration.name,
                migration.sha256,
            )
    except asyncpg.PostgresError as problem:
        message = f"{schema}: {migration.name}: {problem}"
        raise MigrationError(message) from problem


async def _grant(
    connection: asyncpg.Connection[asyncpg.Record], settings: Settings, service: str
) -> None:
    schema, role = identifier(service), identifier(role_name(settings.database_url, service))
    rights = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE"
    await connection.execute(
        f"GRANT USAGE ON SCHEMA {schema} TO {role};"
        f"GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO {role};"
        f"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"
        f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {schema}.schema_migrations FROM {role};"
    )
