"""A service process with the tests' extras: what the nursery's children run.

``MUSTER_TEST_KIND`` aims ``MUSTER_FAULT`` at one kind of work, ``MUSTER_TEST_TRANSIENT`` makes the
first handling of that many messages fail for now, ``MUSTER_TEST_HANDLED`` names a file that takes a
line for each batch that was handled: how many records it had. ``MUSTER_TEST_WITHOUT`` names a
protection of the delivery engine to be switched off, ``MUSTER_TEST_CLOCK`` a file with the seconds
by which the service's clock is wrong.
Leases and the limit of an idle transaction are short, so that a successor takes over within a
test's patience; ``MUSTER_TEST_OWN_LIMITS`` keeps the product's. ``MUSTER_TEST_UNBOUND`` has every
commit begin in the middle of a query, as it is for a worker frozen between Parse and Bind.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.cli.main import main
from shared import consumer, database, engine, faults
from shared.batch import Item
from shared.errors import Transient
from shared.kafka import Record
from shared.uow import Work
from tests.faults import kinds
from tests.faults.delivery import jumping, protections
from tests.faults.events import protections as of_events
from tests.faults.events import watching
from tests.faults.kinds import Kind

WORKFLOW_LEASE_SECONDS: Final = 3.0
WORKFLOW_LEASE_VARIABLE: Final = "MUSTER_TEST_WORKFLOW_LEASE"
WITHOUT_VARIABLE: Final = "MUSTER_TEST_WITHOUT"
CLOCK_VARIABLE: Final = "MUSTER_TEST_CLOCK"
IDLE_TIMEOUT: Final = "3s"
OWN_LIMITS_VARIABLE: Final = "MUSTER_TEST_OWN_LIMITS"
UNBOUND_VARIABLE: Final = "MUSTER_TEST_UNBOUND"
HANDLED_VARIABLE: Final = "MUSTER_TEST_HANDLED"
TRANSIENT_VARIABLE: Final = "MUSTER_TEST_TRANSIENT"


def fail_for_now(count: int) -> None:
    """Make the next ``count`` commands fail until they are retried, alone, from their rows."""
    inner, failing = consumer.handle_run, set[tuple[str, str]]()

    async def handle_run(run: Sequence[Item], work: Work) -> None:
        item = run[0]
        if ".commands." in item.record.topic and not kinds.is_in(Kind.RETRY):
            if len(failing) < count:
                failing.add(item.identity)
            if item.identity in failing:
                raise Transient("not yet, says the test")
        await inner(run, work)

    consumer.handle_run = handle_run


def note_batches(path: Path) -> None:
    """Write down how many records each batch had that this process handled."""
    inner = consumer.Batcher.handle

    async def handle(self: consumer.Batcher, records: Sequence[Record]) -> set[Record]:
        buried = await inner(self, records)
        with path.open("a") as file:
            file.write(f"{len(records)}\n")
        return buried

    consumer.Batcher.handle = handle  # type: ignore[method-assign]  # in a child process only


def leave_a_query_unbound() -> None:
    """Leave the server waiting for the rest of a query before each commit."""
    inner = Work.flush

    async def flush(self: Work) -> None:
        await inner(self)
        # asyncpg ends a Parse with a Flush, not with a Sync.
        await self.connection.prepare("SELECT 1")

    Work.flush = flush  # type: ignore[method-assign]  # in a child process only


def run(arguments: Sequence[str]) -> None:
    """Do what the environment asks for, then run ``muster`` with arguments."""
    # Read when the core was imported, long before this child was born.
    if os.environ.get("MUSTER_FAULT"):
        faults._plan = faults._Plan(os.environ["MUSTER_FAULT"])
    lease_seconds = float(os.environ.get(WORKFLOW_LEASE_VARIABLE, WORKFLOW_LEASE_SECONDS))
    engine.LEASE_SECONDS = lease_seconds  # type: ignore[misc]  # in a child process only
    if not os.environ.get(OWN_LIMITS_VARIABLE):
        database.IDLE_TIMEOUT = IDLE_TIMEOUT  # type: ignore[misc]  # in a child process only
    if os.environ.get(UNBOUND_VARIABLE):
        leave_a_query_unbound()
    kinds.install()
    watching.install()
    if os.environ.get(HANDLED_VARIABLE):
        note_batches(Path(os.environ[HANDLED_VARIABLE]))
    if os.environ.get(WITHOUT_VARIABLE):
        (protections.WITHOUT | of_events.WITHOUT)[os.environ[WITHOUT_VARIABLE]]()
    if os.environ.get(CLOCK_VARIABLE):
        jumping.install(Path(os.environ[CLOCK_VARIABLE]))
    if os.environ.get(TRANSIENT_VARIABLE):
        fail_for_now(int(os.environ[TRANSIENT_VARIABLE]))
    sys.argv = ["muster", *arguments]
    main()
