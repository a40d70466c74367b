"""A database and a topic namespace of a benchmark's own, dropped afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

from shared.migrations import migrate
from shared.service import Service
from shared.settings import Settings
from tests.servers import Servers

SECRET = "a-secret-for-benchmarks-only"


@asynccontextmanager
async def instance(
    servers: Servers, service: Service, **more: str
) -> AsyncIterator[tuple[Settings, asyncpg.Connection[asyncpg.Record]]]:
    """Yield a service's settings over an empty, migrated database, and the owner's connection."""
    name = f"bench{uuid4().hex[:10]}"
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute(f"CREATE DATABASE {name}")
    url = servers.database_url.rpartition("/")[0] + f"/{name}"
    settings = service.settings.model_validate(
        {
            "database_url": url,
            "kafka_bootstrap": servers.kafka_bootstrap,
            "kafka_namespace": f"{name}.",
            "muster_secret_key": SECRET,
        }
        | more
    )
    await migrate(settings, {service.name: service.migrations})
    owner = await asyncpg.connect(url)
    try:
        yield settings, owner
    finally:
        await owner.close()
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.execute(f"DROP ROLE IF EXISTS {name}_{service.name}")
        await admin.close()
