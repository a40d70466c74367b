"""The plan of a content that only places values: all but the values is made ready once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import escape

from services.delivery.content.placing import NotOrdinary, Pieces, Value, look_up, values_in
from services.delivery.content.quoted_printable import encoded, encoded_pieces, encoded_value
from services.delivery.content.sources import sources_of
from services.delivery.content.text_plan import Line, TextPlan, is_plain, text_plan
from services.delivery.domain.content import Content
from services.delivery.mail import Parts
from services.delivery.plain_text import text_of
from services.delivery.rendering import header_value

Ready = tuple[bytes | Value, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a recipient's parts are put together; the same as by rendering, only sooner."""

    subject: Pieces
    html: Pieces
    html_ready: Ready
    text_ready: Ready
    lines_ready: tuple[bytes | Line, ...]
    derived: TextPlan | None
    """How the text follows from the HTML; ``None`` when the author gave a text."""
    values: tuple[Value, ...]
    html_values: tuple[Value, ...]
    text_values: tuple[Value, ...]

    def parts(self, variables: Mapping[str, Any]) -> Parts:
        """Return a recipient's parts.

        Raises:
            NotOrdinary: a value is missing or out of the ordinary; rendering says more.
            BadTemplate: a value of the subject holds a line end.
        """
        values = {value: look_up(value, variables) for value in self.values}
        subject = "".join([values[p] if isinstance(p, Value) else p for p in self.subject])
        escaped = {value: encoded_value(escape(values[value])) for value in self.html_values}
        return Parts(
            header_value("subject", subject), self._text(values), _joined(self.html_ready, escaped)
        )

    def _text(self, values: Mapping[Value, str]) -> bytes:
        if self.derived is not None:
            if not self.derived.shows_addresses(values):
                return encoded(text_of(self._html(values)))
            if not all(is_plain(values[value]) for value in self.text_values):
                return self._text_in_lines(self.derived, values)
        ready = {value: encoded_value(values[value]) for value in self.text_values}
        return _joined(self.text_ready, ready)

    def _text_in_lines(self, derived: TextPlan, values: Mapping[Value, str]) -> bytes:
        try:
            lines = [
                one if isinstance(one, bytes) else encoded(one.written(values))
                for one in self.lines_ready
            ]
        except NotOrdinary:
            return encoded(derived.written(values))
        return b"".join([*lines, b"\r\n"])

    def _html(self, values: Mapping[Value, str]) -> str:
        return "".join([escape(values[p]) if isinstance(p, Value) else p for p in self.html])


def _joined(ready: Ready, values: Mapping[Value, bytes]) -> bytes:
    return b"".join([p if isinstance(p, bytes) else values[p] for p in ready])


def plan_of(content: Content, *, linked: bool) -> Plan | None:
    """Return the plan of a content; ``None`` when each mail has to be rendered.

    Args:
        content: what is sent.
        linked: whether its messages have an unsubscribe link.
    """
    sources = sources_of(content, linked=linked)
    subject, html = sources.subject.pieces, sources.html.pieces
    if content.inline_css or subject is None or html is None:
        return None
    derived = None
    if sources.text is not None:
        text = sources.text.pieces
    else:
        derived = text_plan(html)
        text = derived.pieces if derived is not None else None
    if text is None:
        return None
    return Plan(
        subject=subject,
        html=html,
        html_ready=encoded_pieces(html),
        text_ready=encoded_pieces(text),
        lines_ready=tuple(
            one if isinstance(one, Line) else encoded(one.removesuffix("\n"))
            for one in (derived.lines if derived is not None else ())
        ),
        derived=derived,
        values=values_in(subject, html, text),
        html_values=values_in(html),
        text_values=values_in(text),
    )
