"""OpenTelemetry spans, from a command to the mail server's answer; nothing at all while off.

On when ``OTEL_EXPORTER_OTLP_ENDPOINT`` names a collector and ``muster[tracing]`` is installed.
Spans carry counts, names and ids of ours, never an address, a body or a value of a message. Batches
have a span each; of single messages one in ``EVERY`` has its own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from shared.logs import logger

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext, Tracer

log = logger(__name__)

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
EVERY: Final = 100
MOST_LINKS: Final = 16
Value = str | int | float | bool

_tracers: dict[str, Tracer] = {}
_OFF: Final = contextlib.nullcontext[str | None](None)


def is_on() -> bool:
    """Whether spans are recorded in this process."""
    return bool(_tracers)


def why_off() -> str:
    """Return why spans would not be recorded; empty when they are wanted and can be."""
    if not os.environ.get(ENDPOINT):
        return f"off: {ENDPOINT} names no collector"
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return "off: install muster[tracing]"
    return ""


def start(service: str, exporter: SpanExporter | None = None) -> bool:
    """Record the spans of a service, if a collector is named; return whether they are.

    Args:
        service: what the spans are said to come from.
        exporter: where spans go, instead of the collector.
    """
    if exporter is None and why_off():
        if os.environ.get(ENDPOINT):
            log.warning("tracing.off", reason=why_off())
        return False
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415 - an extra
        BatchSpanProcessor,
        SimpleSpanProcessor,
    )

    provider = TracerProvider(resource=Resource.create({"service.name": f"muster.{service}"}))
    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    else:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    _tracers[service] = provider.get_tracer("muster")
    return True


def stop() -> None:
    """Record nothing any more."""
    _tracers.clear()


def span(
    service: str,
    name: str,
    *,
    parent: str | None = None,
    links: Iterable[str | None] = (),
    **attributes: Value,
) -> contextlib.AbstractContextManager[str | None]:
    """Return a context that is a span; it yields the span's ``traceparent``, ``None`` while off.

    Args:
        service: whose span it is.
        name: what is done, without names or values of people.
        parent: the ``traceparent`` it belongs under; without one it is under the span that is
            open here, or begins a trace.
        links: other ``traceparent`` it has to do with; a few are kept.
        attributes: counts and ids of ours.
    """
    tracer = _tracers.get(service)
    if tracer is None:
        return _OFF
    return _recorded(tracer, name, parent, links, attributes)


def span_of_some(
    service: str, name: str, number: int, *, parent: str | None = None, **attributes: Value
) -> contextlib.AbstractContextManager[str | None]:
    """Return a span for one message in ``EVERY``, by its number; see :func:`span`."""
    if not _tracers or number % EVERY:
        return _OFF
    return span(service, name, parent=parent, links=(), **attributes)


@contextlib.contextmanager
def _recorded(
    tracer: Tracer,
    name: str,
    parent: str | None,
    links: Iterable[str | None],
    attributes: Mapping[str, Value],
) -> Iterator[str]:
    from opentelemetry import trace  # noqa: PLC0415 - an extra

    context = _context(parent) if parent else None
    others = [one for one in dict.fromkeys(links) if one and one != parent][:MOST_LINKS]
    with tracer.start_as_current_span(
        name,
        context=context,
        links=[trace.Link(_span_context(one)) for one in others],
        attributes={f"muster.{key}": value for key, value in attributes.items()},
        # The text of a failure may hold a value of a message.
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield _traceparent(made.get_span_context())
        except BaseException as problem:
            made.set_status(trace.StatusCode.ERROR, type(problem).__name__)
            raise


def current() -> str | None:
    """Return the ``traceparent`` of the span that is open here; ``None`` while off."""
    if not _tracers:
        return None
    from opentelemetry import trace  # noqa: PLC0415 - an extra

    context = trace.get_current_span().get_span_context()
    return _traceparent(context) if context.is_valid else None


def _traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _span_context(traceparent: str) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 - an extra

    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )


def _context(traceparent: str) -> Context:
    from opentelemetry import trace  # noqa: PLC0415 - an extra

    return trace.set_span_in_context(trace.NonRecordingSpan(_span_context(traceparent)))
