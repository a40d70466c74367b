"""The one rule by which a ``<ctx>`` becomes JSON (one template serves every way in), and back.

An element with neither attributes nor child elements is its text. Any other is an object: each
attribute under ``@`` and its name, each child under its name, children of one name as a list in
their order, text beside them under ``#text``. Names lose their namespace; comments, processing
instructions and blank text between elements are passed over. Numbers stay text: XML has no others.

Back, what came from XML comes out as it was. JSON says more than XML: numbers and booleans become
their text, null and an empty object an empty element, a list of one an element, an empty list none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from services.web.events.elements import children, local

ROOT: Final = "ctx"
_ATTRIBUTE: Final = "@"
_TEXT: Final = "#text"
_SHOWN: Final = 60


class NoXml(ValueError):
    """A context that no XML can say; its text names the place."""


def context_of(element: etree._Element) -> dict[str, Any]:
    """Return the JSON of a ``<ctx>`` element: always an object."""
    found = _value(element)
    if isinstance(found, dict):
        return found
    return {_TEXT: found} if found else {}


def element_of(ctx: Mapping[str, Any]) -> etree._Element:
    """Return the ``<ctx>`` element of a context.

    Raises:
        NoXml: a key is no XML name, a text has characters that XML lacks, a list is in a list, or
            an attribute or text is no single value.
    """
    root = etree.Element(ROOT)
    _fill(root, ctx, ROOT)
    return root


def xml_of(ctx: Mapping[str, Any]) -> str:
    """Return a context as XML to read, or to copy into a call; no text of its own is changed.

    Raises:
        NoXml: as :func:`element_of`.
    """
    root = element_of(ctx)
    mixed = any(one.text and len(one) for one in root.iter())
    return etree.tostring(root, encoding="unicode", pretty_print=not mixed).rstrip("\n")


def _value(element: etree._Element) -> Any:
    inside = children(element)
    pieces = [element.text, *(one.tail for one in element)]
    text = "".join(piece for piece in pieces if piece)
    if not inside and not element.attrib:
        return text
    found: dict[str, Any] = {_ATTRIBUTE + local(name): one for name, one in element.attrib.items()}
    for child in inside:
        _add(found, local(child.tag), _value(child))
    if text.strip():
        found[_TEXT] = text
    return found


def _add(found: dict[str, Any], name: str, value: Any) -> None:
    if name not in found:
        found[name] = value
    elif isinstance(found[name], list):
        found[name].append(value)
    else:
        found[name] = [found[name], value]


def _fill(element: etree._Element, value: Any, place: str) -> None:
    """Put a value into an element."""
    try:
        if not isinstance(value, Mapping):
            element.text = _single(value)
            return
        for name, one in value.items():
            if name == _TEXT:
                element.text = _single(one)
            elif name.startswith(_ATTRIBUTE):
                element.set(_name(name.removeprefix(_ATTRIBUTE)), _single(one) or "")
            else:
                _fill_all(element, name, one, f"{place}.{name[:_SHOWN]}")
    except NoXml:
        raise
    except ValueError as problem:
        raise NoXml(f"{place}: {problem}") from None


def _fill_all(element: etree._Element, name: str, value: Any, place: str) -> None:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, list):
            raise NoXml(f"{place}: a list in a list has no XML")
        _fill(etree.SubElement(element, _name(name)), one, place)


def _name(name: str) -> str:
    if name.startswith("{"):  # which lxml would take for a namespace
        raise ValueError(f"{name[:_SHOWN]!r} is no XML name")
    return name


def _single(value: Any) -> str | None:
    if isinstance(value, Mapping | list):
        message = f"{_ATTRIBUTE} and {_TEXT} hold a single value"
        raise ValueError(message)  # noqa: TRY004 - a value of the JSON, told with its place
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
