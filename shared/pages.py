"""Pages for people who come from a message or a card: a frame, a language, strict headers."""

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
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: {width}; margin: 2rem auto; }}
body {{ padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin: .5rem 0; }}
button {{ font: inherit; padding: .6rem 1.2rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }}
dt {{ opacity: .75; }} dd {{ margin: 0; overflow-wrap: anywhere; }}
iframe {{ width: 100%; height: 75vh; border: 1px solid #8886; background: #fff; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
</style></head>
<body><h1>{title}</h1>{body}</body></html>
"""
_FORM: Final = '<form method="post"><button type="submit">{button}</button></form>'
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
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


def sheet(
    request: Request,
    title: str,
    body: str,
    *,
    width: str = "32rem",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a page; ``title`` is text, ``body`` is HTML."""
    html = _PAGE.format(language=language_of(request), title=escape(title), body=body, width=width)
    return HTMLResponse(html, status_code=status, headers=_HEADERS | dict(headers or {}))


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
    """Return a page with one sentence; title, text and button are names among the words."""
    said = words[language_of(request)]
    form = _FORM.format(button=escape(said[button])) if button else ""
    body = f"<p>{escape(said[text])}</p>{form}"
    return sheet(request, said[title], body, status=status, headers=headers)
