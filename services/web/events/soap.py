"""SOAP 1.1 on the wire: an envelope in, an envelope or a fault out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree
from starlette.responses import Response

from services.web.events.elements import NotWellFormed, children, local, read_xml

ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_MEDIA: Final = "text/xml; charset=utf-8"


class Fault(Exception):
    """What went wrong, as SOAP says it; ``code`` is Client or Server."""

    def __init__(self, reason: str, detail: str, *, code: str = "Client") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """A method called: of which schema (``nms:rtEvent``), with what parameters."""

    schema: str
    method: str
    element: etree._Element

    def text(self, name: str) -> str:
        """Return a parameter that is text; empty when it is not there."""
        found = self.parameter(name)
        return (found.text or "").strip() if found is not None else ""

    def parameter(self, name: str) -> etree._Element | None:
        """Return a parameter's element."""
        return next((one for one in children(self.element) if local(one.tag) == name), None)


def read_call(body: bytes, action: str) -> Call:
    """Return the method that an envelope calls.

    Args:
        body: the request's.
        action: the SOAPAction header, empty when there is none.

    Raises:
        Fault: no well-formed envelope, or its header says another method.
    """
    invalid = f"The XML SOAP message is invalid (service '{action[:100]}')."
    try:
        root = read_xml(body)
    except NotWellFormed as problem:
        raise Fault(invalid, str(problem)) from None
    if root.tag != f"{{{ENVELOPE}}}Envelope":
        raise Fault(invalid, "the document is no SOAP 1.1 envelope")
    inside = [one for one in children(root) if local(one.tag) == "Body"]
    calls = children(inside[0]) if len(inside) == 1 else []
    if len(calls) != 1:
        raise Fault(invalid, "the envelope has no body with one method in it")
    name = etree.QName(calls[0].tag)
    schema = (name.namespace or "").removeprefix("urn:")
    wanted = action.strip().strip('"')
    if wanted and wanted != f"{schema}#{name.localname}":
        raise Fault(invalid, "SOAPAction and the body name different methods")
    return Call(schema, name.localname, calls[0])


def answered(call: Call, *parts: tuple[str, str]) -> Response:
    """Return the answer of a method: its elements by name, each with its XML."""
    inside = "".join(f"<{name}>{xml}</{name}>" for name, xml in parts)
    return _response(
        200, f'<{call.method}Response xmlns="urn:{call.schema}">{inside}</{call.method}Response>'
    )


def faulted(fault: Fault) -> Response:
    """Return a fault; SOAP 1.1 over HTTP answers 500 with it (section 6.2)."""
    return _response(
        500,
        f"<SOAP-ENV:Fault><faultcode>SOAP-ENV:{fault.code}</faultcode>"
        f"<faultstring>{escape(fault.reason)}</faultstring>"
        f"<detail>{escape(fault.detail)}</detail></SOAP-ENV:Fault>",
    )


def _response(status: int, inside: str) -> Response:
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="{ENVELOPE}">'
        f"<SOAP-ENV:Body>{inside}</SOAP-ENV:Body></SOAP-ENV:Envelope>",
        status,
        media_type=_MEDIA,
    )


def listed(name: str, attributes: Sequence[tuple[str, str]]) -> str:
    """Return an element that has attributes alone."""
    pairs = "".join(f' {key}="{escape(value, _QUOTE)}"' for key, value in attributes)
    return f'<{name} xmlns=""{pairs}/>'


_QUOTE: Final = {'"': "&quot;"}
