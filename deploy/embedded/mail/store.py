"""The catcher's memory: every accepted mail, on disk before the sender hears "250".

One writer thread commits whatever has queued up in one transaction, so that many connections
share one disk flush.
"""

import asyncio
import json
import queue
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at TEXT NOT NULL,
    mail_from TEXT NOT NULL,
    recipients TEXT NOT NULL,
    size INTEGER NOT NULL,
    raw BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_INSERT = (
    "INSERT INTO messages (received_at, mail_from, recipients, size, raw) VALUES (?, ?, ?, ?, ?)"
)
_COLUMNS = "id, received_at, mail_from, recipients, size, raw"
_BATCH = 200


@dataclass(frozen=True, slots=True)
class StoredMail:
    """One mail as it was handed over: envelope and bytes. ``received_at`` is aware UTC."""

    id: int
    received_at: datetime
    mail_from: str
    recipients: tuple[str, ...]
    size: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class _Waiting:
    row: tuple[str, str, str, int, bytes]
    done: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop


class MailStore:
    """Mails in one SQLite file.

    Args:
        path: the file, made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connect() as connection:
            connection.executescript(_SCHEMA)
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="mail-writer", daemon=True)
        self._writer.start()

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=10)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            with connection:
                yield connection
        finally:
            connection.close()

    # -- writing

    async def add(self, *, at: datetime, mail_from: str, recipients: list[str], raw: bytes) -> None:
        """Return once the mail is on disk; raise sqlite3.Error when it cannot be."""
        loop = asyncio.get_running_loop()
        row = (at.isoformat(), mail_from, json.dumps(recipients), len(raw), raw)
        waiting = _Waiting(row, loop.create_future(), loop)
        self._queue.put(waiting)
        await waiting.done

    def _write(self) -> None:
        with self._connect() as connection:
            while first := self._queue.get():
                self._commit(connection, self._batch(first))

    def _batch(self, first: _Waiting) -> list[_Waiting]:
        batch = [first]
        while len(batch) < _BATCH and not self._queue.empty():
            more = self._queue.get()
            if more is None:
                self._queue.put(None)
                break
            batch.append(more)
        return batch

    @staticmethod
    def _commit(connection: sqlite3.Connection, batch: list[_Waiting]) -> None:
        failure: sqlite3.Error | None = None
        try:
            with connection:
                connection.executemany(_INSERT, [waiting.row for waiting in batch])
        except sqlite3.Error as error:
            failure = error
        for waiting in batch:
            waiting.loop.call_soon_threadsafe(_settle, waiting.done, failure)

    async def clear(self) -> int:
        """Remove all mails and return how many there were; ids are not used again."""
        return await asyncio.to_thread(self._clear)

    def _clear(self) -> int:
        with self._connect() as connection:
            return connection.execute("DELETE FROM messages").rowcount

    def close(self) -> None:
        """Write what is queued and end the writer."""
        self._queue.put(None)
        self._writer.join(timeout=10)

    # -- reading

    async def get(self, mail_id: int) -> StoredMail | None:
        """Return one mail, None when there is none of that id."""
        sql = f"SELECT {_COLUMNS} FROM messages WHERE id = ?"
        found = await asyncio.to_thread(self._select, sql, (mail_id,))
        return found[0] if found else None

    async def after(self, since_id: int, limit: int, *, to: str = "") -> list[StoredMail]:
        """Return up to ``limit`` mails with an id above ``since_id``, oldest first.

        ``to``: those to this envelope recipient alone.
        """
        sql = (
            f"SELECT {_COLUMNS} FROM messages WHERE id > ? AND (? = '' OR EXISTS"
            " (SELECT 1 FROM json_each(recipients) WHERE value = ?)) ORDER BY id LIMIT ?"
        )
        return await asyncio.to_thread(self._select, sql, (since_id, to, to, limit))

    async def before(self, before_id: int | None, limit: int) -> list[StoredMail]:
        """Return up to ``limit`` mails below ``before_id`` (all when None), newest first."""
        sql = f"SELECT {_COLUMNS} FROM messages WHERE id < ? ORDER BY id DESC LIMIT ?"
        bound = 2**62 if before_id is None else before_id
        return await asyncio.to_thread(self._select, sql, (bound, limit))

    def _select(self, sql: str, values: tuple[int | str, ...]) -> list[StoredMail]:
        with self._connect() as connection:
            return [_mail(row) for row in connection.execute(sql, values)]

    async def count(self) -> int:
        """Return how many mails are kept."""
        return await asyncio.to_thread(self._count)

    def _count(self) -> int:
        with self._connect() as connection:
            return int(connection.execute("SELECT count(*) FROM messages").fetchone()[0])

    # -- settings

    def setting(self, name: str) -> str | None:
        """Return a setting that outlives the process, None when it was never set."""
        with self._connect() as connection:
            row = connection.execute("SELECT value FROM settings WHERE name = ?", (name,))
            found = row.fetchone()
        return str(found[0]) if found else None

    def keep_setting(self, name: str, value: str) -> None:
        """Keep a setting."""
        with self._connect() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))


def _settle(done: asyncio.Future[None], failure: sqlite3.Error | None) -> None:
    if done.done():
        return
    if failure:
        done.set_exception(failure)
    else:
        done.set_result(None)


def _mail(row: tuple[int, str, str, str, int, bytes]) -> StoredMail:
    mail_id, received_at, mail_from, recipients, size, raw = row
    at = datetime.fromisoformat(received_at).astimezone(UTC)
    return StoredMail(mail_id, at, mail_from, tuple(json.loads(recipients)), size, raw)
