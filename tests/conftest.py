"""Servers for the tests: what the environment names, else Docker's, else the embedded ones."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from shared import topics_admin
from shared.clock import Clock
from shared.migrations import migrate
from shared.service import Runtime, Service, open_runtime
from shared.settings import Settings
from tests.servers import Servers, running_servers, stop_servers
from topics.names import Topic

SECRET = "a-secret-for-tests-only-0123456789"
REPOSITORY = Path(__file__).parent.parent
ROOT = REPOSITORY / ".muster" / "test"
LONGEST = (
    "tests/faults/test_seeds.py",
    "tests/faults/delivery/test_engine_seeds.py",
    "tests/e2e/test_main_job.py",
)

# No test depends on how busy the machine is.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
async def database(servers: Servers) -> AsyncIterator[str]:
    """An empty database of this test's own; dropped afterwards, its roles too."""
    name = f"t{uuid4().hex[:12]}"
    owner = await asyncpg.connect(servers.database_url)
    await owner.execute(f"CREATE DATABASE {name}")
    yield servers.database_url.rpartition("/")[0] + f"/{name}"
    await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    roles = await owner.fetch("SELECT rolname FROM pg_roles WHERE rolname LIKE $1", f"{name}\\_%")
    for row in roles:
        await owner.execute(f"DROP ROLE {row['rolname']}")
    await owner.close()


@dataclass(frozen=True, slots=True)
class Instance:
    """An empty instance of Muster: a database and a topic namespace of this test's own."""

    database_url: str
    kafka_bootstrap: str
    namespace: str
    smtp_host: str
    smtp_port: int
    mail_url: str

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables that point a process at this instance."""
        return {
            "DATABASE_URL": self.database_url,
            "KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "KAFKA_NAMESPACE": self.namespace,
            "KAFKA_SESSION_TIMEOUT_MS": "3000",
            "MUSTER_SECRET_KEY": SECRET,
            "WORKFLOW_SWEEP_SECONDS": "0.5",
            "RETRY_BASE_SECONDS": "0.05",
            "RELAY_LEASE_SECONDS": "2",
            "SMTP_HOST": self.smtp_host,
            "SMTP_PORT": str(self.smtp_port),
        } | more

    def settings(self, kind: type[Settings] = Settings, **more: str) -> Settings:
        """Return settings for this instance, read as a process would read them."""
        names = self.environment(**more)
        return kind.model_validate({name.lower(): value for name, value in names.items()})


@pytest.fixture
def instance(servers: Servers, database: str) -> Instance:
    """An instance without schemas or topics; see :func:`start`."""
    return Instance(
        database,
        servers.kafka_bootstrap,
        f"{database.rpartition('/')[2]}.",
        servers.smtp_host,
        servers.smtp_port,
        servers.mail_url,
    )


Open = Callable[..., Awaitable[Runtime]]


@pytest.fixture
async def open_service(instance: Instance) -> AsyncIterator[Open]:
    """Migrate a service's schema and open its runtime (no consumer running)."""
    async with AsyncExitStack() as stack:

        async def open_one(service: Service, clock: Clock | None = None, **more: str) -> Runtime:
            settings = instance.settings(service.settings, **more)
            await migrate(settings, {service.name: service.migrations})
            runtime = await open_runtime(service, settings, clock=clock)
            stack.push_async_callback(runtime.pool.close)
            await runtime.engine.register()
            return runtime

        yield open_one


async def make_topics(settings: Settings, *topics: Topic) -> None:
    """Create topics, with their dead-letter topics, in a test's namespace."""
    named = dict.fromkeys(topics)
    wanted = [*named, *(topic.dead_letters for topic in named)]
    await topics_admin.apply(settings, topics=wanted)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest begin: side by side, they decide when all is done."""
    rank = {REPOSITORY / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_report_header() -> list[str]:
    """Say where the servers come from."""
    named = [name for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL") if name in os.environ]
    return [f"servers: {', '.join(named) if named else 'embedded or Docker'}"]
