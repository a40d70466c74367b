"""Schemathesis through the edge: what the merged document describes never ends in a 5xx."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from deploy.embedded.ports import free_port
from services.campaign.app import SERVICE as CAMPAIGN
from services.delivery.app import SERVICE as DELIVERY
from services.events_status.app import SERVICE as EVENTS
from shared.service import Service
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.test_web_streams import served
from tests.integration.web_edge import open_edge
from topics.names import EVENTS_BATCH, EVENTS_REALTIME

EXAMPLES: Final = 6
CHECKS: Final = [not_a_server_error, content_type_conformance, response_schema_conformance]


def fuzz(operation: APIOperation[Any, Any, Any, Any], url: str, headers: dict[str, str]) -> int:
    """Call one operation with right and wrong values; return how many calls were made."""
    calls = 0

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(
        case=operation.as_strategy(GenerationMode.POSITIVE)
        | operation.as_strategy(GenerationMode.NEGATIVE)
    )
    def once(case: Case[Any]) -> None:
        nonlocal calls
        calls += 1
        case.call_and_validate(base_url=url, headers=headers, checks=CHECKS, timeout=10)

    once()
    return calls


@pytest.mark.parametrize(
    ("service", "name"),
    [
        (CAMPAIGN, "campaign"),
        (None, "web"),
        (EVENTS, "events"),
        (EVENTS, "events_status"),
        (DELIVERY, "delivery/templates"),
        (DELIVERY, "delivery/webhooks"),
    ],
)
async def test_no_described_call_ends_in_a_failure(
    open_service: Open, service: Service | None, name: str
) -> None:
    port = free_port()
    async with (
        open_edge(open_service, *([service] if service else [])) as edge,
        served(edge.app, port),
    ):
        await make_topics(edge.web.settings, EVENTS_REALTIME, EVENTS_BATCH)
        headers = await edge.headers()
        answer = await edge.client.get("/api/v1/openapi.json", headers=headers)
        schema = schemathesis.openapi.from_dict(answer.json())
        prefix = f"/api/v1/{name}/"
        chosen = schema.include(path_regex=f"^{prefix}")
        calls = 0
        for found in chosen.get_all_operations():
            operation = found.ok()  # type: ignore[union-attr]  # an invalid schema raises here
            calls += await asyncio.to_thread(fuzz, operation, f"http://127.0.0.1:{port}", headers)
        assert calls > EXAMPLES
