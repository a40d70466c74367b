"""Templates that take too much, or reach for what is not theirs: the service goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.delivery import compose
from services.delivery.compose import Composer
from services.delivery.content import kitchen
from services.delivery.content.bounded import is_bounded
from services.delivery.content.kitchen import Kitchen
from services.delivery.content.sources import PLAIN
from services.delivery.domain.content import Content, Source
from services.delivery.domain.runs import RunKind
from services.delivery.domain.tracking import EventKind, Part, TrackedLink
from services.delivery.personal import variables
from services.delivery.rendering import BadTemplate, TakesTooMuch, prepare, render
from tests.unit.delivery.test_composing import NOW, SOURCE, merge_of, row, settings

CONDITION = (
    "<style>p {color: red}</style><p>{% if ctx.a %}{{ ctx.a }}{% else %}nobody{% endif %}</p>"
)
BOMBS = [
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 'a' * 10 ** 10 }}",
    "{{ 'a'|center(10 ** 10) }}",
    "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{{ 9 ** (9 ** 9) }}",
    "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
]
DEEP = "<style>div {color: red}</style>{% if ctx.a %}" + "<div>" * 70_000 + "{% endif %}"


@pytest.fixture(scope="module")
def kitchen_of_test() -> Iterator[Kitchen]:
    made = Kitchen()
    yield made
    made.close()


def source(body: str, **more: Any) -> Source:
    return replace(SOURCE, subject="x", body=body, **more)


def values(**ctx: Any) -> dict[str, Any]:
    return variables(
        {"ctx": ctx}, number=7, label="Spring", unsubscribe_url="https://m.example/u/x"
    )


def test_what_a_child_makes_is_what_rendering_makes(kitchen_of_test: Kitchen) -> None:
    for body in (CONDITION, SOURCE.body, "<mjml><mj-body></mj-body></mjml>"):
        one = source(body, mjml=body.startswith("<mjml"), text="{{ 'Dear ' * 1 }}{{ ctx.a }}")
        content = kitchen_of_test.prepare(one)
        assert content == prepare(one)
        given = values(a="Zoé <b>", b="", link="https://x.example", items="x") | {
            "contact": {"first_name": "A", "last_name": "B"},
            "site": {"name": "C"},
        }
        assert kitchen_of_test.render(content, given) == render(content, given)


def test_a_childs_refusal_is_the_one_rendering_has(kitchen_of_test: Kitchen) -> None:
    with pytest.raises(BadTemplate, match="subject: line 1"):
        kitchen_of_test.prepare(replace(SOURCE, subject="{{ contact."))
    with pytest.raises(BadTemplate, match="body: has no value for b"):
        kitchen_of_test.render(prepare(source("{% if ctx.b * 1 %}x{% endif %}")), values())


@pytest.mark.parametrize("bomb", [*BOMBS, DEEP], ids=range(len(BOMBS) + 1))
def test_a_bomb_is_refused_when_it_is_saved(
    bomb: str, kitchen_of_test: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kitchen, "PREPARE_SECONDS", 1.0)
    with pytest.raises(BadTemplate):
        kitchen_of_test.prepare(source(bomb))
    assert kitchen_of_test.prepare(source(CONDITION)).inline_css


def test_a_bomb_that_data_set_off_fails_its_recipient_and_later_ones_sooner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    ask = Kitchen.render

    def noted(self: Kitchen, content: Content, given: Any, *, seconds: float) -> Any:
        asked.append(seconds)
        return ask(self, content, given, seconds=seconds)

    monkeypatch.setattr(Kitchen, "render", noted)
    monkeypatch.setattr(compose, "RENDER_SECONDS", 0.3)
    body = "{% for i in range(ctx.a) %}{% for j in range(ctx.a) %}{% endfor %}{% endfor %}x"
    composer = Composer(prepare(source(body)), settings())
    good = row(merge_of("", "", "", 1, "", ""), RunKind.TRANSACTIONAL)
    bad = row(merge_of("", "", "", 99_999, "", ""), RunKind.TRANSACTIONAL)
    assert b"x" in composer.compose(good, at=NOW)
    for _ in range(4):
        with pytest.raises(TakesTooMuch, match="body: takes too much time or memory"):
            composer.compose(bad, at=NOW)
    assert asked[-2:] == [0.3, compose.IMPATIENT_SECONDS]
    kitchen.KITCHEN.close()


def test_a_target_that_computes_is_made_in_a_child(kitchen_of_test: Kitchen) -> None:
    link = TrackedLink(
        1, EventKind.CLICK, Part.HTML, "https://x/?q={{ (ctx.a * 1)|urlencode }}", "x"
    )
    assert kitchen_of_test.target(link, values(a="a b")) == "https://x/?q=a%20b"
    with pytest.raises(BadTemplate):
        kitchen_of_test.target(replace(link, url="{{ 'a' * 10 ** 10 }}"), values())


def test_a_template_that_left_the_sandbox_would_find_no_file_and_no_setting(
    kitchen_of_test: Kitchen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary.txt"
    canary.write_text("canary of a file")
    monkeypatch.setenv("MUSTER_SECRET_KEY", "canary of a setting")
    # Functions that no message has stand for what an escape would find.
    given = values(open=open, getenv=os.getenv, path=str(canary))
    opens = prepare(source("{{ ctx.open(ctx.path).read() }}"))
    asks = prepare(source("{{ ctx.getenv('MUSTER_SECRET_KEY') }}"))
    assert "canary of a file" in render(opens, given).html
    assert "canary of a setting" in render(asks, given).html
    with pytest.raises(BadTemplate, match=r"cannot be rendered \(OSError\)"):
        kitchen_of_test.render(opens, given)
    assert "None" in kitchen_of_test.render(asks, given).html


@pytest.mark.parametrize(
    "text",
    [
        "{{ contact.first_name }}",
        "{% if ctx.a and ctx.b != 'x' or not ctx.c %}a{% elif ctx.d is defined %}b{% endif %}",
        "{{ ctx.a|default('x')|upper|truncate(20) }} {{ ctx.b if ctx.b else 'c' }}",
        "{% for o in ctx.orders %}{% for line in o.lines %}{{ line }}{% endfor %}{% endfor %}",
        "{% for x in ctx['list'] %}{{ loop.index ~ x.name }}{% else %}none{% endfor %}",
        "{{ ', '.x }}{% if ctx.a in ['a', 'b'] %}x{% endif %}",
    ],
)
def test_what_authors_write_needs_no_child(text: str) -> None:
    assert is_bounded(PLAIN, text)


@pytest.mark.parametrize(
    "text",
    [
        *BOMBS,
        "{% for i in range(9) %}{% endfor %}",
        "{% for x in ctx.a %}{% for y in ctx.a %}{% endfor %}{% endfor %}",
        "{% for x in a %}{% for y in x %}{% for z in a %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for x in a %}{% for y in x.b %}{% for z in x.b %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for x in ctx.a recursive %}{{ loop(x) }}{% endfor %}",
        "{% for x in [1, 2] %}{% endfor %}",
        "{% set x = ctx.a %}{{ x }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ ctx.a|center(9) }}",
        "{{ ctx.a|replace('a', 'aaaa')|replace('a', 'aaaa') }}",
        "{{ ctx.a.upper() }}",
        "{{ ctx.a * 2 }}",
        "{{ ctx.a % 2 }}",
        "{{ '%99d'|format(1) }}",
        "{% filter upper %}x{% endfilter %}",
    ],
)
def test_what_could_multiply_goes_to_a_child(text: str) -> None:
    assert not is_bounded(PLAIN, text)


def test_styles_of_repeated_elements_are_moved_in_a_child() -> None:
    body = "<style>p {color: red}</style>{% for x in ctx.a %}<p>{{ x }}</p>{% endfor %}"
    assert not kitchen._is_bounded(prepare(source(body)))
    assert kitchen._is_bounded(prepare(source(body.replace("<style>", "<b>"))))
    assert kitchen._is_bounded(prepare(source(CONDITION)))
