"""Reading the directory: one consistent picture, read-only, bounded in time and rows.

Criteria run on a connection of the service. Direct SQL runs on a connection of its own login role
(:mod:`services.targeting.sql_role`), never by ``SET ROLE``: a query that got past the guard is
still nothing but that role. Both read in one REPEATABLE READ transaction, so a tally and the
members that follow it agree; being read-only it takes no transaction id and holds no relay back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.targeting.domain import Tally
from services.targeting.selection import Selection
from services.targeting.settings import TargetingSettings
from services.targeting.sql_role import NAME
from shared.database import Connection, Pool, without_time_limit
from shared.errors import Refused
from shared.settings import role_url
from topics.targeting import ControlSort

SLICE: Final = 2_000
_CLOSE_SECONDS: Final = 3
_NO_ROLE: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidPasswordError,
)
_OURS: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalServerError,
)
"""Failures of the server, which say nothing about the query (a cancelled query is taken before)."""


@asynccontextmanager
async def restricted(
    settings: TargetingSettings, *, seconds: float | None = None
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Yield a connection of the direct SQL role for one use; it is gone afterwards.

    ``seconds`` is the client's deadline for the whole use; the server's limit for one statement is
    ``DIRECT_SQL_TIMEOUT_SECONDS``. Both are needed: a query may lift the server's.

    Raises:
        Refused: the role does not exist, or the deadline passed.
    """
    connection = await _connect(settings)
    try:
        async with asyncio.timeout(seconds or settings.direct_sql_timeout_seconds + 2) as deadline:
            yield connection
    except TimeoutError:
        if deadline.expired():
            raise Refused("the query takes too long: make it simpler", field="sql") from None
        raise
    finally:
        await _leave(connection)


async def _connect(settings: TargetingSettings) -> asyncpg.Connection[asyncpg.Record]:
    milliseconds = int(settings.direct_sql_timeout_seconds * 1000)
    try:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            role_url(settings, NAME),
            timeout=5,
            statement_cache_size=0,
            server_settings={
                "application_name": "muster targeting sql",
                "search_path": "directory",
                "timezone": "UTC",
                "default_transaction_read_only": "on",
                "statement_timeout": str(milliseconds),
            },
        )
    except _NO_ROLE:
        raise Refused("direct SQL is not set up here: run muster migrate", field="sql") from None
    return connection


async def _leave(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Wipe the session and close it; cut it off when it does not answer."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            # A pooler between us and the server would hand the session to the next one.
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.execute("ROLLBACK")
                await connection.execute("DISCARD ALL")
            await connection.close()
    except (TimeoutError, OSError):
        connection.terminate()


@asynccontextmanager
async def reading(
    pool: Pool, settings: TargetingSettings, selection: Selection, *, seconds: float
) -> AsyncIterator[Reader]:
    """Yield a reader of a selection over one picture of the directory.

    Raises:
        Refused: the query fails, takes longer than ``seconds``, or chooses too many.
    """
    source = restricted(settings, seconds=seconds) if selection.restricted else pool.acquire()
    try:
        async with (
            asyncio.timeout(seconds) as deadline,
            source as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            # A million members take minutes; it holds no locks, and ``seconds`` bounds it.
            await without_time_limit(connection)
            yield Reader(connection, selection, settings.direct_sql_rows_max)
    except TimeoutError:
        if not deadline.expired():
            raise
        raise Refused("the target takes too long to count: make it simpler") from None


class Reader:
    """Runs the queries of one selection on one connection."""

    def __init__(self, connection: Connection, selection: Selection, rows_max: int) -> None:
        self._connection = connection
        self._selection = selection
        self._rows_max = rows_max

    async def tally(self) -> Tally:
        """Count what is chosen.

        Raises:
            Refused: the query fails or chooses more ids than are allowed.
        """
        async with self._explained():
            row = await self._connection.fetchrow(self._selection.tally, *self._selection.args)
        assert row is not None, "a tally is one row"
        tally = Tally(**dict(row))
        if self._selection.restricted and tally.chosen > self._rows_max:
            raise self._too_many()
        return tally

    def _too_many(self) -> Refused:
        return Refused(f"the query gives out more than {self._rows_max} ids", field="sql")

    async def sample(self, count: int) -> list[asyncpg.Record]:
        """Return the first members."""
        async with self._explained():
            return await self._connection.fetch(
                self._selection.sample, *self._selection.args, count
            )

    async def first(self, sort: ControlSort, count: int, *, descending: bool) -> frozenset[UUID]:
        """Return the ids of the first members after a sort; those without a value come last."""
        column = sort.partition(".")[2]
        order = f"nullif({column}, '') {'DESC' if descending else 'ASC'} NULLS LAST, member_id"
        args = self._selection.args
        query = f"{self._selection.unsorted} ORDER BY {order} LIMIT ${len(args) + 1}"
        async with self._explained():
            rows = await self._connection.fetch(query, *args, count)
        return frozenset(row["member_id"] for row in rows)

    async def slices(self, size: int = SLICE) -> AsyncIterator[list[asyncpg.Record]]:
        """Yield all members in order, ``size`` rows at a time.

        Raises:
            Refused: the query fails or gives out more than is allowed.
        """
        read = 0
        async with self._explained():
            cursor: Any = await self._connection.cursor(
                self._selection.members, *self._selection.args
            )
        while True:
            async with self._explained():
                rows: list[asyncpg.Record] = await cursor.fetch(size)
            if not rows:
                return
            read += len(rows)
            if self._selection.restricted and read > self._rows_max:
                raise self._too_many()
            yield rows

    @asynccontextmanager
    async def _explained(self) -> AsyncIterator[None]:
        """Turn what is wrong with a query into a refusal, without the values it met."""
        try:
            yield
        except asyncpg.QueryCanceledError:
            raise Refused("the target takes too long to count: make it simpler") from None
        except _OURS:
            raise
        except asyncpg.PostgresError as problem:
            if not self._selection.restricted:
                raise
            raise Refused(_explain(problem), field="sql") from None


def _explain(problem: asyncpg.PostgresError) -> str:
    if isinstance(problem, asyncpg.UndefinedFunctionError | asyncpg.DatatypeMismatchError):
        return "the first column must be the id: site_id, contact_id or deal_id as it counts"
    words = type(problem).__name__.removesuffix("Error")
    return f"the query fails while it runs ({words})"
