"""Errors by what the consumer does next: answer, retry, dead-letter, or try the batch again."""

from __future__ import annotations

import asyncpg
from pydantic_core import PydanticSerializationError


class Refused(Exception):
    """The rules say no. Answered to whoever asked, never retried; raised before any write.

    Attributes:
        field: the field to mend, when there is one.
        code: a stable word for programs, and for readers of another language.
        values: what the sentence of that code speaks of (states as their codes).
    """

    def __init__(
        self, reason: str, *, field: str | None = None, code: str = "refused", **values: str
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field
        self.code = code
        self.values = values


class NotAllowed(Refused):
    """The actor lacks the right."""

    def __init__(self, reason: str, **values: str) -> None:
        super().__init__(reason, code="not_allowed", **values)


class Permanent(Exception):
    """The message can never be handled: to the dead letters with this reason."""


class Transient(Exception):
    """The message may be handled later: parked with its key, tried again with back-off."""


INFRASTRUCTURE: tuple[type[BaseException], ...] = (
    ConnectionError,
    TimeoutError,
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # raised for a connection that broke while a statement was bound
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What says nothing about the message: the whole batch is tried again."""

INTERRUPTIONS: tuple[type[BaseException], ...] = (
    *INFRASTRUCTURE,
    asyncpg.QueryCanceledError,
    asyncpg.TransactionTimeoutError,
)
"""What a loop survives. What ran out of time may be the message's fault, or its batch's, so in a
handler it is no ``INFRASTRUCTURE``; outside handlers it ends this turn, never the process."""


DATA: tuple[type[Exception], ...] = (
    asyncpg.DataError,
    UnicodeError,
    PydanticSerializationError,
)
"""What was asked holds what no row can: a NUL, half a surrogate pair, too large a number."""


def is_permanent(problem: BaseException) -> bool:
    """Whether trying the message again cannot help: our own verdict, or data the rows refuse."""
    return isinstance(
        problem,
        (Permanent, Refused, asyncpg.IntegrityConstraintViolationError, *DATA),
    )


def storable(text: str) -> str:
    """Return a text as a row can hold it; a reason may quote what came from outside."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def reason_of(problem: BaseException) -> str:
    """Return a reason fit for a dead letter, without row data (a detail line holds values)."""
    if isinstance(problem, DATA):
        return f"a text or number that cannot be stored ({type(problem).__name__})"
    if isinstance(problem, asyncpg.PostgresError):
        constraint = getattr(problem, "constraint_name", None)
        return f"{type(problem).__name__}{f' on {constraint}' if constraint else ''}"
    if isinstance(problem, Permanent | Refused | Transient):
        return storable(str(problem)[:500])
    return type(problem).__name__
