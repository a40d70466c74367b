"""State machines over real rows: a service is opened once, sequences of rules are played on it.

Commands are handed to the service without its inbox, so that only their own keys protect it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from shared.clock import Clock
from shared.database import Connection
from shared.service import Runtime, Service, open_runtime
from shared.uow import Work
from shared.workflows import Step
from tests.instances import fresh_instance, make_schemas
from tests.servers import Servers

T = TypeVar("T")
STEPS = 40


class Machine(RuleBasedStateMachine):
    """Rules that act on an opened service."""

    loop: asyncio.Runner
    runtime: Runtime

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine comes to."""
        return self.loop.run(doing)

    def exhaust(self, step: Callable[[Work], Coroutine[Any, Any, Step]]) -> None:
        """Run a technical workflow's function until nothing is left."""

        async def work() -> None:
            more = True
            while more:
                async with self.runtime.uow.begin() as unit:
                    more = (await step(unit)).more

        self.run(work())

    def read(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return rows."""
        return [tuple(row) for row in self.run(self.runtime.pool.fetch(query, *arguments))]

    def broken(self, check: Callable[[Connection], Coroutine[Any, Any, list[str]]]) -> list[str]:
        """Return what a service's invariants say does not hold."""

        async def checked() -> list[str]:
            async with self.runtime.pool.acquire() as connection:
                return await check(connection)

        return self.run(checked())


async def nothing(runtime: Runtime) -> None:
    """Leave a service as it opened."""


def play(
    machine: type[Machine],
    service: Service,
    servers: Servers,
    *,
    examples: int,
    prepare: Callable[[Runtime], Coroutine[Any, Any, None]] = nothing,
    clock: Clock | None = None,
) -> None:
    """Play sequences of a machine's rules on an instance of its service."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        try:
            machine.loop, machine.runtime = (
                runner,
                runner.run(_opened(stack, service, servers, clock)),
            )
            runner.run(prepare(machine.runtime))
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(stack.aclose())


async def _opened(
    stack: AsyncExitStack, service: Service, servers: Servers, clock: Clock | None
) -> Runtime:
    instance = await stack.enter_async_context(fresh_instance(servers))
    chosen = instance.settings(service.settings)
    await make_schemas(chosen, {service.name: service.migrations})
    runtime = await open_runtime(service, chosen, clock=clock)
    stack.push_async_callback(runtime.pool.close)
    await runtime.engine.register()
    return runtime
