"""The one rule by which a ``<ctx>`` becomes JSON, so that one template serves every way in.

An element with neither attributes nor child elements is its text. Any other is an object: each
attribute under ``@`` and its name, each child under its name, children of one name as a list in
their order, text beside them under ``#text``. Names lose their namespace; comments, processing
instructions and blank text between elements are passed over. Numbers stay text: XML has no others.
"""

from __future__ import annotations

from typing import Any

from lxml import etree


def context_of(element: etree._Element) -> dict[str, Any]:
    """Return the JSON of a ``<ctx>`` element: always an object."""
    found = _value(element)
    if isinstance(found, dict):
        return found
    return {"#text": found} if found else {}


def _value(element: etree._Element) -> Any:
    children = [one for one in element if isinstance(one.tag, str)]
    pieces = [element.text, *(one.tail for one in element)]
    text = "".join(piece for piece in pieces if piece)
    if not children and not element.attrib:
        return text
    found: dict[str, Any] = {f"@{local(name)}": value for name, value in element.attrib.items()}
    for child in children:
        _add(found, local(child.tag), _value(child))
    if text.strip():
        found["#text"] = text
    return found


def _add(found: dict[str, Any], name: str, value: Any) -> None:
    if name not in found:
        found[name] = value
    elif isinstance(found[name], list):
        found[name].append(value)
    else:
        found[name] = [found[name], value]


def local(name: str | bytes) -> str:
    """Return a name without its namespace."""
    return etree.QName(name).localname
