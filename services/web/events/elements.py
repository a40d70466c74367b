"""XML from outside, as elements: nothing is fetched, no document type is taken.

No document type means no entities and no external files; nothing is over 256 levels deep (libxml2's
own limit).
"""

from __future__ import annotations

from typing import Any, cast

from lxml import etree


class NotWellFormed(ValueError):
    """The document is not well-formed, or has a document type."""


def read_xml(document: bytes) -> etree._Element:
    """Return a document's root.

    Raises:
        NotWellFormed: it is not well-formed, too deep, or has a document type.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as problem:
        line = getattr(problem, "lineno", 1)
        raise NotWellFormed(f"line {line}: not well-formed") from None
    if cast("Any", root.getroottree()).docinfo.doctype:
        raise NotWellFormed("a document type (DTD) is not taken")
    return root


def children(element: etree._Element) -> list[etree._Element]:
    """Return the child elements, without comments and the like."""
    return [one for one in element if isinstance(one.tag, str)]


def local(name: str | bytes) -> str:
    """Return a name without its namespace."""
    return etree.QName(name).localname
