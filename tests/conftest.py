"""Servers for the tests: what the environment names, else Docker's, else the embedded ones."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from shared.clock import Clock
from shared.service import Runtime, Service, open_runtime
from tests.instances import Instance, fresh_instance, make_schemas
from tests.servers import FOLDER, Servers, running_servers, servers_folder, stop_servers

REPOSITORY = Path(__file__).parent.parent
ROOT = Path(os.environ.setdefault(FOLDER, str(servers_folder(REPOSITORY))))
LONGEST = (
    "tests/faults/test_seeds.py",
    "tests/faults/delivery/test_engine_seeds.py",
    "tests/e2e/test_main_job.py",
)

# No test depends on how busy the machine is. What CI draws is what it drew before, so that a change
# is judged by what it changes; on a desk each run draws anew.
settings.register_profile(
    "patient",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Kafka, PostgreSQL and a mail catcher, shared by the whole session."""
    with running_servers(ROOT) as found:
        yield found


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the servers that parallel workers shared."""
    if (
        not hasattr(session.config, "workerinput")
        and session.config.getoption("dist", "no") != "no"
    ):
        stop_servers(ROOT)


@pytest.fixture
async def instance(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[Instance]:
    """An instance without schemas or topics, this test's own."""
    bare = "open_service" not in request.fixturenames
    async with fresh_instance(servers, database=bare) as made:
        yield made


Open = Callable[..., Awaitable[Runtime]]


@pytest.fixture
async def open_service(instance: Instance) -> AsyncIterator[Open]:
    """Migrate a service's schema and open its runtime (no consumer running)."""
    async with AsyncExitStack() as stack:

        async def open_one(service: Service, clock: Clock | None = None, **more: str) -> Runtime:
            settings = instance.settings(service.settings, **more)
            await make_schemas(settings, {service.name: service.migrations})
            runtime = await open_runtime(service, settings, clock=clock)
            stack.push_async_callback(runtime.pool.close)
            await runtime.engine.register()
            return runtime

        yield open_one


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest begin: side by side, they decide when all is done."""
    rank = {REPOSITORY / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_report_header() -> list[str]:
    """Say where the servers come from."""
    named = [name for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL") if name in os.environ]
    return [f"servers: {', '.join(named) if named else 'embedded or Docker'}"]
