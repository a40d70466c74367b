"""Instances of Muster for tests: a database and a topic namespace each, gone afterwards.

Databases are copied from templates that were migrated once: migrating one for each test would cost
more than most tests do.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared import topics_admin
from shared.migrations import CORE, migrate, migrations_in
from shared.settings import Settings, database_name, role_name
from tests.servers import Servers
from topics.names import Topic

SECRET = "a-secret-for-tests-only-0123456789"
CREATE = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"  # a fifth of the cost of WAL_LOG
_with_topics: set[str] = set()
_templates: set[tuple[str, str]] = set()


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


@asynccontextmanager
async def fresh_instance(
    servers: Servers, *, namespace: str | None = None, database: bool = True
) -> AsyncIterator[Instance]:
    """Yield an instance without schemas or topics; database, roles and topics go afterwards.

    ``namespace`` is that of the topics, which then stay; by default the database's name. Without
    ``database``, :func:`make_schemas` makes it.
    """
    name = f"t{uuid4().hex[:12]}"
    if database:
        async with _owner(servers.database_url) as owner:
            await owner.execute(CREATE.format(name, "template0"))
    try:
        yield Instance(
            _url(servers.database_url, name),
            servers.kafka_bootstrap,
            namespace or f"{name}.",
            servers.smtp_host,
            servers.smtp_port,
            servers.mail_url,
        )
    finally:
        if namespace is None and f"{name}." in _with_topics:
            _with_topics.discard(f"{name}.")
            with suppress(KafkaError):  # a broker that is gone took them along
                await _remove_topics(servers.kafka_bootstrap, f"{name}.")
        # Another connection: the server may have been restarted meanwhile.
        async with _owner(servers.database_url) as owner:
            await owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            roles = await owner.fetch(
                "SELECT rolname FROM pg_roles WHERE rolname LIKE $1", f"{name}\\_%"
            )
            if roles:
                await owner.execute(f"DROP ROLE {', '.join(row['rolname'] for row in roles)}")


async def make_schemas(settings: Settings, services: Mapping[str, Path]) -> None:
    """Give an instance's database the schemas of services, as ``migrate`` does.

    One that is not there yet, or is empty, becomes a copy of one that was migrated before.
    """
    name = database_name(settings.database_url)
    async with _owner(_url(settings.database_url, "postgres")) as owner:
        if not await _is_empty(owner, settings.database_url):
            await migrate(settings, services)
            return
        template = await _template(owner, settings, services)
        await owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await owner.execute(CREATE.format(name, template))
        await migrate(settings, services)
        for service in services:
            # What a migration granted by itself, it granted to the roles of the template.
            granted = role_name(_url(settings.database_url, f"{template}_part"), service)
            to = role_name(settings.database_url, service)
            await owner.execute(f"GRANT {granted} TO {to}")


async def _is_empty(owner: asyncpg.Connection[asyncpg.Record], url: str) -> bool:
    if not await owner.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database_name(url)):
        return True
    async with _owner(url) as inside:
        empty: bool = await inside.fetchval(
            "SELECT count(*) = 0 FROM pg_namespace"
            " WHERE nspname NOT IN ('public', 'information_schema') AND nspname NOT LIKE 'pg_%'"
        )
    return empty


async def make_topics(settings: Settings, *topics: Topic) -> None:
    """Create topics, with their dead-letter topics, in a test's namespace."""
    named = dict.fromkeys(topics)
    await create_topics(settings, [*named, *(topic.dead_letters for topic in named)])


def expect_topics(namespace: str) -> None:
    """Say that something creates topics in a namespace: they are removed with its instance."""
    _with_topics.add(namespace)


async def create_topics(settings: Settings, topics: Sequence[Topic]) -> None:
    """Create exactly these topics in a test's namespace."""
    expect_topics(settings.kafka_namespace)
    await topics_admin.apply(settings, topics=topics)


async def _template(
    owner: asyncpg.Connection[asyncpg.Record], settings: Settings, services: Mapping[str, Path]
) -> str:
    """Return a migrated database that nobody is connected to; made once for these files."""
    name = f"template_{_hash_of(services)}"
    if (settings.database_url.rpartition("/")[0], name) in _templates:
        return name
    # Workers side by side share a server.
    await owner.execute("SELECT pg_advisory_lock(hashtext($1))", name)
    if not await owner.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        part = f"{name}_part"
        await owner.execute(f"DROP DATABASE IF EXISTS {part} WITH (FORCE)")
        await owner.execute(CREATE.format(part, "template0"))
        url = _url(settings.database_url, part)
        await migrate(settings.model_copy(update={"database_url": url}), services)
        await owner.execute(f"ALTER DATABASE {part} RENAME TO {name}")
    await owner.execute("SELECT pg_advisory_unlock(hashtext($1))", name)
    _templates.add((settings.database_url.rpartition("/")[0], name))
    return name


def _hash_of(services: Mapping[str, Path]) -> str:
    found = hashlib.sha256()
    for service, folder in sorted(services.items()):
        for migration in migrations_in(CORE, "core") + migrations_in(folder, service):
            found.update(f"{service} {migration.name} {migration.sha256}\n".encode())
    return found.hexdigest()[:12]


async def _remove_topics(bootstrap: str, namespace: str) -> None:
    """Leave the broker as light as it was: an instance has up to 400 partitions."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        names = [one for one in await client.list_topics() if one.startswith(namespace)]
        if names:
            await client.delete_topics(names, timeout_ms=30_000)
    finally:
        await client.close()


@asynccontextmanager
async def _owner(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def _url(url: str, database: str) -> str:
    return url.rpartition("/")[0] + f"/{database}"
