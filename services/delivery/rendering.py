"""Rendering: Jinja2 in an immutable sandbox, MJML, CSS into elements, text from HTML.

Authors' templates run here over recipients' data. They can read what they are given, and nothing
else: attributes of Python's own are closed to them, a missing value is an error that names it, and
values are escaped in HTML. No reason of an error repeats a recipient's data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import css_inline
import mjml
from jinja2 import TemplateSyntaxError, UndefinedError, meta
from markupsafe import escape

from services.delivery.content.sources import (
    PLAIN,
    VARIABLES,
    Field,
    before_end,
    html_link,
    sources_of,
    text_link,
)
from services.delivery.domain.content import Content, Source
from services.delivery.plain_text import text_of

MAX_RENDERED: Final = 2_000_000

_inliner = css_inline.CSSInliner(
    load_remote_stylesheets=False, keep_style_tags=True, keep_at_rules=True
)
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
    _check("subject", source.subject)
    _check("text", source.text)
    _check("body", source.body)
    html = _from_mjml(source.body) if source.mjml else source.body
    _check("body", html)
    return Content(
        language=source.language,
        subject=source.subject,
        html=html,
        # MJML writes its styles into the elements itself and keeps only media queries.
        inline_css=not source.mjml and "<style" in html.lower(),
        text=source.text,
        from_name=source.from_name,
        from_address=source.from_address,
    )


def _check(field: str, text: str) -> None:
    try:
        parsed = PLAIN.parse(text)
    except TemplateSyntaxError as problem:
        raise BadTemplate(field, f"line {problem.lineno}: {problem.message}") from None
    unknown = meta.find_undeclared_variables(parsed) - VARIABLES
    if unknown:
        names = ", ".join(sorted(unknown))
        known = ", ".join(sorted(VARIABLES))
        raise BadTemplate(field, f"{names} is not known; use {known}")


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
    subject = header_value("subject", _one(sources.subject, content, variables))
    html = _one(sources.html, content, variables)
    if url and escape(url) not in html:
        html = before_end(html, html_link(escape(url), content.language))
    if content.inline_css:
        html = _inliner.inline(html)
    if sources.text is None:
        return Rendered(subject, html, text_of(html))
    text = _one(sources.text, content, variables)
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


def _one(source: Field, content: Content, variables: Mapping[str, Any]) -> str:
    field = source.name
    try:
        text = source.template.render(variables)
    except UndefinedError as problem:
        raise BadTemplate(field, _missing(str(problem), content)) from None
    except Exception as problem:  # noqa: BLE001 - see below
        # A template can raise anything; its text may hold a recipient's data.
        raise BadTemplate(field, f"cannot be rendered ({type(problem).__name__})") from None
    if len(text) > MAX_RENDERED:
        raise BadTemplate(field, f"gets longer than {MAX_RENDERED} characters")
    return text


def _missing(message: str, content: Content) -> str:
    found = _MISSING.search(message)
    name = next(filter(None, found.groups()), "") if found else ""
    # Only a name that stands in the template itself is certain to be no recipient's data.
    if name and any(name in text for text in (content.subject, content.html, content.text)):
        return f"has no value for {name}"
    return "has no value for something it uses"


def with_subject(rendered: Rendered, prefix: str) -> Rendered:
    """Return the message with a prefix before its subject."""
    return replace(rendered, subject=prefix + rendered.subject)
