"""The heartbeat watch: a stream view over what every service's workflow engine sends.

Faust keeps the last beat of each service in a table, with a changelog topic from which a restarted
watch recovers. It reads uncommitted records too: a beat of a batch that was aborted and sent again
is a sign of life all the same, and counts once, by its time.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import faust

from services.workflows.beats import BeatStore
from services.workflows.domain import Beat, fold
from shared.consumer import wait_or_stop
from shared.errors import reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.settings import Settings
from topics.cloudevents import Malformed, decode_envelope, decode_message
from topics.names import HEARTBEATS, HEARTBEATS_CHANGELOG
from topics.workflows import WorkflowHeartbeat

log = logger(__name__)

TABLE: Final = "heartbeats"
# Faust derives the changelog's name: <application id>-<table>-changelog.
APP_ID: Final = HEARTBEATS_CHANGELOG.name.removesuffix(f"-{TABLE}-changelog")
WRITE_SECONDS: Final = 1.0
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 6.0
AGAIN_SECONDS: Final = 2.0
_OFFSET: Final = "@"

for _name in ("faust", "mode"):
    # Their information is a page of tables at each start; what goes wrong is a warning.
    logging.getLogger(_name).setLevel(logging.WARNING)


class HeartbeatWatch:
    """What the view knows now; empty while it is not running."""

    def __init__(self) -> None:
        self._table: Any = None

    @property
    def live(self) -> bool:
        """Whether the view runs and has recovered its table."""
        return self._table is not None

    def beats(self) -> list[Beat]:
        """Return the last beat of each service whose partition this replica reads."""
        if self._table is None:
            return []
        return [
            _from_table(value) for key, value in self._table.items() if not key.startswith(_OFFSET)
        ]

    @asynccontextmanager
    async def showing(self, table: Any) -> AsyncIterator[None]:
        """Show a recovered table while the block lasts."""
        self._table = table
        try:
            yield
        finally:
            self._table = None


_WATCHES: WeakKeyDictionary[Runtime, HeartbeatWatch] = WeakKeyDictionary()


def watch_of(runtime: Runtime) -> HeartbeatWatch:
    """Return the watch of a running service."""
    return _WATCHES.setdefault(runtime, HeartbeatWatch())


def make_app(settings: Settings, folder: Path) -> tuple[Any, Any]:
    """Return the Faust application and its table; ``folder`` holds nothing but its own marks.

    It creates no topics (the catalogue lists them) and serves no web pages.
    """
    session_seconds = settings.kafka_session_timeout_ms / 1000
    app = faust.App(
        settings.kafka_namespace + APP_ID,
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
    topic = app.topic(settings.kafka_namespace + HEARTBEATS.name, value_type=bytes, **raw)
    table = app.Table(TABLE, key_type=str, partitions=HEARTBEATS_CHANGELOG.partitions)

    async def watch(stream: Any) -> None:
        async for event in stream.events():
            take(table, event.message)

    app.agent(topic, name=TABLE)(watch)
    return app, table


def take(table: Any, message: Any) -> None:
    """Put one record of the heartbeat topic into the table, unless it was put there before."""
    key = f"{_OFFSET}{message.partition}"
    if message.offset <= table.get(key, -1):
        return
    heartbeat = _heartbeat(message)
    if heartbeat is not None:
        known = table.get(heartbeat.service)
        beat = fold(_from_table(known) if known else None, heartbeat)
        table[heartbeat.service] = asdict(beat) | {"at": beat.at.isoformat()}
    # After the beat: a crash in between repeats a beat that is not newer, and loses none.
    table[key] = message.offset


def _heartbeat(message: Any) -> WorkflowHeartbeat | None:
    try:
        found = decode_message(decode_envelope(message.headers or (), message.value))
    except Malformed:
        return None  # the transactional consumer puts it into the dead letters
    return found if isinstance(found, WorkflowHeartbeat) else None


def _from_table(value: dict[str, Any]) -> Beat:
    return Beat(
        value["service"],
        value["instance"],
        tuple(value["names"]),
        value["interval_seconds"],
        datetime.fromisoformat(value["at"]),
        value["beats"],
    )


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


async def watch_heartbeats(runtime: Runtime, stop: asyncio.Event) -> None:
    """Keep the view running until ``stop`` is set; after a failure it starts again."""
    watch = watch_of(runtime)
    while not stop.is_set():
        try:
            await _run_once(runtime, watch, stop)
        except Exception as problem:  # noqa: BLE001 - a live picture takes no service down
            log.warning("heartbeat_watch.interrupted", error=reason_of(problem))
        await wait_or_stop(stop, AGAIN_SECONDS)


async def _run_once(runtime: Runtime, watch: HeartbeatWatch, stop: asyncio.Event) -> None:
    with tempfile.TemporaryDirectory(prefix="muster-views-") as folder:
        app, table = make_app(runtime.settings, Path(folder))
        try:
            if await _started(app, stop):
                async with watch.showing(table):
                    await _show(runtime, watch, app, stop)
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


async def _show(runtime: Runtime, watch: HeartbeatWatch, app: Any, stop: asyncio.Event) -> None:
    log.info("heartbeat_watch.ready", services=len(watch.beats()))
    while not stop.is_set():
        if app.crashed:
            raise app.crash_reason or RuntimeError
        async with runtime.uow.begin() as work:
            await BeatStore(work.connection).show(watch.beats(), work.now)
        await wait_or_stop(stop, WRITE_SECONDS)


async def _stop(app: Any) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await app.stop()
