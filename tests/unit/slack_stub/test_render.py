"""Messages read as a person would read them, in a terminal and on the page."""

import pytest

from deploy.embedded.slack.page_blocks import blocks_html, marked
from deploy.embedded.slack.render import plain, render_text
from tests.unit.slack_stub.samples import approval_card, campaign_modal


def test_a_card_reads_as_lines() -> None:
    names = {"U0MANAGER01": "Camille"}
    lines = render_text({"blocks": approval_card("Spring")}, lambda key: names.get(key, key))
    assert lines.splitlines() == [
        "== Proof of Spring ==",
        "1 203 recipients",
        "  Budget: 1 200 €",
        "  Stock: 40",
        "· Asked by @Camille",
        "[ Approve ]  [ Reject ]",
    ]


def test_a_modal_reads_as_fields() -> None:
    text = render_text({"blocks": campaign_modal()["blocks"]})
    assert text.splitlines()[0] == "Label *: ( plain_text_input v )"


def test_without_blocks_the_text_is_read() -> None:
    assert render_text({"text": "*hi* <https://a.example|there>"}) == "hi there (https://a.example)"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("*bold* _italic_ ~gone~ `code`", "bold italic gone code"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        ("&lt;b&gt; &amp; co", "<b> & co"),
        ("<#C1|campaigns> <!here>", "#campaigns @here"),
        ("<!date^1^{date}|1 May>", "1 May"),
    ],
)
def test_marks_are_taken_out(text: str, read: str) -> None:
    assert plain(text) == read


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold*", "<b>bold</b>"),
        ("<script>", "script"),
        ("*<https://a.example|a>*", "<b><a href="),
        ("&lt;script&gt;", "&lt;script&gt;"),
        ("<https://a.example|a *b*>", '<a href="https://a.example" rel="noreferrer">a *b*</a>'),
        ('<https://a.example/"onclick="x|a>', "&quot;onclick"),
        ("<javascript:alert(1)|go>", "go"),
    ],
)
def test_marks_become_html_and_nothing_else_does(text: str, html: str) -> None:
    made = marked(text)
    assert html in made
    assert "<script" not in made
    assert "javascript:" not in made


def test_blocks_become_html() -> None:
    made = blocks_html([*approval_card("<i>"), {"type": "divider"}])
    assert "<h4>Proof of &lt;i&gt;</h4>" in made
    assert '<span class="element primary" title="approve">Approve</span>' in made
    assert made.endswith("<hr>")


def test_a_button_reads_on_the_page_as_it_is_called() -> None:
    button = {
        "type": "button",
        "action_id": "letter",
        "text": {"type": "plain_text", "text": "See the letter (PDF)"},
        "url": "https://muster.example/letter",
    }
    page = blocks_html([{"type": "actions", "elements": [button]}], str)
    assert ">See the letter (PDF)</a>" in page
