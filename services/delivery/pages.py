"""Small pages for people who come from a message: a title, a sentence, perhaps a button."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

Words = Mapping[str, Mapping[str, str]]

_PAGE: Final = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"></head>
<body style="font-family:sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem">
<h1>{title}</h1><p>{text}</p>{form}</body></html>
"""
_FORM: Final = (
    '<form method="post"><button type="submit" style="font-size:1rem;padding:.6rem 1.2rem">'
    "{button}</button></form>"
)
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def language_of(request: Request) -> str:
    """Return the language to answer in: the browser's, else the instance's."""
    wanted = request.headers.get("accept-language", "").strip().lower()
    if wanted:
        return "fr" if wanted.startswith("fr") else "en"
    language: str = request.app.state.runtime.settings.muster_language
    return language


def page(
    request: Request,
    words: Words,
    *,
    title: str,
    text: str,
    button: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a page; title, text and button are names among the words of its language."""
    language = language_of(request)
    said = words[language]
    filled = _PAGE.format(
        language=language,
        title=escape(said[title]),
        text=escape(said[text]),
        form=_FORM.format(button=escape(said[button])) if button else "",
    )
    return HTMLResponse(filled, status_code=status, headers=dict(_HEADERS) | dict(headers or {}))
