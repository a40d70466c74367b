"""Reservations and consumptions, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from services.stock.domain import Reservation, ReservationStatus
from shared.database import Connection
from topics.stock import ConsumeStock

_CLAIM: Final = """
INSERT INTO reservations (reservation_id, campaign_id, status, asked_at)
VALUES ($1, $2, 'asked', $3) ON CONFLICT (reservation_id) DO NOTHING
"""
_LOCK: Final = """
SELECT reservation_id, campaign_id, line_id, status, rest, release_asked FROM reservations
WHERE reservation_id = $1 FOR UPDATE
"""
_REQUEST: Final = """
INSERT INTO consumptions (cause_id, campaign_id, reservation_id, asked, requested_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (cause_id) DO NOTHING
"""
_WAITING: Final = """
SELECT cause_id, campaign_id, reservation_id, asked FROM consumptions
WHERE reservation_id = $1 AND booked_at IS NULL ORDER BY requested_at, cause_id FOR UPDATE
"""
_NEXT_TO_BOOK: Final = """
SELECT c.reservation_id FROM consumptions c JOIN reservations r USING (reservation_id)
WHERE c.booked_at IS NULL AND r.line_id IS NOT NULL ORDER BY c.requested_at, c.cause_id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class ReservationRow:
    """A reservation, and the campaign and line it is for."""

    reservation_id: UUID
    campaign_id: UUID
    line_id: UUID | None
    reservation: Reservation
    release_asked: bool = False

    def with_reservation(self, reservation: Reservation) -> ReservationRow:
        """Return the row with its reservation as it stands now."""
        return replace(self, reservation=reservation)


@dataclass(frozen=True, slots=True)
class Consumption:
    """What an extraction file took, or wants to take."""

    cause_id: UUID
    campaign_id: UUID
    reservation_id: UUID
    asked: int


class ReservationStore:
    """Reservations in the caller's transaction; a reservation is locked before its line."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, reservation_id: UUID, campaign_id: UUID, now: datetime) -> ReservationRow:
        """Return the reservation of an id, made when new, locked until the transaction ends."""
        await self._connection.execute(_CLAIM, reservation_id, campaign_id, now)
        row = await self.lock(reservation_id)
        if row is None:
            raise LookupError(reservation_id)
        return row

    async def lock(self, reservation_id: UUID) -> ReservationRow | None:
        """Return a reservation, its row locked until the transaction ends."""
        row = await self._connection.fetchrow(_LOCK, reservation_id)
        if row is None:
            return None
        return ReservationRow(
            row["reservation_id"],
            row["campaign_id"],
            row["line_id"],
            Reservation(ReservationStatus(row["status"]), row["rest"]),
            row["release_asked"],
        )

    async def describe(self, reservation_id: UUID, line_id: UUID, quantity: int) -> None:
        """Write which line a reservation is for and how much it asked."""
        await self._connection.execute(
            "UPDATE reservations SET line_id = $2, quantity = $3 WHERE reservation_id = $1",
            reservation_id,
            line_id,
            quantity,
        )

    async def decide(self, reservation_id: UUID, reservation: Reservation) -> None:
        """Write how a reservation stands."""
        await self._connection.execute(
            "UPDATE reservations SET status = $2, rest = $3 WHERE reservation_id = $1",
            reservation_id,
            reservation.status.value,
            reservation.rest,
        )

    async def request(self, command: ConsumeStock, now: datetime) -> None:
        """Keep a consumption, once per cause."""
        await self._connection.execute(
            _REQUEST,
            command.cause_id,
            command.campaign_id,
            command.reservation_id,
            command.quantity,
            now,
        )

    async def waiting(self, reservation_id: UUID) -> Sequence[Consumption]:
        """Return the consumptions of a reservation that are not booked, their rows locked."""
        rows = await self._connection.fetch(_WAITING, reservation_id)
        return [Consumption(**dict(row)) for row in rows]

    async def next_to_book(self) -> UUID | None:
        """Return the reservation, its line known, whose file waits longest to be booked."""
        found: UUID | None = await self._connection.fetchval(_NEXT_TO_BOOK)
        return found

    async def ask_release(self, reservation_id: UUID) -> None:
        """Note that what is left is to go back once the files that wait are booked."""
        await self._connection.execute(
            "UPDATE reservations SET release_asked = true WHERE reservation_id = $1", reservation_id
        )

    async def consumed(self, cause_id: UUID, taken: int, now: datetime) -> None:
        """Note what a consumption really took."""
        await self._connection.execute(
            "UPDATE consumptions SET taken = $2, booked_at = $3 WHERE cause_id = $1",
            cause_id,
            taken,
            now,
        )
