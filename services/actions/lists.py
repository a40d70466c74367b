"""Reading lists page by page: cursors, the overdue flag, money in whole and hundredths."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.actions.domain import ActionStatus, is_overdue, local_date
from services.actions.store.actions import ActionStore, Place
from shared.errors import Refused
from shared.service import Runtime

FIRST: Final = UUID(int=0)
FIRST_PLACE: Final = Place(date.min, FIRST)
EXPORT_PAGE: Final = 1_000

Rows = Sequence[dict[str, Any]]


def place_of(cursor: str | None) -> Place:
    """Return where a page of next actions starts.

    Raises:
        Refused: the cursor is not one that a page gave.
    """
    if cursor is None:
        return FIRST_PLACE
    due_on, _, action_id = cursor.partition("_")
    try:
        return Place(date.fromisoformat(due_on), UUID(action_id))
    except ValueError:
        raise Refused("take the cursor from the page before", field="after") from None


def id_of(cursor: str | None) -> UUID:
    """Return the id after which a page starts.

    Raises:
        Refused: the cursor is not one that a page gave.
    """
    try:
        return UUID(cursor) if cursor else FIRST
    except ValueError:
        raise Refused("take the cursor from the page before", field="after") from None


class Lists:
    """The lists of one campaign, read from the service's pool."""

    def __init__(self, runtime: Runtime, campaign_id: UUID) -> None:
        self._runtime = runtime
        self._campaign_id = campaign_id

    async def next(self, after: str | None, limit: int) -> tuple[Rows, str | None]:
        """Return next actions, earliest due first, and the cursor of the page after."""
        async with self._runtime.pool.acquire() as connection:
            rows = await ActionStore(connection).next(
                self._campaign_id, after=place_of(after), limit=limit
            )
        last = f"{rows[-1]['due_on']}_{rows[-1]['action_id']}" if len(rows) == limit else None
        return self._with_overdue(rows), last

    async def results(
        self, after: str | None, limit: int, status: ActionStatus | None = None
    ) -> tuple[Rows, str | None]:
        """Return all actions in the order they were made, and the cursor of the page after."""
        async with self._runtime.pool.acquire() as connection:
            rows = await ActionStore(connection).results(
                self._campaign_id, after=id_of(after), status=status, limit=limit
            )
        return self._with_overdue(rows), _cursor(rows, "action_id", limit)

    async def deals(self, after: str | None, limit: int) -> tuple[Rows, str | None]:
        """Return the deals obtained, and the cursor of the page after."""
        async with self._runtime.pool.acquire() as connection:
            rows = await ActionStore(connection).deals(
                self._campaign_id, after=id_of(after), limit=limit
            )
        return [_with_money(row) for row in rows], _cursor(rows, "deal_id", limit)

    async def items(
        self, after: str | None, limit: int, *, processed: bool | None
    ) -> tuple[Rows, str | None]:
        """Return dossier items, and the cursor of the page after."""
        async with self._runtime.pool.acquire() as connection:
            rows = await ActionStore(connection).items(
                self._campaign_id, after=id_of(after), processed=processed, limit=limit
            )
        return [dict(row) for row in rows], _cursor(rows, "item_id", limit)

    def _with_overdue(self, rows: Sequence[asyncpg.Record]) -> Rows:
        today = local_date(self._runtime.clock.now(), self._runtime.settings.zone)
        return [
            dict(row) | {"overdue": is_overdue(ActionStatus(row["status"]), row["due_on"], today)}
            for row in rows
        ]


async def pages(
    read: Callable[[str | None, int], Awaitable[tuple[Rows, str | None]]],
) -> AsyncIterator[Rows]:
    """Yield a whole list, page by page."""
    after: str | None = None
    while True:
        rows, after = await read(after, EXPORT_PAGE)
        yield rows
        if after is None:
            return


def _cursor(rows: Sequence[asyncpg.Record], name: str, limit: int) -> str | None:
    return str(rows[-1][name]) if len(rows) == limit else None


def _with_money(row: asyncpg.Record) -> dict[str, Any]:
    amounts = {
        name: None if row[f"{name}_minor"] is None else _amount(row[f"{name}_minor"], row)
        for name in ("revenue", "margin")
    }
    return dict(row) | amounts


def _amount(minor: int, row: asyncpg.Record) -> str:
    sign, digits = ("-" if minor < 0 else ""), f"{abs(minor):03d}"
    return f"{sign}{digits[:-2]}.{digits[-2:]} {row['currency'] or ''}".rstrip()
