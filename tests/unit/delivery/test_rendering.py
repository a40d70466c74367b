"""Rendering: what authors can and cannot do, what readers get."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.delivery.domain.content import Source, content_hash, proof_prefix
from services.delivery.personal import variables
from services.delivery.plain_text import text_of
from services.delivery.rendering import BadTemplate, Rendered, prepare, render
from topics.letters import LetterWindow

SOURCE = Source(
    language="en",
    subject="Hi {{ contact.first_name }}",
    body="<p>{{ site.name }}</p>",
    mjml=False,
    text="",
    from_name="Example",
    from_address="news@example.org",
)
MERGE = {"contact": {"first_name": "Ada", "email": "ada@secret.example"}, "site": {"name": "A & B"}}


def rendered(url: str = "", merge: dict[str, Any] = MERGE, **changes: Any) -> Rendered:
    content = prepare(replace(SOURCE, **changes))
    return render(content, variables(merge, number=7, label="Spring", unsubscribe_url=url))


def problem(**changes: Any) -> tuple[str, str]:
    with pytest.raises(BadTemplate) as caught:
        rendered(**changes)
    return caught.value.field, caught.value.reason


def test_values_are_escaped_in_html_and_stand_as_they_are_in_text_and_subject() -> None:
    found = rendered(subject="For {{ site.name }}", text="For {{ site.name }}")
    assert (found.subject, found.html, found.text) == (
        "For A & B",
        "<p>A &amp; B</p>",
        "For A & B",
    )


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_line_end_in_a_value_of_the_subject_is_refused_naming_the_field(end: str) -> None:
    merge = {"contact": {"first_name": f"Ada{end}Bcc: all@x.example"}, "site": {"name": ""}}
    field, reason = problem(merge=merge)
    assert (field, reason) == ("subject", "a value in it holds a line end, which no header may")


def test_an_authors_own_line_end_in_a_subject_is_a_space() -> None:
    assert rendered(subject="Hi\n{{ contact.first_name }}").subject == "Hi Ada"


def test_the_link_stands_where_the_author_put_it_and_at_the_end_otherwise() -> None:
    url = "https://m.example/u/abc"
    own = rendered(url, body='<body><a href="{{ unsubscribe_url }}">out</a></body>')
    assert own.html.count(url) == 1
    added = rendered(url, body="<html><body><p>x</p></BODY></html>", text="x", language="fr")
    assert added.html.index("Se désabonner") < added.html.index("</BODY>")
    assert added.text == f"x\n\nSe désabonner: {url}"
    assert "Unsubscribe" in rendered(url, body="<p>x</p>").html
    assert "Unsubscribe" not in rendered("").html


def test_mjml_becomes_html() -> None:
    body = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{ contact.first_name }}</mj-text>"
        "</mj-column></mj-section></mj-body></mjml>"
    )
    found = rendered(body=body, mjml=True)
    assert "Hi Ada" in found.html
    assert "<table" in found.html
    assert "Hi Ada" in found.text


def test_styles_are_moved_into_elements_and_nothing_is_fetched() -> None:
    head = '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"><style>p {color: red}</style>'
    found = rendered(body=f"<html><head>{head}</head><body><p>x</p></body></html>")
    assert '<p style="color: red' in found.html


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"subject": "{{ contact."}, "subject", "line 1"),
        ({"text": "{% for x in %}"}, "text", "line 1"),
        ({"body": "{{ kontact.name }}"}, "body", "kontact is not known"),
        ({"body": "hello", "mjml": True}, "body", "is no MJML"),
        (
            {"body": "<mjml><mj-body><mj-include path='/etc/passwd'/></mj-body></mjml>", "mjml": 1},
            "body",
            "mj-include is not allowed",
        ),
        ({"body": "{{ contact.surname }}"}, "body", "has no value for surname"),
        (
            {"body": "<style>p {color: red}</style><p style=\"{{ '\\x22;=' }}\">x</p>"},
            "body",
            "a style in it cannot be read",
        ),
        ({"body": "{{ site.name + 1 }}"}, "body", "cannot be rendered (TypeError)"),
        ({"body": "{{ contact.__class__.__mro__ }}"}, "body", ""),
        ({"body": "{{ contact.update({'a': 1}) }}"}, "body", "SecurityError"),
        ({"body": "{% for i in range(99999999) %}x{% endfor %}"}, "body", "OverflowError"),
    ],
)
def test_what_cannot_be_rendered_is_refused_naming_the_field(
    changes: dict[str, Any], field: str, reason: str
) -> None:
    found = problem(**changes)
    assert found[0] == field
    assert reason in found[1]


def test_a_reason_never_repeats_a_recipients_data() -> None:
    _, reason = problem(body="{{ site[contact.email] }}")
    assert reason == "has no value for something it uses"


def test_the_hash_changes_with_everything_a_reader_sees() -> None:
    changes: list[dict[str, Any]] = [
        {"language": "fr"},
        {"subject": "x"},
        {"body": "x"},
        {"mjml": True},
        {"text": "x"},
        {"from_name": "x"},
        {"from_address": "x@x.example"},
        {"letter": "x"},
        {"letter": "x", "letter_window": LetterWindow.NF_Z11_001},
        {"send_doubles": True},
    ]
    hashes = {replace(SOURCE, **change).template_hash for change in changes}
    assert len(hashes | {SOURCE.template_hash}) == 11
    windowed = replace(SOURCE, letter_window=LetterWindow.NF_Z11_001)
    assert windowed.template_hash == SOURCE.template_hash
    assert content_hash("a", None) != content_hash("b", None)


def test_a_proof_is_numbered_in_the_language_of_its_content() -> None:
    assert (proof_prefix("en", 2), proof_prefix("fr", 3)) == ("[PROOF 2] ", "[BAT 3] ")


def test_text_is_made_of_blocks_lists_and_links() -> None:
    html = (
        "<html><head><title>no</title><style>p{}</style></head><body><h1>Big</h1>"
        "<p>One<br>two &amp; <b>three</b></p><ul><li>a</li><li>b</li></ul>"
        '<a href="https://x.example">here</a> <a href="https://y.example">https://y.example</a>'
        "</body></html>"
    )
    assert text_of(html) == (
        "Big\n\nOne\ntwo & three\n\n- a\n\n- b\n\nhere (https://x.example) https://y.example\n"
    )
