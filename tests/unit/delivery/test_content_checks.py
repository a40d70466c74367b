"""What is noticed in a message before it is approved, and what is never quoted of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.domain.content_checks import CLIPPED_AT, Check, Shown, warnings_of
from services.delivery.domain.markup import read

BODY = (
    '<h1 id="top">Spring is here</h1><p>Come and see us.</p>'
    '<a href="https://shop.example/a?b=1&amp;c=2">The shop</a> <a href="#top">Up</a>'
    '<a href="mailto:us@shop.example"><img src="https://shop.example/us.png" alt="Us"></a>'
    '<img src="https://shop.example/line.png" alt="">'
    '<a href="https://muster.example/u/proof">Unsubscribe</a>'
)
GOOD = Shown(
    subject="Spring is here",
    html=BODY,
    text="Spring is here. Come and see us.",
    written=("Spring is here", BODY, ""),
    ours=("https://muster.example/", "data:image/gif;base64,AAAA"),
)


def shown(body: str = "", **changes: Any) -> Shown:
    """Return the good message with more at its end, and other values."""
    more = {"html": BODY + body, "written": ("", BODY + body)} if body else {}
    return replace(GOOD, **more | changes)


def codes(message: Shown) -> list[str]:
    return [one.code for one in warnings_of(message)]


def test_a_good_message_has_nothing_to_look_at() -> None:
    assert warnings_of(GOOD) == ()


CASES = [
    (Check.SUBJECT_EMPTY, shown(subject=" ")),
    (Check.SUBJECT_LONG, shown(subject="a b " * 18)),
    (Check.SUBJECT_SHOUTS, shown(subject="LAST DAYS to SAVE".upper())),
    (Check.SUBJECT_SHOUTS, shown(subject="Come now!!")),
    (Check.PLACEHOLDER, shown(subject="Dear *|FNAME|*")),
    (Check.PLACEHOLDER, shown(text="Dear [[first name]], come and see")),
    (Check.PLACEHOLDER, shown("<p>Dear {{ contact.name }}</p>")),
    (Check.LINK_BROKEN, shown('<a href="">Here</a>')),
    (Check.LINK_BROKEN, shown('<a href="#">Here</a>')),
    (Check.LINK_BROKEN, shown('<a href="#nowhere">Here</a>')),
    (Check.LINK_BROKEN, shown('<a href="shop/sale">Here</a>')),
    (Check.LINK_BROKEN, shown('<a href="http://localhost:8000/">Here</a>')),
    (Check.LINK_BROKEN, shown('<a href="javascript:alert(1)">Here</a>')),
    (Check.LINK_BROKEN, shown('<a href="mailto:">Here</a>')),
    (Check.LINK_HTTP, shown('<a href="http://shop.example/">Here</a>')),
    (Check.LINK_NO_LABEL, shown('<a href="https://shop.example/"> </a>')),
    (
        Check.LINK_NO_LABEL,
        shown('<a href="https://shop.example/"><img src="https://x.example/1" alt=""></a>'),
    ),
    (Check.PICTURE_BROKEN, shown('<img src="logo.png" alt="Logo">')),
    (Check.PICTURE_BROKEN, shown('<img alt="Logo">')),
    (Check.PICTURE_HTTP, shown('<img src="http://x.example/1.png" alt="One">')),
    (Check.PICTURE_EMBEDDED, shown('<img src="data:image/png;base64,BBBB" alt="One">')),
    (Check.PICTURE_NO_ALT, shown('<img src="https://x.example/1.png">')),
    (Check.TEXT_POOR, shown(text="Unsubscribe: https://muster.example/u/a-long-link-here\n")),
    (Check.ACTIVE, shown("<form><input></form>")),
    (Check.CLIPPED, shown(f"<!--{'x' * CLIPPED_AT}-->")),
    (Check.TOO_LARGE, shown(attached_bytes=8 * 1024 * 1024)),
    (Check.NO_UNSUBSCRIBE, shown(has_unsubscribe=False)),
    (Check.NO_ONE_CLICK, shown(one_click=False)),
]


@pytest.mark.parametrize(("code", "message"), CASES)
def test_each_thing_is_noticed_alone_and_said_in_both_languages(
    code: Check, message: Shown
) -> None:
    [found] = warnings_of(message)
    assert found.code == code
    assert found.text != found.text_fr
    assert "{" not in (found.text + found.text_fr).replace("{{ contact.name }}", "")


def test_every_check_is_tried_above() -> None:
    assert {code for code, _ in CASES} == set(Check) - {Check.UNREAD}


@pytest.mark.parametrize(
    "body",
    [
        '<a href="tel:+33123456789">Call</a>',
        '<a name="end">No link at all</a>',
        '<img src="data:image/gif;base64,AAAA" alt="" width="1" height="1">',
        '<a href="HTTPS://SHOP.example/">Shop</a>',
        '<a href="https://shop.example/" title="The shop"></a>',
        '<a href="https://café.example/carte">La carte</a>',
        "<p>100 % of [our] prices: {less}, <% is no tag, $5, #1</p>",
        "<style>a{color:red}@media screen{a{color:blue}}</style>",
    ],
)
def test_what_is_usual_is_not_noticed(body: str) -> None:
    assert warnings_of(shown(body)) == ()


def test_a_link_of_this_product_is_not_the_authors_to_mend() -> None:
    page = '<a href="http://127.0.0.1:8080/u/proof">Unsubscribe</a>'
    assert codes(shown(page)) == [Check.LINK_BROKEN]
    assert codes(shown(page, ours=("http://127.0.0.1:8080/", "https://muster.example/"))) == []


def test_places_are_counted_and_the_first_are_shown() -> None:
    body = "".join(f'<a href="http://x.example/{n}">Go</a>' for n in range(5))
    [found] = warnings_of(shown(body))
    places = "http://x.example/0, http://x.example/1, http://x.example/2, …"
    assert found.text == f"Links to unprotected http:// addresses: 5 ({places})."
    assert found.text_fr == f"Liens vers des adresses http:// non protégées : 5 ({places})."


def test_what_weighs_most_stands_first() -> None:
    message = shown('<a href="http://x.example/">Go</a><a href="#">Go</a>', subject="LAST DAYS")
    assert codes(message) == [Check.LINK_BROKEN, Check.LINK_HTTP, Check.SUBJECT_SHOUTS]


@pytest.mark.parametrize(
    "rendered",
    [
        '<a href="http://x.example/ada.lovelace">Go</a>',
        '<img src="ada.lovelace" alt="You">',
        "<p>{{ ada.lovelace }}</p>",
        '<a href="#ada.lovelace">Go</a>',
    ],
)
def test_nothing_of_a_recipients_is_quoted(rendered: str) -> None:
    message = replace(
        GOOD, html=BODY + rendered, written=("", BODY + '<a href="{{ contact.link }}">Go</a>')
    )
    [found] = warnings_of(message)
    assert "lovelace" not in found.text + found.text_fr
    assert "5" in found.text or "3" in found.text or "…" in found.text


def test_sizes_are_said_as_each_language_writes_them() -> None:
    [found] = warnings_of(shown(attached_bytes=9 * 1024 * 1024))
    assert "12.0 MB" in found.text
    assert "12,0 Mo" in found.text_fr


PIECES = st.sampled_from(
    ("<a href='", "'>", "</a>", "<img src=x", " alt=", ">", "{{", "}}", "*|x|*", "<!--", "%%", "é")
) | st.sampled_from(("<script>", "http://x.example/", "#", "&amp;", "<area href=y>", "[[a]]"))


@given(st.lists(PIECES | st.text(max_size=8), max_size=30).map("".join), st.booleans())
def test_whatever_an_author_writes_is_answered_briefly(text: str, quoted: bool) -> None:
    written = (text,) if quoted else ()
    for found in warnings_of(Shown(subject=text, html=text, text=text, written=written)):
        assert len(found.text) <= 500
        assert len(found.text_fr) <= 500


def test_what_stands_in_a_script_or_a_style_is_no_label() -> None:
    [link] = read('<a href="x"><style>a{}</style><script>go()</script></a>').links
    assert not link.is_labelled
