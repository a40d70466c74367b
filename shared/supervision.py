"""A failed task is started again: what one of them meets ends neither the service nor the others.

What runs for as long as a service does is kept here. The errors a loop expects (a server that is
away) it survives by itself; this is for those that nobody expected.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from shared import metrics
from shared.errors import reason_of
from shared.logs import logger
from shared.retries import backoff
from shared.waiting import wait_or_stop

log = logger(__name__)

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 30.0
# A task that has run for so long is well again.
SETTLED_SECONDS: Final = 5.0

Running = Callable[[asyncio.Event], Awaitable[None]]


class CancelledWithin(Exception):
    """What a task awaited was cancelled, not the task: were it to end, nobody would notice."""


class Supervision:
    """Keeps the tasks of one service running, and knows which have failed.

    Times are in seconds: the first wait before a new start (doubled each time, with jitter, up to
    the longest), and how long a task must run to count as well again.
    """

    def __init__(
        self,
        service: str,
        *,
        first_seconds: float = FIRST_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
        settled_seconds: float = SETTLED_SECONDS,
    ) -> None:
        self._service = service
        self._first = first_seconds
        self._longest = longest_seconds
        self._settled = settled_seconds
        self._failing: dict[str, str] = {}
        self._spread = random.Random()

    @property
    def problems(self) -> list[str]:
        """Which tasks have failed and have not run well since, in words (for readiness)."""
        return [
            f"{name} failed ({reason}) and is started again"
            for name, reason in sorted(self._failing.items())
        ]

    async def keep(self, name: str, run: Running, stop: asyncio.Event) -> None:
        """Run a task until it returns; after a failure again, until ``stop`` is set.

        A task that fails at every start stays among the problems. Being cancelled passes through.
        """
        failures = 0
        while True:
            problem = await self._once(name, run, stop)
            if problem is None:
                return
            failures = failures + 1 if name in self._failing else 1
            again_in = self._failed(name, problem, failures)
            await wait_or_stop(stop, again_in)
            if stop.is_set():
                return

    async def _once(self, name: str, run: Running, stop: asyncio.Event) -> Exception | None:
        """Run a task once; return what it failed of."""
        settling = asyncio.get_running_loop().call_later(self._settled, self._is_well, name)
        try:
            await run(stop)
        except asyncio.CancelledError as problem:
            if _is_cancelled():
                raise
            return CancelledWithin().with_traceback(problem.__traceback__)
        except Exception as problem:  # noqa: BLE001 - what nobody expected is what this is for
            return problem
        finally:
            settling.cancel()
        self._is_well(name)
        return None

    def _failed(self, name: str, problem: Exception, failures: int) -> float:
        """Note a failure; return how many seconds to wait."""
        reason = reason_of(_first_of(problem))
        wait = backoff(
            failures - 1,
            base_seconds=self._first,
            longest_seconds=self._longest,
            spread=self._spread,
        )
        self._failing[name] = reason
        metrics.TASK_FAILURES.labels(self._service, name).inc()
        metrics.TASK_FAILING.labels(self._service, name).set(1)
        log.error(
            "task.failed",
            service=self._service,
            task=name,
            reason=reason,
            in_a_row=failures,
            again_in=round(wait, 2),
            exc_info=problem,
        )
        return wait

    def _is_well(self, name: str) -> None:
        if self._failing.pop(name, None) is not None:
            log.info("task.well_again", service=self._service, task=name)
        metrics.TASK_FAILING.labels(self._service, name).set(0)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _first_of(problem: Exception) -> Exception:
    """Return the first failure in a group of them."""
    while isinstance(problem, ExceptionGroup):
        problem = problem.exceptions[0]
    return problem
