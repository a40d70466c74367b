"""A sample of what an event brings, as a file holds it: JSON, or XML as SOAP callers send it."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from services.web.events.context import ROOT, context_of
from services.web.events.elements import local, read_xml
from topics.cloudevents import describe
from topics.outside import Context

_CONTRACT: Final[TypeAdapter[dict[str, Any]]] = TypeAdapter(Context)


def sample_in(file: Path) -> bytes:
    """Return what a file holds, without what stands around it."""
    return file.read_bytes().removeprefix(BOM_UTF8).strip()


def is_xml(sample: bytes) -> bool:
    """Whether a sample is XML."""
    return sample.startswith(b"<")


def context_in(file: Path) -> dict[str, Any]:
    """Return the context of a file.

    Raises:
        SystemExit: it is neither JSON nor XML, or no context that an event may have.
    """
    sample = sample_in(file)
    try:
        if not is_xml(sample):
            return _CONTRACT.validate_json(sample)
        root = read_xml(sample)
        if local(root.tag) != ROOT:
            raise SystemExit(f"{file}: the document is no <{ROOT}> element")
        return _CONTRACT.validate_python(context_of(root))
    except ValidationError as problem:
        raise SystemExit(f"{file}: {describe(problem)}") from None
    except ValueError as problem:
        raise SystemExit(f"{file}: {problem}") from None
