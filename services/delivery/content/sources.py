"""A content as the templates that are rendered: with an unsubscribe link, split where possible.

Compiled once per content; Jinja2 runs in an immutable sandbox, so authors' templates read what they
are given, and nothing else: attributes of Python's own are closed to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.delivery.content.placing import Pieces, Value, pieces_of
from services.delivery.domain.content import Content

VARIABLES: Final = frozenset({"contact", "site", "campaign", "ctx", "unsubscribe_url"})
"""What authors may use."""
PLACED: Final = VARIABLES | {"links", "mirror_url"}
"""What a content may use: what follows opens and clicks is put into it when it is prepared."""

HTML: Final = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True)
# A subject and a text part are no HTML: escaping would show there.
PLAIN: Final = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)

_URL: Final = Value(("unsubscribe_url",))
_URL_PLACED: Final = "{{ unsubscribe_url }}"
_LINK_WORDS: Final = {"en": "Unsubscribe", "fr": "Se désabonner"}
_HTML_LINK: Final = (
    '<p style="font:12px sans-serif;text-align:center;color:#666666">'
    '<a href="{url}" style="color:#666666">{words}</a></p>'
)
_TEXT_LINK: Final = "\n\n{words}: {url}"
_LINE_ENDS: Final = re.compile(r"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Field:
    """A template of a content; ``pieces`` when it only places values."""

    name: str
    template: Template
    pieces: Pieces | None


@dataclass(frozen=True, slots=True)
class Sources:
    """The templates of a content; without a text of its own it is made from the HTML."""

    subject: Field
    html: Field
    text: Field | None


@lru_cache(maxsize=256)
def sources_of(content: Content, *, linked: bool) -> Sources:
    """Return a content's templates.

    Args:
        content: what is sent.
        linked: whether the message has an unsubscribe link, its author's or one added here.
    """
    html, text = content.html, content.text
    if linked:
        if _shows_no_link(HTML, html):
            html = before_end(html, html_link(_URL_PLACED, content.language))
        if _shows_no_link(PLAIN, text):
            text += text_link(_URL_PLACED, content.language)
    return Sources(
        # The author's own line ends; those that come with values are refused.
        subject=_field("subject", PLAIN, _LINE_ENDS.sub(" ", content.subject)),
        html=_field("body", HTML, html),
        text=_field("text", PLAIN, text) if content.text.strip() else None,
    )


def _field(name: str, environment: ImmutableSandboxedEnvironment, source: str) -> Field:
    pieces = pieces_of(environment, source, PLACED)
    return Field(name, environment.from_string(source), pieces)


def _shows_no_link(environment: ImmutableSandboxedEnvironment, source: str) -> bool:
    """Whether a template certainly shows no link; of some it is only seen when rendered."""
    pieces = pieces_of(environment, source, PLACED)
    return pieces is not None and _URL not in pieces


def html_link(url: str, language: str) -> str:
    """Return the unsubscribe link of an HTML part."""
    return _HTML_LINK.format(url=url, words=_LINK_WORDS.get(language, _LINK_WORDS["en"]))


def text_link(url: str, language: str) -> str:
    """Return the unsubscribe link of a text part."""
    return _TEXT_LINK.format(url=url, words=_LINK_WORDS.get(language, _LINK_WORDS["en"]))


def before_end(html: str, link: str) -> str:
    """Return HTML with a link at the end of its body."""
    end = html.lower().rfind("</body>")
    return html + link if end < 0 else html[:end] + link + html[end:]
