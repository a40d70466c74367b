"""A task that fails is started again, the others go on, and readiness says which it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import structlog
from prometheus_client import REGISTRY

from shared.supervision import Supervision
from tests.waiting import eventually

Fail = Callable[[], None]


class Task:
    """Fails a number of times in a way of its own, then runs until it is told to stop."""

    def __init__(self, failures: int, fail: Fail) -> None:
        self.starts = 0
        self.seen: list[list[str]] = []
        self.supervision = Supervision("bot", first_seconds=0.001, settled_seconds=0.05)
        self._failures = failures
        self._fail = fail

    async def run(self, stop: asyncio.Event) -> None:
        self.starts += 1
        self.seen.append(self.supervision.problems)
        if self.starts <= self._failures:
            self._fail()
        await stop.wait()


def divide() -> None:
    raise ZeroDivisionError


def group() -> None:
    raise ExceptionGroup("two", [ExceptionGroup("inner", [KeyError("k")]), ValueError()])


def cancelled_from_within() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (divide, "ZeroDivisionError"),
        (group, "KeyError"),
        (cancelled_from_within, "CancelledWithin"),
    ],
)
async def test_a_failed_task_is_started_again_and_named_until_it_has_run_well(
    fail: Fail, reason: str
) -> None:
    task, stop = Task(3, fail), asyncio.Event()
    name = f"posting {reason}"
    labels = {"service": "bot", "task": name}
    with structlog.testing.capture_logs() as logs:
        kept = asyncio.create_task(task.supervision.keep(name, task.run, stop))
        await eventually(lambda: task.starts == 4, what="the fourth start")
        await eventually(lambda: not task.supervision.problems, what="being well again")
    problem = [f"{name} failed ({reason}) and is started again"]
    # Between a start and the next failure it stands too: readiness does not flicker.
    assert task.seen == [[], problem, problem, problem]
    failed = [one for one in logs if one["event"] == "task.failed"]
    assert [one["in_a_row"] for one in failed] == [1, 2, 3]
    assert all(one["exc_info"].__traceback__ for one in failed)
    assert REGISTRY.get_sample_value("muster_task_failures_total", labels) == 3
    assert REGISTRY.get_sample_value("muster_task_failing", labels) == 0
    stop.set()
    await kept


async def test_waits_double_up_to_the_longest_and_are_spread() -> None:
    stop = asyncio.Event()
    supervision = Supervision("bot", first_seconds=0.001, longest_seconds=0.004)
    starts = 0

    async def run(_: asyncio.Event) -> None:
        nonlocal starts
        starts += 1
        raise ZeroDivisionError

    waits = [supervision._failed("x", ValueError(), number) for number in range(1, 12)]
    for number, wait in enumerate(waits):
        ceiling = min(0.001 * 2**number, 0.004)
        assert ceiling / 2 <= wait <= ceiling
    assert len(set(waits)) == len(waits)
    kept = asyncio.create_task(supervision.keep("x", run, stop))
    await eventually(lambda: starts > 20, what="going on for long")
    assert supervision.problems
    stop.set()
    await kept


async def test_a_task_that_returns_is_not_started_again() -> None:
    calls = []

    async def run(stop: asyncio.Event) -> None:
        calls.append(stop)

    stop = asyncio.Event()
    await Supervision("bot").keep("once", run, stop)
    assert calls == [stop]


async def test_being_cancelled_passes_through() -> None:
    task = Task(0, divide)
    kept = asyncio.create_task(task.supervision.keep("x", task.run, asyncio.Event()))
    await eventually(lambda: task.starts == 1, what="the start")
    kept.cancel()
    with pytest.raises(asyncio.CancelledError):
        await kept
    assert task.starts == 1


async def test_what_fails_while_it_stops_is_logged_and_left() -> None:
    stop = asyncio.Event()

    async def run(told: asyncio.Event) -> None:
        await told.wait()
        divide()

    with structlog.testing.capture_logs() as logs:
        kept = asyncio.create_task(Supervision("bot", first_seconds=300).keep("x", run, stop))
        stop.set()
        await kept
    assert [one["event"] for one in logs] == ["task.failed"]
