"""Connections to PostgreSQL: one login role a service, a small pool, bounded transactions."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

import asyncpg
import orjson

from shared.settings import Settings, role_url

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)

IDLE_TIMEOUT: Final = "10s"
"""How long a transaction may wait for its client."""
TRANSACTION_TIMEOUT: Final = "20s"
"""How long a service's transaction may take, whatever it waits for; a default of each role.

The other limits do not count while the server waits for the rest of an extended query: a worker
frozen between Parse and Bind would keep its locks for good.
"""
TRANSACTION_TIMEOUT_SINCE: Final = 17
"""The PostgreSQL version that has ``transaction_timeout``; an older one keeps such locks until the
frozen worker wakes or its connection breaks."""

PLAN_SECONDS: Final = 30
"""How long a prepared statement is kept.

Its plan is kept with it, and none of a table that was empty may serve when it is large: the server
plans anew by the table's size, long before it has counted what is in it.
"""

_IDENTIFIER: Final = re.compile(r"^[a-z][a-z0-9_]{0,40}\Z")


def identifier(name: str) -> str:
    """Return a name that is safe to stand in SQL as it is.

    Raises:
        ValueError: it is no lower-case SQL identifier.
    """
    if not _IDENTIFIER.match(name):
        message = f"{name!r} is no SQL identifier"
        raise ValueError(message)
    return name


async def _set_codecs(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda raw: orjson.loads(raw[1:]),
        format="binary",
    )


def _session(schema: str) -> dict[str, str]:
    # A frozen worker's rows block its successor, and its snapshot the relay's watermark:
    # the server ends an idle transaction, and nobody waits long for a lock.
    return {
        "search_path": identifier(schema),
        "application_name": f"muster {schema}",
        "timezone": "UTC",
        "idle_in_transaction_session_timeout": IDLE_TIMEOUT,
        "lock_timeout": "4s",
        "statement_timeout": "30s",
    }


async def without_time_limit(connection: Connection) -> None:
    """Let the transaction under way take as long as it needs; for few, and said why at each."""
    if connection.get_server_version().major >= TRANSACTION_TIMEOUT_SINCE:
        await connection.execute("SET LOCAL transaction_timeout = 0")


async def connect(url: str, schema: str) -> asyncpg.Connection[asyncpg.Record]:
    """Return one connection of its own (for LISTEN, or for a command of the CLI)."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        url, server_settings=_session(schema), timeout=10
    )
    await _set_codecs(connection)
    return connection


async def open_pool(settings: Settings, service: str, *, size: int | None = None) -> Pool:
    """Return the pool of a service over its own schema, as its own login role."""
    options: dict[str, Any] = {"server_settings": _session(service), "init": _set_codecs}
    pool: Pool = await asyncpg.create_pool(
        role_url(settings, service),
        min_size=1,
        max_size=size or settings.database_pool_size,
        timeout=10,
        command_timeout=40,
        max_inactive_connection_lifetime=60,
        max_cached_statement_lifetime=PLAN_SECONDS,
        **options,
    )
    return pool
