"""Links of a content: which are followed, what they become, and tokens that cannot be made up."""

from __future__ import annotations

import re
from binascii import a2b_qp
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.delivery.content.plan import plan_of
from services.delivery.domain.content import Content, Source
from services.delivery.domain.tracking import FIRST_LINK, MAX_LINKS, Switch
from services.delivery.domain.urls import NotWeb, Utm, attribute_text, web_target, with_utm
from services.delivery.mail import parts_of
from services.delivery.personal import variables
from services.delivery.rendering import BadTemplate, prepare, render, render_target
from services.delivery.settings import DeliverySettings
from services.delivery.tracking.personal_links import Links, followed_links, plain_links
from services.delivery.tracking.tokens import MAX_NUMBER, Signed, read_followed, tracking_key

SETTINGS = DeliverySettings.model_validate(
    {
        "database_url": "postgresql://u:p@127.0.0.1/x",
        "kafka_bootstrap": "127.0.0.1:9092",
        "muster_secret_key": "a-secret-for-tests-only",
        "public_url": "https://muster.example",
    }
)
KEY = tracking_key(SETTINGS.secret)
RUN, MEMBER = uuid4(), uuid4()
CLICKS, EVERYTHING = frozenset({Switch.CLICKS}), frozenset(Switch)


def content(body: str, switches: frozenset[Switch] = CLICKS, text: str = "") -> Content:
    source = Source("en", "Hello", body, False, text, "Us", "us@example.org", switches)
    return prepare(source)


def values(**contact: Any) -> dict[str, Any]:
    merge = {
        "contact": {"first_name": "Ada"} | contact,
        "site": {"town": "Lyon"},
        "ctx": {
            "items": [{"url": "https://loop.example/1"}],
            "url": "https://ctx.example/?a=1&b=2",
        },
    }
    return variables(
        merge, number=7, label="Été 2026", unsubscribe_url="https://muster.example/u/t"
    )


def links(made: Content, of: dict[str, Any]) -> Links:
    return followed_links(made, of, SETTINGS, run_id=RUN, member_id=MEMBER, label="Été 2026")


def hrefs(made: Content, of: dict[str, Any]) -> list[str]:
    named = links(made, of)
    html = render(made, of | {"links": named.named, "mirror_url": named.mirror_url}).html
    return re.findall(r'href\s*=\s*"([^"]*)"', html, re.IGNORECASE)


def test_a_content_without_switches_keeps_its_hash_and_its_html() -> None:
    plain = Source("en", "Hello", '<a href="https://x.example">x</a>', False, "", "Us", "u@x.org")
    assert plain.template_hash == (
        "1ca03d02838b03f38360dbf92842db8f162ccf618d7c308e0463e61ad5537813"
    )
    assert prepare(plain).html == plain.body
    assert prepare(plain).links == ()


def test_every_switch_changes_the_hash() -> None:
    hashes = {
        Source("en", "s", "b", False, "", "n", "a", frozenset(chosen)).template_hash
        for chosen in [(), *([switch] for switch in Switch), tuple(Switch)]
    }
    assert len(hashes) == 6


@pytest.mark.parametrize(
    "link",
    [
        '<a href="https://x.example">x</a>',
        "<a class='b' HREF='http://x.example/p?a=1&amp;b=2#f'>x</a>",
        '<A\n  title="a > b" href = "https://x.example">x</A>',
        "<a href=https://x.example/p>x</a>",
        '<a href="https://x.example/{{ contact["first_name"] }}">x</a>',
        '<a href="{{ ctx.url }}">x</a>',
        '<a href="{% if contact.first_name %}https://a.example{% endif %}/b">x</a>',
        '{% for item in ctx["items"] %}<a href="https://x.example">x</a>{% endfor %}',
        '<a {% if contact.first_name %}class="y"{% endif %} href="https://x.example">x</a>',
        '<!--[if mso]><a href="https://x.example">x</a><![endif]-->',
    ],
)
def test_a_web_link_is_followed(link: str) -> None:
    made = content(f"<body>{link}</body>")
    assert len(made.links) == 2
    token = hrefs(made, values())[0].removeprefix("https://muster.example/t/")
    followed = read_followed(KEY, token)
    assert followed is not None
    assert (followed.run_id, followed.member_id, followed.number) == (RUN, MEMBER, FIRST_LINK)


@pytest.mark.parametrize(
    "link",
    [
        '<a href="mailto:a@x.example">x</a>',
        '<a href="#top">x</a>',
        '<a href="/relative">x</a>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="ftp://x.example">x</a>',
        '<a href="https://">x</a>',
        '<a href="{{ unsubscribe_url }}">x</a>',
        '<a name="x">x</a>',
        '<abbr href="https://x.example">x</abbr>',
        '<a data-href="https://x.example">x</a>',
        '{% raw %}<a href="https://x.example">x</a>{% endraw %}',
        '{# <a href="https://x.example">x</a> #}',
        "{{ '<a href=\"https://x.example\">' }}",
        '{% for item in ctx["items"] %}<a href="{{ item.url }}">x</a>{% endfor %}',
        '{% for contact in ctx["items"] %}<a href="https://x/{{ contact.url }}">x</a>{% endfor %}',
        '{% set site = ctx %}<a href="https://x/{{ site.url }}">x</a>',
    ],
)
def test_what_cannot_be_followed_stays_as_it_is(link: str) -> None:
    made = content(f"<body>{link}</body>")
    assert link in made.html
    assert [one.number for one in made.links] == [2]


def test_a_loops_own_link_still_leads_where_it_did() -> None:
    made = content('{% for item in ctx["items"] %}<a href="{{ item.url }}">x</a>{% endfor %}')
    assert hrefs(made, values())[0] == "https://loop.example/1"


def test_a_personal_link_that_is_no_web_page_keeps_its_target() -> None:
    made = content('<a href="{{ ctx.mail }}">x</a>')
    of = values()
    of["ctx"]["mail"] = "mailto:ada@x.example"
    assert hrefs(made, of)[0] == "mailto:ada@x.example"


def test_a_missing_value_in_a_link_is_told_when_the_message_is_made() -> None:
    made = content('<a href="https://x.example/{{ contact.nothing }}">x</a>')
    with pytest.raises(BadTemplate, match="has no value for nothing"):
        links(made, values())


def test_links_of_the_text_part_are_followed_without_the_full_stop_behind_them() -> None:
    made = content(
        "<p>x</p>",
        text="See https://x.example/a?b=1. Or (https://y.example/{{ contact.first_name }})!",
    )
    named = links(made, values()).named
    text = render(made, values() | {"links": named}).text
    assert f"See {named['click_4']}. Or ({named['click_5']})!" in text
    assert plain_links(made, values()) == {
        "click_4": "https://x.example/a?b=1",
        "click_5": "https://y.example/Ada",
    }


def test_plain_links_are_what_the_author_wrote_as_a_browser_reads_it() -> None:
    made = content('<a href="https://x.example/?a=1&amp;b=2">x</a> <a href="{{ ctx.url }}">y</a>')
    assert plain_links(made, values()) == {
        "click_4": "https://x.example/?a=1&b=2",
        "click_5": "https://ctx.example/?a=1&b=2",
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("?a=1&b=2", "?a=1&b=2"),
        ("?a=1&amp;b=2", "?a=1&b=2"),
        ("?a=1&copy=2&section=3", "?a=1&copy=2&section=3"),
        ("?a=1&copy;=2", "?a=1©=2"),
        ("?a=&copy", "?a=©"),
        ("?a=&#38;&#x26;&nothing;", "?a=&&&nothing;"),
    ],
)
def test_an_attribute_is_read_as_browsers_read_it(written: str, read: str) -> None:
    assert attribute_text(written) == read


def test_a_value_in_a_link_is_placed_as_rendering_would() -> None:
    made = content(
        '<a href="https://x.example/?n={{ contact.n }}&m={{ contact.n }}">x</a>'
        '<a href="https://x.example/&am{{ contact.n }}">y</a>'
        '<a href="https://x.example/{{ contact.n | upper }}">z</a>'
    )
    of = values(n="p;<é \"&amp;'>")
    assert list(plain_links(made, of).values()) == [
        "https://x.example/?n=p;<é \"&amp;'>&m=p;<é \"&amp;'>",
        "https://x.example/&<é \"&amp;'>",
        "https://x.example/P;<É \"&AMP;'>",
    ]
    for link in made.links[1:]:
        rendered = attribute_text(render_target(link, of)).strip()
        assert plain_links(made, of)[link.name] == rendered


def test_labels_are_what_stands_in_the_link() -> None:
    made = content(
        '<a href="https://x.example"><b>Read &amp;\n more</b></a>'
        '<a href="https://y.example"><img src="i.png" alt="Our shop"></a>'
        '<a href="https://z.example"></a>'
    )
    assert [one.label for one in made.links[1:]] == ["Read & more", "Our shop", "https://z.example"]


def test_the_pixel_stands_at_the_end_and_a_proof_opens_nothing() -> None:
    made = content("<body><p>x</p></body>", frozenset({Switch.OPENS}))
    assert made.html.endswith('width:1px;height:1px"></body>')
    named = links(made, values()).named
    assert re.fullmatch(r"https://muster\.example/o/[\w-]{43}\.1\.[\w-]{16}\.gif", named["open"])
    assert plain_links(made, values())["open"].startswith("data:image/gif;base64,")


def test_a_mirror_link_is_added_unless_the_author_wrote_one() -> None:
    mirror = frozenset({Switch.MIRROR})
    added = content("<html><body class='x'><p>Hi</p></body></html>", mirror)
    assert "<body class='x'><p" in added.html
    assert "View in your browser" in added.html
    written = content('<a href="{{ mirror_url }}">mirror</a>', mirror)
    assert written.html.count("mirror_url") == 1
    with pytest.raises(BadTemplate, match="switch the mirror page on"):
        content('<a href="{{ mirror_url }}">mirror</a>')


def test_campaign_parameters_are_added_to_web_links_only() -> None:
    made = content(
        '<a href="https://x.example/p?a=1#f">x</a><a href="mailto:a@x.example">m</a>'
        '<a href="{{ unsubscribe_url }}">u</a>',
        frozenset({Switch.UTM}),
    )
    campaign = "utm_campaign=%C3%89t%C3%A9+2026"
    assert hrefs(made, values()) == [
        f"https://x.example/p?a=1&amp;utm_source=muster&amp;utm_medium=email&amp;{campaign}#f",
        "mailto:a@x.example",
        "https://muster.example/u/t",
    ]


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://x.example", "https://x.example?utm_source=s&utm_medium=m&utm_campaign=c"),
        ("https://x/?q=%20a", "https://x/?q=%20a&utm_source=s&utm_medium=m&utm_campaign=c"),
        ("https://x/?utm_source=o#f", "https://x/?utm_source=o&utm_medium=m&utm_campaign=c#f"),
        ("mailto:a@x", "mailto:a@x"),
    ],
)
def test_utm_keeps_what_is_there(url: str, wanted: str) -> None:
    assert with_utm(url, Utm("s", "m", "c")) == wanted


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://x.example/é?q=ü#ç", "https://x.example/%C3%A9?q=%C3%BC#%C3%A7"),
        (" https://x.example/a b ", "https://x.example/a%20b"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://u:p@x.example:8443/%41", "https://u:p@x.example:8443/%41"),
        ("HTTP://[::1]/", "http://[::1]/"),
    ],
)
def test_a_web_target_fits_a_header(url: str, wanted: str) -> None:
    assert web_target(url) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//x.example",
        "https://",
        "https:///x",
        "data:text/html,x",
        "https://x.example/\r\nSet-Cookie: a=b",
        "https://x.example/\x00",
        "https://x.example:port/",
        "http://x\\@y.example/",
        "https://" + "x" * 9000,
        "",
    ],
)
def test_anything_else_is_no_target(url: str) -> None:
    with pytest.raises(NotWeb):
        web_target(url)


def test_tokens_are_read_back_and_nothing_near_them_is() -> None:
    signed = Signed(KEY, RUN, MEMBER, most=MAX_NUMBER)
    for number in (1, 2, 4, 37, MAX_NUMBER):
        token = signed.token(number)
        followed = read_followed(KEY, token)
        assert followed is not None
        assert (followed.run_id, followed.member_id, followed.number) == (RUN, MEMBER, number)
        for at in range(len(token)):
            other = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
            assert read_followed(KEY, other) is None, other
    head, _, piece = signed.token(4).split(".")
    wrong = ["", ".", "..", f"{head}.5.{piece}", f"{head}.04.{piece}", f"{head}.4.{piece}x"]
    wrong += [f"{head}.٤.{piece}", f"{head}.9999.{piece}", f"{head}.4.", f"{head}.4.{piece}\n"]
    for token in wrong:
        assert read_followed(KEY, token) is None, token
    assert read_followed(tracking_key(b"another secret"), signed.token(4)) is None


def test_a_token_does_not_depend_on_how_many_links_there_are() -> None:
    few, many = (Signed(KEY, RUN, MEMBER, most=most) for most in (4, 400))
    assert few.token(4) == many.token(4)
    assert (
        Signed(KEY, RUN, UUID(int=1), most=4).token(4).split(".")[2] != few.token(4).split(".")[2]
    )


def test_more_links_than_are_followed_are_refused() -> None:
    body = '<a href="https://x.example">x</a>' * MAX_LINKS
    assert content(body).links[-1].number == MAX_NUMBER
    with pytest.raises(BadTemplate, match="more than 500 links"):
        content(body + '<a href="https://x.example">x</a>')


def test_a_hostile_source_does_not_hold_up_the_search() -> None:
    for odd in ("<a " + '"' * 3000, "<a href=" + "'{" * 3000, "<a" + " a=" * 3000, "<a " * 3000):
        assert content(odd + "<p>x</p>").html == odd + "<p>x</p>"


def test_a_followed_content_that_only_places_values_is_still_made_ready_once() -> None:
    made = content(
        '<body><p>{{ contact.first_name }}</p><a href="https://x.example">x</a>'
        '<a href="https://x.example/{{ site.town }}">y</a></body>',
        EVERYTHING,
    )
    plan = plan_of(made, linked=True)
    assert plan is not None
    named = links(made, values())
    of = values() | {"links": named.named, "mirror_url": named.mirror_url}
    ready, rendered = plan.parts(of), parts_of(render(made, of))
    for ours, theirs in ((ready.text, rendered.text), (ready.html, rendered.html)):
        assert a2b_qp(ours) == a2b_qp(theirs)
