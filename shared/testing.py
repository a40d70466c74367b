"""Doubles for tests without servers; the tests run one suite on each and on what it stands for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NoReturn, cast

from shared.database import Connection
from shared.outbox import OutboxRow
from shared.settings import Settings
from shared.uow import Work

EPOCH: Final = datetime(2026, 11, 22, 8, tzinfo=UTC)
SECRET: Final = "a-secret-for-tests-only"  # noqa: S105 - no instance has it


class DatabaseTouched(AssertionError):
    """A handler that was to decide without the database used it."""


class NoDatabase:
    """Stands for a connection where none may be used."""

    def __getattr__(self, name: str) -> NoReturn:
        raise DatabaseTouched(f"connection.{name} was used in a test without a database")


class RecordedWork(Work):
    """A unit of work that keeps what it would publish in ``published`` and has no database."""

    def __init__(
        self, *, service: str = "campaign", settings: Settings | None = None, now: datetime = EPOCH
    ) -> None:
        super().__init__(
            cast("Connection", NoDatabase()),
            service=service,
            settings=settings or settings_for_tests(),
            now=now,
        )
        self.published: list[OutboxRow] = []

    async def flush(self) -> None:
        """Keep the rows that a real unit of work would write."""
        self.published += self._rows
        self._rows = []


def settings_for_tests(**more: Any) -> Settings:
    """Return settings of an instance that exists nowhere; ``more`` changes single ones."""
    return Settings.model_validate(
        {
            "database_url": "postgresql://nobody@127.0.0.1:1/nowhere",
            "kafka_bootstrap": "127.0.0.1:1",
            "muster_secret_key": SECRET,
            "muster_instance": "test",
            **more,
        }
    )
