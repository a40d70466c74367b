"""Live pictures over a topic: Faust keeps a table, with a changelog topic from which it recovers.

A service's ``views.py`` says what a record does to the table; a task of the service keeps the view
running. Faust reads uncommitted records too, and a relay may send one twice: whoever puts a record
into the table recognises one it has taken (see ADR 0003).

Each entry says after which record of the topic it was written. A replica that was frozen sends,
once it goes on, what it had written before: it comes behind its successor's entries in the
changelog, where the last would win. And a view reads on from where its recovered table stands:
Faust may commit an offset before the broker has what the table became by it (it waits a tenth of a
second for it), and a kill in between would lose the record.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faust

from shared import topics_admin
from shared.errors import reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.settings import Settings
from shared.waiting import wait_or_stop
from topics.names import Topic

log = logger(__name__)

WRITE_SECONDS: Final = 1.0
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 6.0
AGAIN_SECONDS: Final = 2.0
TOPICLESS_SECONDS: Final = 15.0
_OFFSET: Final = "@"
APPLY: Final = "muster topics apply"

for _name in ("faust", "mode"):
    # Their information is a page of tables at each start; what goes wrong is a warning.
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class LiveView:
    """A view over one topic.

    Attributes:
        name: as logs call it.
        topic: what it reads.
        changelog: what it recovers from; its name follows from the application and the table.
        table: the table's name.
        put: puts a record of the topic into the table.
    """

    name: str
    topic: Topic
    changelog: Topic
    table: str
    put: Callable[[Any, Any], None]

    @property
    def app_id(self) -> str:
        """The application's id: Faust names the changelog ``<application>-<table>-changelog``."""
        return self.changelog.name.removesuffix(f"-{self.table}-changelog")


class LiveTable:
    """What a view knows now; empty while it is not running."""

    def __init__(self) -> None:
        self._table: Any = None

    @property
    def live(self) -> bool:
        """Whether the view runs and has recovered its table."""
        return self._table is not None

    def items(self) -> list[tuple[str, Any]]:
        """Return what the table holds of the partitions that this replica reads."""
        return [] if self._table is None else list(contents(self._table).items())

    @asynccontextmanager
    async def showing(self, table: Any) -> AsyncIterator[None]:
        """Show a recovered table while the block lasts."""
        self._table = table
        try:
            yield
        finally:
            self._table = None


Show = Callable[[], Awaitable[None]]


class MarkedTable(faust.Table[str, Any]):
    """A table that recovers the furthest entry of each key, wherever it stands in the changelog."""

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Take up entries of the changelog, but for those that are behind what is known."""
        furthest: dict[str, int] = {}
        news = []
        for event in batch:
            mark = _mark(event.value)
            known = furthest.get(event.key, _mark(self.data.get(event.key)))
            if event.message.value is None or mark >= known:
                furthest[event.key] = mark
                news.append(event)
        super().apply_changelog_batch(news)


class _Entries:
    """A table as one record of its topic is put into it: what is written bears its offset."""

    def __init__(self, table: Any, offset: int) -> None:
        self._table = table
        self._offset = offset

    def get(self, key: str, default: Any = None) -> Any:
        entry = self._table.get(key)
        return default if entry is None else _value(entry)

    def items(self) -> Iterable[tuple[str, Any]]:
        return contents(self._table).items()

    def __getitem__(self, key: str) -> Any:
        return _value(self._table[key])

    def __setitem__(self, key: str, value: Any) -> None:
        self._table[key] = [self._offset, value]

    def __delitem__(self, key: str) -> None:
        del self._table[key]


def _value(entry: Any) -> Any:
    """Return what an entry holds; before they had marks, it was the whole of it."""
    return entry[1] if isinstance(entry, list) else entry


def _mark(entry: Any) -> int:
    """Return after which record an entry was written; that of a partition says nothing else."""
    mark = entry[0] if isinstance(entry, list) else entry
    return mark if isinstance(mark, int) else -1


def make_app(view: LiveView, settings: Settings, folder: Path) -> tuple[Any, Any]:
    """Return the Faust application and its table; ``folder`` holds nothing but its own marks.

    It creates no topics (the catalogue lists them) and serves no web pages.
    """
    session_seconds = settings.kafka_session_timeout_ms / 1000
    app = faust.App(
        settings.kafka_namespace + view.app_id,
        Table=MarkedTable,
        broker=[f"kafka://{host}" for host in settings.kafka_bootstrap.split(",")],
        broker_credentials=_credentials(settings),
        broker_session_timeout=session_seconds,
        broker_heartbeat_interval=max(0.3, session_seconds / 4),
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        datadir=str(folder),
        store="memory://",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        autodiscover=False,
    )
    raw: dict[str, Any] = {"key_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    topic = app.topic(settings.kafka_namespace + view.topic.name, value_type=bytes, **raw)
    table = app.Table(view.table, key_type=str, partitions=view.changelog.partitions)

    async def watch(stream: Any) -> None:
        async for event in stream.events():
            take(view, table, event.message)

    async def read_on() -> None:
        consumer: Any = app.consumer
        mine = {part for part in consumer.assignment() if part.topic == topic.get_topic_name()}
        stands = {part: table.get(f"{_OFFSET}{part.partition}") for part in mine}
        known = {part: offset + 1 for part, offset in stands.items() if offset is not None}
        if known:
            await consumer._commit(known)  # Faust seeks to it next

    app.agent(topic, name=view.table)(watch)
    table.on_recover(read_on)
    return app, table


def take(view: LiveView, table: Any, message: Any) -> None:
    """Put one record into the table, unless its partition was read further before."""
    key = f"{_OFFSET}{message.partition}"
    if message.offset <= table.get(key, -1):
        return
    view.put(_Entries(table, message.offset), message)
    # After the record: a crash in between repeats it, and loses none.
    table[key] = message.offset


def contents(table: Any) -> dict[str, Any]:
    """Return what records put into a table, by key."""
    return {key: _value(entry) for key, entry in table.items() if not key.startswith(_OFFSET)}


def _credentials(settings: Settings) -> Any:
    protocol = settings.kafka_security_protocol
    context = ssl.create_default_context() if protocol.endswith("SSL") else None
    if protocol.startswith("SASL") and settings.kafka_password:
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=settings.kafka_password.get_secret_value(),
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return faust.SSLCredentials(context) if context else None


async def keep_running(
    runtime: Runtime, view: LiveView, table: LiveTable, show: Show, stop: asyncio.Event
) -> None:
    """Keep a view running until ``stop`` is set, and show it each second.

    After a failure it starts again: a live picture takes no service down. It does not start
    without its topics: Faust would fail at each record, and say so.
    """
    while not stop.is_set():
        seconds = AGAIN_SECONDS
        try:
            async with asyncio.timeout(STOP_SECONDS):
                lacking = await topics_admin.missing(runtime.settings, view.topic, view.changelog)
            if lacking:
                log.error("live_view.no_topic", view=view.name, topics=lacking, do=APPLY)
                seconds = TOPICLESS_SECONDS
            else:
                await _run_once(runtime, view, table, show, stop)
        except Exception as problem:  # noqa: BLE001 - whatever it was, the service goes on
            log.warning("live_view.interrupted", view=view.name, error=reason_of(problem))
        await wait_or_stop(stop, seconds)


async def _run_once(
    runtime: Runtime, view: LiveView, shown: LiveTable, show: Show, stop: asyncio.Event
) -> None:
    with tempfile.TemporaryDirectory(prefix="muster-views-") as folder:
        app, table = make_app(view, runtime.settings, Path(folder))
        try:
            if await _started(app, stop):
                async with shown.showing(table):
                    log.info("live_view.ready", view=view.name, entries=len(shown.items()))
                    await _show(app, show, stop)
        finally:
            await _stop(app)


async def _started(app: Any, stop: asyncio.Event) -> bool:
    """Start the application and wait for its table; return False when told to stop meanwhile."""
    start = asyncio.create_task(app.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        async with asyncio.timeout(START_SECONDS):
            await asyncio.wait({start, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not start.done():
            start.cancel()
            await asyncio.wait({start}, timeout=STOP_SECONDS)
    if start.cancelled() or not start.done():
        return False
    start.result()
    return not app.should_stop


async def _show(app: Any, show: Show, stop: asyncio.Event) -> None:
    while not stop.is_set():
        if app.crashed:
            raise app.crash_reason or RuntimeError
        await show()
        await wait_or_stop(stop, WRITE_SECONDS)


async def _stop(app: Any) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await app.stop()
