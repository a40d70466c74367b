"""Composing: the quick way and rendering make the same mail, whatever is placed."""

from __future__ import annotations

import quopri
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import lru_cache
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import settings as without_deadline
from hypothesis import strategies as st

from services.delivery.compose import Composer
from services.delivery.content.plan import plan_of
from services.delivery.content.quoted_printable import encoded, encoded_value
from services.delivery.domain.content import Content, Source
from services.delivery.domain.runs import RunKind
from services.delivery.rendering import BadTemplate, prepare
from services.delivery.settings import DeliverySettings
from services.delivery.store.sending import Claimed

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
BODY = """<html><head><title>For {{ contact.first_name }}</title></head><body>
<!--[if mso]><a href="{{ ctx.link }}"> {{ site.name }} </a><![endif]-->
<p title="{{ site.name }}">Dear {{ contact.first_name }}  {{ contact.last_name }},</p>
<ul><li>{{ ctx.a }}</li><li> {{ ctx["b"] }}{{ ctx.a }}</li></ul>
<p>A line that is long enough to be broken somewhere, with = and é, for {{ ctx.b }}.</p>
<a href="https://example.org/?q={{ ctx.a }}">See</a> <a href="{{ ctx.link }}">{{ ctx.b }}</a>
<a href="{{ ctx.link }}">{{ ctx.link }}</a> <a href="https://x.example">{{ ctx.a }}</a>
<a href="{{ ctx.link }}">Hello {{ ctx.a }}</a>
<img src="cid:x" alt="{{ ctx.b }}"></body></html>"""
SOURCE = Source(
    language="en",
    subject="Hi {{ contact.first_name }}, from {{ site.name }}",
    body=BODY,
    mjml=False,
    text="",
    from_name="Example",
    from_address="news@example.org",
)
TEXT = """Dear {{ contact.first_name }},
{{ ctx.a }}
.{{ ctx.b }}
{{ site.name }}{{ ctx.link }}"""

words = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            " ",
            ".",
            "..",
            "=",
            "=3D",
            "a  b",
            " edge ",
            "ends\t",
            "&lt;b&gt; & 'q' \"d\"",
            "</p><script>",
            "-->",
            "#top",
            "https://x.example",
            "Hello",
            "line\nline",
            "line\r\nline\r",
            "\n",
            "From me",
            "سلام\u200fعالم",
            "👩‍👩‍👧 élan",
            "\u2028\x85\x0b\x00",
            "x" * 75,
            "x" * 76,
            "é" * 500,
            "y" * 3000,
            "a.\n.\n..\n",
        ]
    ),
)
whatever = st.one_of(words, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False))


def settings(**more: Any) -> DeliverySettings:
    values = {
        "database_url": "postgresql://x/x",
        "kafka_bootstrap": "x:1",
        "muster_secret_key": "a-secret-for-tests",
        "public_url": "https://m.example",
    }
    return DeliverySettings(**values | more)


def row(merge: dict[str, Any], kind: RunKind = RunKind.CAMPAIGN, **more: Any) -> Claimed:
    values: dict[str, Any] = {
        "run_id": UUID(int=1),
        "member_id": UUID(int=2),
        "recipient_key": "ab" * 16,
        "address": "ada@x.example",
        "merge": merge,
        "number": 1,
        "kind": kind,
        "template_hash": "",
        "campaign_number": 7,
        "campaign_label": "Spring",
        "subject_prefix": "",
        "retry_until": NOW + timedelta(hours=1),
    }
    return Claimed(**values | more)


def merge_of(first: Any, last: Any, name: Any, a: Any, b: Any, link: Any) -> dict[str, Any]:
    return {
        "contact": {"first_name": first, "last_name": last},
        "site": {"name": name},
        "ctx": {"a": a, "b": b, "link": link},
    }


def read(raw: bytes) -> EmailMessage:
    """Parse a mail as strictly as can be."""
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    body = raw.partition(b"\r\n\r\n")[2].split(b"\r\n")
    assert max(map(len, body)) <= 76
    for part in mail.walk():
        assert not part.defects
        assert not [header.defects for header in part.values() if header.defects]
    return mail


def decoded(mail: EmailMessage) -> tuple[str, bytes, bytes]:
    found = []
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        found.append(part.get_payload(decode=True))
    assert isinstance(found[0], bytes)
    assert isinstance(found[1], bytes)
    return mail["Subject"], found[0], found[1]


def outcome(composer: Composer, claimed: Claimed) -> bytes | tuple[str, str]:
    try:
        return composer.compose(claimed, at=NOW)
    except BadTemplate as problem:
        return problem.field, problem.reason


@lru_cache
def quick(content: Content) -> Composer:
    return Composer(content, settings())


@lru_cache
def rendering(content: Content) -> Composer:
    """Return a composer that plans nothing and renders every mail."""
    composer = Composer(content, settings())
    composer._plans = {True: None, False: None}
    return composer


CONTENTS = {text: prepare(replace(SOURCE, text=text)) for text in ("", TEXT)}


@pytest.mark.parametrize("text", ["", TEXT], ids=["derived", "own"])
@pytest.mark.parametrize("kind", list(RunKind))
@without_deadline(deadline=None, max_examples=50)
@given(first=words, last=whatever, name=words, a=whatever, b=whatever, link=words)
def test_the_quick_way_and_rendering_make_the_same_mail(
    text: str, kind: RunKind, first: Any, last: Any, name: Any, a: Any, b: Any, link: Any
) -> None:
    claimed = row(merge_of(first, last, name, a, b, link), kind)
    found, wanted = (
        outcome(quick(CONTENTS[text]), claimed),
        outcome(rendering(CONTENTS[text]), claimed),
    )
    if isinstance(wanted, tuple) or isinstance(found, tuple):
        assert found == wanted
        return
    assert decoded(read(found)) == decoded(read(wanted))


def test_the_quick_way_is_taken_for_templates_that_place_values() -> None:
    for content in CONTENTS.values():
        assert plan_of(content, linked=True) is not None
        assert plan_of(content, linked=False) is not None


@pytest.mark.parametrize(
    "body",
    [
        "{% if contact.first_name %}x{% endif %}",
        "{{ contact.first_name|upper }}",
        "{{ ctx.items }}",
        "{{ contact[0] }}",
        "{{ range }}",
        "{{ 'x' }}",
        "<a href={{ ctx.a }}>x</a>",
        "<{{ ctx.a }}>",
        "<p {{ ctx.a }}>",
        "</{{ ctx.a }}>",
        "<!{{ ctx.a }}-- x -->",
        "<!-- x --{{ ctx.a }}> y -->",
        "<!--{{ ctx.a }}-->",
        "<!-- x {{ ctx.a }}>",
        "&{{ ctx.a }} x",
        "&am{{ ctx.a }}",
        '<a href="{{ ctx.a }}{{ ctx.b }}">{{ ctx.b }}</a>',
    ],
)
def test_a_template_whose_form_hangs_on_values_is_rendered_for_each(body: str) -> None:
    assert plan_of(prepare(replace(SOURCE, body=body)), linked=False) is None


HOSTILE_BODIES = [
    "<a href={{ ctx.a }}>x</a>",
    "<{{ ctx.a }}>x",
    "a &{{ ctx.a }} b &am{{ ctx.b }}",
    '<a href="#{{ ctx.a }}">{{ ctx.b }}</a>',
    '<a href="{{ ctx.a }}">{{ ctx.b }}</a><a href="{{ ctx.b }}">{{ ctx.b }}</a>',
    '<a href="https://{{ ctx.a }}">https://</a><a href="">{{ ctx.a }}</a>',
    "<style>p { color: {{ ctx.a }} }</style><script>{{ ctx.b }}</script>x",
    "<table>{{ ctx.a }}<tr><td>{{ ctx.b }}</table>",
    "<textarea>{{ ctx.a }}</textarea><pre>{{ ctx.b }}\n {{ ctx.a }}</pre>",
    "{{ ctx.a }}{{ ctx.b }}{{ ctx.a }}",
    "x\n\n\n{{ ctx.a }}",
    "<p>{{ ctx.a }}</p><p>{{ ctx.b }}</p>",
    "<!-- {{ ctx.a }} -->x{{ ctx.b }}",
]


@pytest.mark.parametrize("body", HOSTILE_BODIES)
@without_deadline(deadline=None, max_examples=25)
@given(a=whatever, b=whatever)
def test_hostile_templates_make_the_same_mail_both_ways(body: str, a: Any, b: Any) -> None:
    content = prepare(replace(SOURCE, subject="x", body=body))
    claimed = row(merge_of("", "", "", a, b, ""), RunKind.TRANSACTIONAL)
    found = outcome(quick(content), claimed)
    wanted = outcome(rendering(content), claimed)
    assert isinstance(found, bytes)
    assert isinstance(wanted, bytes)
    assert decoded(read(found)) == decoded(read(wanted))


def test_a_missing_value_is_named_and_ends_the_one_recipient() -> None:
    composer = quick(CONTENTS[""])
    merge = merge_of("Ada", "L", "Moulin", "a", "b", "c")
    assert isinstance(outcome(composer, row(merge)), bytes)
    del merge["ctx"]["b"]
    assert outcome(composer, row(merge)) == ("body", "has no value for b")


@without_deadline(deadline=None)
@given(st.text(alphabet="a \té=.\n", max_size=400))
def test_no_line_is_longer_than_76_octets_and_decoding_gives_the_text(text: str) -> None:
    for body, wanted in ((encoded(text), text + "\n"), (encoded_value(text), text)):
        assert max(map(len, body.split(b"\r\n"))) <= 76
        assert quopri.decodestring(body).replace(b"\r\n", b"\n").decode() == wanted


@without_deadline(deadline=None)
@given(subject=words)
def test_subjects_survive_in_lines_of_78_octets(subject: str) -> None:
    content = prepare(replace(SOURCE, subject="A spring {{ ctx.a }} for all {{ ctx.a }}"))
    found = outcome(quick(content), row(merge_of("", "", "", subject, "", "")))
    if isinstance(found, tuple):
        assert found[0] == "subject"
        assert {"\r", "\n"} & set(subject)
        return
    head = found.partition(b"\r\n\r\n")[0].split(b"\r\n")
    # An address of a page and a Message-ID are one word each.
    folded = [line for line in head if not line.startswith((b"List-Unsubscribe:", b"Message-ID:"))]
    assert max(map(len, folded)) <= 78
    wanted = " ".join(f"A spring {subject} for all {subject}".split())
    assert message_from_bytes(found, policy=default)["Subject"] == wanted
