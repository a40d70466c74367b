"""One trace from a command to the mail server's answer, without anybody's data in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from services.delivery.app import SERVICE
from shared import tracing
from shared.consumer import Batcher
from shared.kafka import Record
from shared.producer import unpack_headers
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    Case,
    Catcher,
    add_operators,
    approved,
    finished,
    member,
    sending,
    work_off,
)
from tests.records import record_of
from tests.waiting import eventually
from topics.delivery import StartDelivery

TRACE = "0af7651916cd43dd8448eb211c80319c"
COMMAND = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    assert tracing.start("delivery", exporter)
    yield exporter
    tracing.stop()


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> Runtime:
    found = await open_service(SERVICE, SMTP_PORT=str(catcher.port), PROGRESS_SECONDS="0.1")
    await add_operators(found)
    return found


def record(command: StartDelivery) -> Record:
    key, headers, value = record_of(command)
    return Record(
        command.topic.name,
        0,
        1,
        key.decode(),
        [*headers, ("traceparent", COMMAND.encode())],
        value,
    )


async def test_a_command_leads_to_the_servers_answer_in_one_trace(
    runtime: Runtime, spans: InMemorySpanExporter
) -> None:
    case = Case([member("ada.secret@x.example", first_name="Zoé-Secret")])
    async with sending(runtime):
        await approved(runtime, case)
        spans.clear()
        await batcher(runtime).handle([record(case.start())])
        await work_off(runtime)
        await finished(runtime, case)
        # The workflow's span ends after the step whose rows the wait above saw.
        await eventually(
            lambda: {"consume batch", "workflow deliveryMgt"} <= names_of(spans),
            what="the spans of the batch and of the workflow",
        )
    found = spans.get_finished_spans()
    ours = {span.name: span for span in found if trace_of(span) == TRACE}
    handler, window, answer = (
        ours[name]
        for name in ("handle muster.delivery.start_delivery.v1", "smtp window", "smtp answer")
    )
    assert parent_of(handler) == COMMAND[36:52]
    assert parent_of(window) == id_of(handler)
    assert parent_of(answer) == id_of(window)
    assert answer.attributes == {"muster.verdict": "sent"}
    text = "".join(span.to_json() for span in found)
    assert "ecret" not in text
    assert "@" not in text


async def test_what_a_handler_publishes_belongs_to_its_span(
    runtime: Runtime, spans: InMemorySpanExporter
) -> None:
    case = Case([])
    key, headers, value = record_of(case.template())
    command = Record(
        case.template().topic.name,
        0,
        1,
        key.decode(),
        [*headers, ("traceparent", COMMAND.encode())],
        value,
    )
    await batcher(runtime).handle([command])
    [handler] = [one for one in spans.get_finished_spans() if one.name.startswith("handle")]
    rows = await runtime.pool.fetch("SELECT headers FROM outbox ORDER BY seq DESC LIMIT 1")
    published = dict(unpack_headers(rows[0]["headers"]))["traceparent"].decode()
    assert published == f"00-{TRACE}-{id_of(handler)}-01"


async def test_nothing_is_recorded_while_no_collector_is_named(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(tracing.ENDPOINT, raising=False)
    assert not tracing.start("delivery")
    with tracing.span("delivery", "x", parent=COMMAND) as made:
        assert (made, tracing.current(), tracing.is_on()) == (None, None, False)
    case = Case([])
    await runtime.execute(case.template())


def names_of(spans: InMemorySpanExporter) -> set[str]:
    return {span.name for span in spans.get_finished_spans()}


def batcher(runtime: Runtime) -> Batcher:
    return Batcher(runtime.uow, runtime.registry, name="delivery")


def context_of(span: ReadableSpan) -> SpanContext:
    context = span.get_span_context()
    assert context is not None
    return context


def trace_of(span: ReadableSpan) -> str:
    return f"{context_of(span).trace_id:032x}"


def id_of(span: ReadableSpan) -> str:
    return f"{context_of(span).span_id:016x}"


def parent_of(span: ReadableSpan) -> str:
    assert span.parent is not None
    return f"{span.parent.span_id:016x}"
