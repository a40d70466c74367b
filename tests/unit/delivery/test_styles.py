"""Style sheets: moved into the elements once, with the outcome of moving them for each mail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.delivery.content.sources import HTML, VARIABLES
from services.delivery.content.structure import read
from services.delivery.content.styles import inlined, inlined_template
from services.delivery.domain.content import Source
from services.delivery.rendering import prepare

BODY = """<!doctype html><html><head><title>{{ ctx.a }}</title><style>
p { color: red } a:hover { color: blue } .x td { padding: 1px } p + p { margin: 0 }
@media (max-width: 600px) { p { color: green } }
</style></head><body class="x">
<p>Dear {{ ctx.a }}</p><p title="{{ ctx.b }}">é {{ ctx["items"] }}&nbsp;x</p>
<table><tr><td>{{ ctx.a }}</td></tr></table>
<a href="https://x.example/?a=1&amp;b={{ ctx.b }}">x</a></body></html>"""
values = st.one_of(st.text(max_size=20), st.sampled_from(["", " ", "<b>&'\"", "&amp;", "é\u00a0"]))


@settings(deadline=None, max_examples=60)
@given(a=values, b=values)
def test_styles_moved_once_look_like_styles_moved_in_every_mail(a: str, b: str) -> None:
    template = inlined_template(BODY, VARIABLES)
    assert template is not None
    given_values: dict[str, Any] = {"ctx": {"a": a, "b": b, "items": a}}
    once = HTML.from_string(template).render(given_values)
    each = inlined(HTML.from_string(BODY).render(given_values))
    # NUL and line ends are what the parser of the inliner changes; the rest stays as it was.
    if not {"\x00", "\r"} & {*a, *b}:
        assert read(once).seen == read(each).seen
    assert '<p style="color: red' in once


@pytest.mark.parametrize(
    "body",
    [
        "<style>p {color: {{ ctx.a }}}</style><p>x</p>",
        '<style>.a {color: red}</style><p class="{{ ctx.a }}">x</p>',
        '<style>#a {color: red}</style><p id="{{ ctx.a }}">x</p>',
        '<style>p {color: red}</style><p style="{{ ctx.a }}">x</p>',
        '<style>[title=a] {color: red}</style><p title="{{ ctx.a }}">x</p>',
        "<style>p:empty {color: red}</style><p>{{ ctx.a }}</p>",
        "<style>p {color: red}</style><table>{{ ctx.a }}<tr><td>x</td></tr></table>",
        "<style>p {color: red}</style>{% if ctx.a %}<p>x</p>{% endif %}",
        "<style>p {color: red}</style><p {{ ctx.a }}>x</p>",
        "<style>p {color: red}</style>{% raw %}{{ x }}{% endraw %}",
    ],
)
def test_styles_that_hang_on_values_are_moved_in_every_mail(body: str) -> None:
    assert inlined_template(body, VARIABLES) is None
    content = prepare(
        Source(
            language="en",
            subject="x",
            body=body,
            mjml=False,
            text="",
            from_name="",
            from_address="news@example.org",
        )
    )
    assert (content.inline_css, content.html) == (True, body)
