"""Rendering: Jinja2 in an immutable sandbox, MJML, CSS into elements, text from HTML.

Authors' templates run here over recipients' data. They can read what they are given, and nothing
else: attributes of Python's own are closed to them, a missing value is an error that names it, and
values are escaped in HTML. No reason of an error repeats a recipient's data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import mjml
from jinja2 import TemplateSyntaxError, UndefinedError, meta
from markupsafe import escape

from services.delivery.content.sources import (
    HTML,
    PLACED,
    PLAIN,
    VARIABLES,
    Field,
    before_end,
    html_link,
    sources_of,
    text_link,
)
from services.delivery.content.styles import InlineError, inlined, inlined_template
from services.delivery.domain.content import Content, Source
from services.delivery.domain.tracking import MAX_LINKS, Part, Switch, TrackedLink
from services.delivery.plain_text import text_of
from services.delivery.tracking.rewriting import TooManyLinks, make_followable

MAX_RENDERED: Final = 2_000_000

_MISSING: Final = re.compile(
    r"has no (?:attribute|element) '?([A-Za-z_]\w*)'?|'([A-Za-z_]\w*)' is undefined"
)
_MJML_INCLUDE: Final = re.compile(r"<\s*mj-include\b", re.IGNORECASE)


class BadTemplate(Exception):
    """A template cannot be used: which field, and why, without any recipient's data."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class TakesTooMuch(BadTemplate):
    """Rendering was given up: it took too much time or memory."""

    def __init__(self, field: str = "body") -> None:
        super().__init__(field, "takes too much time or memory to render")


@dataclass(frozen=True, slots=True)
class Rendered:
    """One recipient's message before it becomes a mail."""

    subject: str
    html: str
    text: str


def prepare(source: Source) -> Content:
    """Return the content to render from an author's source.

    Raises:
        BadTemplate: a field is no Jinja2, uses a name that no message has, or is no MJML.
    """
    known = VARIABLES | {"mirror_url"} if Switch.MIRROR in source.switches else VARIABLES
    _check("subject", source.subject, known)
    _check("text", source.text, known)
    _check("body", source.body, known)
    html = _from_mjml(source.body) if source.mjml else source.body
    _check("body", html, known)
    try:
        parts = make_followable(
            PLAIN,
            html=html,
            text=source.text,
            language=source.language,
            switches=source.switches,
        )
    except TooManyLinks:
        raise BadTemplate("body", f"has more than {MAX_LINKS} links to follow") from None
    # MJML writes its styles into the elements itself and keeps only media queries.
    styled = not source.mjml and "<style" in html.lower()
    ready = inlined_template(parts.html, PLACED) if styled else None
    return Content(
        language=source.language,
        subject=source.subject,
        html=ready or parts.html,
        inline_css=styled and ready is None,
        text=parts.text,
        from_name=source.from_name,
        from_address=source.from_address,
        switches=source.switches,
        links=parts.links,
        attachments=source.attachments,
        letter=source.letter,
        letter_window=source.letter_window,
        send_doubles=source.send_doubles,
        channel=source.channel,
        endpoint=source.endpoint,
    )


def _check(field: str, text: str, names: frozenset[str]) -> None:
    try:
        parsed = PLAIN.parse(text)
    except TemplateSyntaxError as problem:
        raise BadTemplate(field, f"line {problem.lineno}: {problem.message}") from None
    unknown = meta.find_undeclared_variables(parsed) - names
    if unknown:
        wrong, known = ", ".join(sorted(unknown)), ", ".join(sorted(names))
        hint = "; switch the mirror page on" if "mirror_url" in unknown else ""
        raise BadTemplate(field, f"{wrong} is not known; use {known}{hint}")


def _from_mjml(body: str) -> str:
    if _MJML_INCLUDE.search(body):
        # An include would read files of the machine that renders.
        raise BadTemplate("body", "mj-include is not allowed; put the part into the template")
    try:
        html: str = mjml.mjml2html(body)
    except (ValueError, OSError) as problem:
        raise BadTemplate("body", f"is no MJML: {str(problem)[:200]}") from None
    return html


def render(content: Content, variables: Mapping[str, Any]) -> Rendered:
    """Return the message of one recipient; its text part is made from the HTML when none is given.

    Raises:
        BadTemplate: a value is missing or does not fit; the field is named.
    """
    url = variables.get("unsubscribe_url")
    sources = sources_of(content, linked=bool(url))
    written = (content.subject, content.html, content.text)
    subject = header_value("subject", _one(sources.subject, written, variables))
    html = _one(sources.html, written, variables)
    if url and escape(url) not in html:
        html = before_end(html, html_link(escape(url), content.language))
    if content.inline_css:
        try:
            html = inlined(html)
        except InlineError:
            raise BadTemplate("body", "a style in it cannot be read") from None
    if sources.text is None:
        return Rendered(subject, html, text_of(html))
    text = _one(sources.text, written, variables)
    if url and url not in text:
        text += text_link(url, content.language)
    return Rendered(subject, html, text)


def header_value(field: str, text: str) -> str:
    """Return text for a header, its spaces put together.

    Raises:
        BadTemplate: it holds a line end, which could begin a header of its own.
    """
    if "\r" in text or "\n" in text:
        raise BadTemplate(field, "a value in it holds a line end, which no header may")
    return " ".join(text.split())


@lru_cache(maxsize=2_000)
def _target(link: TrackedLink) -> Field:
    html = link.part is Part.HTML
    template = (HTML if html else PLAIN).from_string(link.url)
    return Field("body" if html else "text", template, None)


def render_target(link: TrackedLink, variables: Mapping[str, Any]) -> str:
    """Return a personal link's target, written as it would stand in the message.

    Raises:
        BadTemplate: a value is missing or does not fit; the field is named.
    """
    return _one(_target(link), (link.url,), variables)


def _one(source: Field, written: tuple[str, ...], variables: Mapping[str, Any]) -> str:
    field = source.name
    try:
        text = source.template.render(variables)
    except UndefinedError as problem:
        raise BadTemplate(field, _missing(str(problem), written)) from None
    except MemoryError:
        raise TakesTooMuch(field) from None
    except Exception as problem:  # noqa: BLE001 - see below
        # A template can raise anything; its text may hold a recipient's data.
        raise BadTemplate(field, f"cannot be rendered ({type(problem).__name__})") from None
    if len(text) > MAX_RENDERED:
        raise BadTemplate(field, f"gets longer than {MAX_RENDERED} characters")
    return text


def _missing(message: str, written: tuple[str, ...]) -> str:
    found = _MISSING.search(message)
    name = next(filter(None, found.groups()), "") if found else ""
    # Only a name that stands in the template itself is certain to be no recipient's data.
    if name and any(name in text for text in written):
        return f"has no value for {name}"
    return "has no value for something it uses"


def with_subject(rendered: Rendered, prefix: str) -> Rendered:
    """Return the message with a prefix before its subject."""
    return replace(rendered, subject=prefix + rendered.subject)
