"""Readiness tells when a server that the service stands on is gone, and when it is back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY

from deploy.embedded.kafka import EmbeddedKafka
from services.stock.app import SERVICE
from shared.database import identifier
from shared.http import create_app
from shared.service import Runtime
from shared.settings import role_name
from tests.conftest import Open
from tests.instances import Instance, make_topics
from tests.integration.test_core import running
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    """A broker of this test's own, to be killed."""
    server = EmbeddedKafka(tmp_path / "kafka")
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def ready(runtime: Runtime) -> tuple[int, str]:
    """Return what ``/health/ready`` answers."""
    transport = httpx.ASGITransport(create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://stock") as client:
        answer = await client.get("/health/ready")
        return answer.status_code, answer.text.strip()


async def becomes(runtime: Runtime, *wanted: object) -> None:
    async def so() -> bool:
        return await ready(runtime) == wanted

    await eventually(so, seconds=40, what=f"readiness answering {wanted}")


async def test_a_service_is_ready_only_while_its_broker_answers(
    broker: EmbeddedKafka, open_service: Open
) -> None:
    runtime = await open_service(SERVICE, KAFKA_BOOTSTRAP=broker.bootstrap)
    assert await ready(runtime) == (503, "stock: starting or stopping")
    await make_topics(runtime.settings, *runtime.topics)
    async with running(runtime):
        await becomes(runtime, 200, "ready")
        await broker.kill()
        await becomes(runtime, 503, "stock: Kafka does not answer")
        assert REGISTRY.get_sample_value("muster_ready", {"service": "stock"}) == 0
        await broker.start(keep_ports=True)
        await becomes(runtime, 200, "ready")
        assert REGISTRY.get_sample_value("muster_ready", {"service": "stock"}) == 1


async def test_a_service_that_never_reached_a_broker_is_not_ready(open_service: Open) -> None:
    runtime = await open_service(SERVICE, KAFKA_BOOTSTRAP="127.0.0.1:1")
    async with running(runtime):
        await becomes(runtime, 503, "stock: Kafka does not answer")


async def test_a_service_is_ready_only_while_its_database_lets_it_in(
    instance: Instance, open_service: Open
) -> None:
    runtime = await open_service(SERVICE)
    await make_topics(runtime.settings, *runtime.topics)
    owner = await asyncpg.connect(instance.database_url)
    role = identifier(role_name(instance.database_url, "stock"))
    async with running(runtime):
        await becomes(runtime, 200, "ready")
        await owner.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role
        )
        await becomes(runtime, 503, "stock: PostgreSQL does not answer")
        await owner.execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")
        await becomes(runtime, 200, "ready")
    await owner.close()
