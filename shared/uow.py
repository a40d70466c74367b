"""The unit of work: state, inbox and outbox in one transaction. Nothing else commits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg

from shared import faults, outbox, tracing
from shared.clock import Clock
from shared.database import Connection, Pool
from shared.errors import Refused
from shared.ids import child_traceparent, new_id_text
from shared.outbox import OutboxRow
from shared.producer import pack_headers
from shared.settings import Settings
from topics.cloudevents import Envelope, encode_headers
from topics.message import Message, State


class Work:
    """What a handler gets: a connection inside the transaction, a way to emit, the time.

    Attributes:
        connection: inside the transaction; a handler neither commits nor rolls back.
        now: one time for the whole transaction (aware UTC).
        cause: the message being handled, whose trace and correlation emitted ones carry on.
        service: the service's name, also its schema.
        settings: the service's settings.
        emitted: what was published so far, in order.
        refusals: the refusals that were answered by a message, as the handlers raised them.
    """

    def __init__(
        self, connection: Connection, *, service: str, settings: Settings, now: datetime
    ) -> None:
        self.connection = connection
        self.service = service
        self.settings = settings
        self.now = now
        self._now_text = now.isoformat()
        self._source = f"/muster/{service}"
        self.cause: Envelope | None = None
        self.emitted: list[Message] = []
        self.refusals: list[Refused] = []
        self._rows: list[OutboxRow] = []
        self._traced: tuple[Envelope | None, str] | None = None

    def emit(self, message: Message) -> None:
        """Publish a message when, and only when, this transaction commits."""
        self.emitted.append(message)
        cause, key = self.cause, message.partition_key
        message_id = new_id_text()
        headers = encode_headers(
            message=message,
            key=key,
            source=self._source,
            message_id=message_id,
            time=self._now_text,
            correlation_id=(cause.correlation_id or cause.id) if cause else message_id,
            causation_id=cause.id if cause else None,
            traceparent=tracing.current() or self._trace(cause),
        )
        value = message.model_dump_json().encode()
        self._rows.append(OutboxRow(message.topic.name, key, pack_headers(headers), value))

    def _trace(self, cause: Envelope | None) -> str:
        """Return the span of what is done for a cause, the same for all that is emitted by it."""
        if self._traced is None or self._traced[0] is not cause:
            self._traced = cause, child_traceparent(cause.traceparent if cause else None)
        return self._traced[1]

    def bury(self, kind: type[State], key: str) -> None:
        """Publish that a state is no more: compaction then removes all of its key."""
        self._rows.append(OutboxRow(kind.topic.name, key, pack_headers([]), b""))

    def emit_raw(self, row: OutboxRow) -> None:
        """Publish a record as it is (dead letters keep the bytes they came with)."""
        self._rows.append(row)

    def mark(self) -> tuple[int, int]:
        """Return a mark of what was emitted so far, for :meth:`forget_since`."""
        return len(self.emitted), len(self._rows)

    def forget_since(self, mark: tuple[int, int]) -> None:
        """Drop what was emitted after a mark: a refused command answers with its refusal only."""
        del self.emitted[mark[0] :]
        del self._rows[mark[1] :]

    async def flush(self) -> None:
        """Write the outbox rows; called by the unit of work before it commits."""
        rows, self._rows = self._rows, []
        await outbox.write(self.connection, rows)


class UnitOfWork:
    """Opens transactions of one service."""

    def __init__(self, pool: Pool, *, service: str, settings: Settings, clock: Clock) -> None:
        self.pool = pool
        self.service = service
        self.settings = settings
        self.clock = clock

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Work]:
        """Yield a :class:`Work`; commit when the block ends, roll back when it raises.

        Raises:
            TransactionTimeoutError: it took longer than the role's transactions may.
        """
        try:
            async with self.pool.acquire() as connection, connection.transaction():
                work = Work(
                    connection, service=self.service, settings=self.settings, now=self.clock.now()
                )
                yield work
                await work.flush()
                faults.reach("uow.before_commit")
        except (asyncpg.InterfaceError, asyncpg.ConnectionDoesNotExistError) as lost:
            if not _ran_out_of_time(lost):
                raise
            raise asyncpg.TransactionTimeoutError("the transaction took too long") from lost


def _ran_out_of_time(lost: BaseException) -> bool:
    """Whether the server closed a connection for its transaction's limit, said behind the loss."""
    reason: BaseException | None = lost
    while reason is not None and not isinstance(reason, asyncpg.TransactionTimeoutError):
        reason = reason.__cause__ or reason.__context__
    return reason is not None
