"""Links of a content, numbered and turned into ordinary template variables.

``<a href="https://example.org/{{ site.town }}">`` becomes ``<a href="{{ links.click_4 }}">``; what
the variable holds is decided for each recipient. Left alone is what cannot be followed
(``mailto:``, ``#top``), what has a meaning of its own (the unsubscribe and mirror links), and a
target made of names that only exist around it, such as a loop's: nobody could make it again when
it is clicked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import unescape
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, meta, nodes

from services.delivery.domain.tracking import (
    FIRST_LINK,
    MAX_LINKS,
    EventKind,
    Part,
    Switch,
    Switches,
    TrackedLink,
    always,
)
from services.delivery.domain.urls import NotWeb, attribute_text, web_target

PERSONAL_NAMES: Final = frozenset({"contact", "site", "campaign", "ctx"})
"""Names a followed target may be made of: those that are the same when it is made again."""
LABEL_LENGTH: Final = 100

# Possessive, so that no text, however odd, makes the search go back.
_EXPRESSION: Final = r"\{\{.*?\}\}|\{%.*?%\}"
_DOUBLE: Final = rf'"(?:{_EXPRESSION}|[^"])*+"'
_SINGLE: Final = rf"'(?:{_EXPRESSION}|[^'])*+'"
_PIECES: Final = re.compile(
    r"\{%-?\s*raw\b.*?\bendraw\s*[-+]?%\}|\{#.*?#\}"
    rf"|(?P<tag><a(?=[\s/])(?:{_DOUBLE}|{_SINGLE}|{_EXPRESSION}|[^>\"'])*+>)"
    rf"|{_EXPRESSION}",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE: Final = re.compile(
    rf"(?P<name>[^\s=>\"'/{{}}]+)\s*=\s*(?P<value>{_DOUBLE}|{_SINGLE}|(?:{_EXPRESSION}|[^\s>\"'])++)",
    re.DOTALL,
)
_TEXT_URL: Final = re.compile(
    rf"\{{%-?\s*raw\b.*?\bendraw\s*[-+]?%\}}|\{{#.*?#\}}"
    rf"|(?P<url>\bhttps?://(?:{_EXPRESSION}|[^\s<>\"'{{]|\{{(?![{{%#]))++)|{_EXPRESSION}",
    re.DOTALL | re.IGNORECASE,
)
_WEB: Final = re.compile(r"https?://|\{[{%]", re.IGNORECASE)
_TAGS: Final = re.compile(r"<[^>]*>")
_END: Final = re.compile(r"</a", re.IGNORECASE)
_ALT: Final = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_ENDS_SENTENCE: Final = ".,;:!?)]}"
_BODY: Final = re.compile(r"<body\b[^>]*>", re.IGNORECASE)

_PIXEL: Final = (
    '<img src="{{ links.open }}" alt="" width="1" height="1"'
    ' style="display:block;border:0;width:1px;height:1px">'
)
_MIRROR_WORDS: Final = {"en": "View in your browser", "fr": "Voir dans le navigateur"}
_MIRROR: Final = (
    '<p style="font:12px sans-serif;text-align:center;color:#666666;margin:0 0 8px">'
    '<a href="{{{{ mirror_url }}}}" style="color:#666666">{words}</a></p>'
)


class TooManyLinks(Exception):
    """A content has more links than are followed."""


@dataclass(frozen=True, slots=True)
class Followable:
    """A content's two parts with their links as variables, and the links."""

    html: str
    text: str
    links: tuple[TrackedLink, ...]


def make_followable(
    environment: Environment, *, html: str, text: str, language: str, switches: Switches
) -> Followable:
    """Return a content as its switches ask for; with none it is returned as it came.

    Raises:
        TooManyLinks: it has over 500 links.
    """
    found = Followable(html, text, always(switches))
    if {Switch.CLICKS, Switch.UTM} & switches:
        found = _numbered(environment, found)
    if Switch.MIRROR in switches and "mirror_url" not in found.html:
        found = replace(found, html=_with_mirror_link(found.html, language))
    if Switch.OPENS in switches:
        end = found.html.lower().rfind("</body>")
        at = len(found.html) if end < 0 else end
        found = replace(found, html=found.html[:at] + _PIXEL + found.html[at:])
    return found


def _with_mirror_link(html: str, language: str) -> str:
    body = _BODY.search(html)
    at = body.end() if body else 0
    line = _MIRROR.format(words=_MIRROR_WORDS.get(language, _MIRROR_WORDS["en"]))
    return html[:at] + line + html[at:]


def _numbered(environment: Environment, content: Followable) -> Followable:
    links: list[TrackedLink] = []
    parts = {}
    for part, source in ((Part.HTML, content.html), (Part.TEXT, content.text)):
        names = PERSONAL_NAMES - _stored(environment, source)
        pieces, done = [], 0
        for found in _found(part, source):
            if not _can_be_followed(environment, found.url, part, names):
                continue
            if len(links) == MAX_LINKS:
                raise TooManyLinks
            link = TrackedLink(
                FIRST_LINK + len(links), EventKind.CLICK, part, found.url, found.label
            )
            links.append(link)
            variable = f"{{{{ links.{link.name} }}}}"
            written = f'"{variable}"' if part is Part.HTML else variable
            pieces += [source[done : found.begin], written]
            done = found.end
        parts[part] = "".join([*pieces, source[done:]])
    return Followable(parts[Part.HTML], parts[Part.TEXT], (*content.links, *links))


@dataclass(frozen=True, slots=True)
class _Found:
    """A link's target in a source: from ``begin`` to ``end``, quotes included."""

    begin: int
    end: int
    url: str
    label: str


def _found(part: Part, source: str) -> Iterator[_Found]:
    return _in_html(source) if part is Part.HTML else _in_text(source)


def _in_html(source: str) -> Iterator[_Found]:
    for piece in _PIECES.finditer(source):
        if piece["tag"] is None:
            continue
        for attribute in _ATTRIBUTE.finditer(source, piece.start() + 2, piece.end() - 1):
            if attribute["name"].lower() == "href":
                value = attribute["value"]
                url = value[1:-1] if value[0] in "\"'" else value
                label = _label(source, piece.end()) or url
                begin, end = attribute.span("value")
                yield _Found(begin, end, url.strip(), label[:LABEL_LENGTH])
                break


def _in_text(source: str) -> Iterator[_Found]:
    for piece in _TEXT_URL.finditer(source):
        if piece["url"] is None:
            continue
        url = piece["url"]
        while url[-1] in _ENDS_SENTENCE and not url.endswith("}}"):
            url = url[:-1]
        begin = piece.start()
        yield _Found(begin, begin + len(url), url, url[:LABEL_LENGTH])


def _label(source: str, begin: int) -> str:
    end = _END.search(source, begin)
    inside = source[begin : end.start() if end else begin]
    text = " ".join(unescape(_TAGS.sub(" ", inside)).split())
    if text:
        return text
    alt = _ALT.search(inside)
    return unescape(next(filter(None, alt.groups()), "")) if alt else ""


def _can_be_followed(environment: Environment, url: str, part: Part, names: frozenset[str]) -> bool:
    if not _WEB.match(url):
        return False
    if "{{" not in url and "{%" not in url:
        try:
            web_target(attribute_text(url) if part is Part.HTML else url)
        except NotWeb:
            return False
        return True
    try:
        used = meta.find_undeclared_variables(environment.parse(url))
    except TemplateSyntaxError:
        # Half of a block: the other half is outside the link.
        return False
    return used <= names


def _stored(environment: Environment, source: str) -> set[str]:
    """Return the names a source gives values of its own somewhere: loops, ``set``, macros."""
    names = environment.parse(source).find_all(nodes.Name)
    return {name.name for name in names if name.ctx in {"store", "param"}}
