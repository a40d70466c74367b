"""How a ``<ctx>`` becomes JSON, and JSON a ``<ctx>``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from services.web.events.context import NoXml, context_of, element_of, xml_of

GOLDEN: dict[str, dict[str, Any]] = {
    "<ctx/>": {},
    "<ctx> plain </ctx>": {"#text": " plain "},
    "<ctx><a/></ctx>": {"a": ""},
    "<ctx><a>1</a><b>two</b></ctx>": {"a": "1", "b": "two"},
    "<ctx><a>1</a><b/><a>2</a></ctx>": {"a": ["1", "2"], "b": ""},
    "<ctx><a>1</a><a>2</a><a>3</a></ctx>": {"a": ["1", "2", "3"]},
    "<ctx n='1'/>": {"@n": "1"},
    "<ctx><a n='1'>key</a></ctx>": {"a": {"@n": "1", "#text": "key"}},
    "<ctx><a n='1'> <b>x</b>\n</a></ctx>": {"a": {"@n": "1", "b": "x"}},
    "<ctx><p>an <b>x</b> y</p></ctx>": {"p": {"b": "x", "#text": "an  y"}},
    "<ctx><a><![CDATA[<&]]></a></ctx>": {"a": "<&"},
    "<ctx><a>1<!-- no -->2<?pi no?>3</a></ctx>": {"a": "123"},
    "<ctx xmlns:s='urn:s'><s:a s:n='1'/></ctx>": {"a": {"@n": "1"}},
    "<ctx><client><name>Ann</name></client><line num='1'/><line num='2'/></ctx>": {
        "client": {"name": "Ann"},
        "line": [{"@num": "1"}, {"@num": "2"}],
    },
}


@pytest.mark.parametrize("xml", GOLDEN)
def test_a_context_becomes_json_by_one_rule(xml: str) -> None:
    assert context_of(etree.fromstring(xml)) == GOLDEN[xml]


WRITTEN: list[tuple[dict[str, Any], str]] = [
    ({}, "<ctx/>"),
    ({"#text": " plain "}, "<ctx> plain </ctx>"),
    ({"a": ""}, "<ctx><a></a></ctx>"),
    ({"a": "1", "b": "two"}, "<ctx><a>1</a><b>two</b></ctx>"),
    ({"a": ["1", "2"], "b": ""}, "<ctx><a>1</a><a>2</a><b></b></ctx>"),
    ({"@n": "1", "a": {"@n": "2", "#text": "key"}}, '<ctx n="1"><a n="2">key</a></ctx>'),
    ({"p": {"b": "x", "#text": "an  y"}}, "<ctx><p>an  y<b>x</b></p></ctx>"),
    ({"a": "<&>"}, "<ctx><a>&lt;&amp;&gt;</a></ctx>"),
    ({"@a": '"\n\t'}, '<ctx a="&quot;&#10;&#9;"/>'),
    ({"a": "x\r\n"}, "<ctx><a>x&#13;\n</a></ctx>"),
    ({"line": [{"@num": "1"}, {"@num": "2"}]}, '<ctx><line num="1"/><line num="2"/></ctx>'),
    ({"n": 9.5, "i": 7, "yes": True}, "<ctx><n>9.5</n><i>7</i><yes>true</yes></ctx>"),
    ({"none": None, "@none": None, "empty": {}}, '<ctx none=""><none/><empty/></ctx>'),
    ({"one": ["1"], "no": []}, "<ctx><one>1</one></ctx>"),
    ({"né": "é"}, "<ctx><né>é</né></ctx>"),
]


@pytest.mark.parametrize(("ctx", "xml"), WRITTEN)
def test_a_context_becomes_xml_by_one_rule(ctx: dict[str, Any], xml: str) -> None:
    assert etree.tostring(element_of(ctx), encoding="unicode") == xml


@pytest.mark.parametrize("xml", GOLDEN)
def test_what_came_from_xml_comes_out_as_it_was(xml: str) -> None:
    assert again(GOLDEN[xml]) == GOLDEN[xml]


@pytest.mark.parametrize(
    ("ctx", "place"),
    [
        ({"order": {"my name": 1}}, "ctx.order: .*my name"),
        ({"": 1}, "ctx: "),
        ({"1a": 1}, "ctx: .*1a"),
        ({"a:b": 1}, "ctx: .*a:b"),
        ({"{urn:x}a": 1}, "ctx: .*no XML name"),
        ({"@{urn:x}a": 1}, "ctx: .*no XML name"),
        ({"@": 1}, "ctx: "),
        ({"a": "\x01"}, "ctx.a: .*XML compatible"),
        ({"@a": "\ud800"}, "ctx: "),
        ({"a": [["1"]]}, "ctx.a: a list in a list"),
        ({"a": {"@b": ["1"]}}, "ctx.a: .*single value"),
        ({"#text": {}}, "ctx: .*single value"),
    ],
)
def test_what_no_xml_can_say_is_refused_at_its_place(ctx: dict[str, Any], place: str) -> None:
    with pytest.raises(NoXml, match=place):
        element_of(ctx)


names = st.from_regex(r"[A-Za-z_é][A-Za-z0-9_.é-]{0,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"))
texts |= st.sampled_from(["a\nb", "\t", "a\rb", "<&>\"']]>", " "])


def elements() -> st.SearchStrategy[etree._Element]:
    """Return elements as systems may send them: nested, mixed, with attributes."""
    leaf = st.builds(built, names, st.dictionaries(names, texts, max_size=2), texts, st.just([]))
    return st.recursive(
        leaf,
        lambda inside: st.builds(
            built,
            names,
            st.dictionaries(names, texts, max_size=2),
            texts,
            st.lists(st.tuples(inside, texts), max_size=4),
        ),
        max_leaves=12,
    )


def built(
    name: str, attributes: dict[str, str], text: str, inside: list[tuple[etree._Element, str]]
) -> etree._Element:
    element = etree.Element(name, attributes)
    element.text = text
    for child, tail in inside:
        element.append(child)
        child.tail = tail
    return element


def again(ctx: dict[str, Any]) -> dict[str, Any]:
    """Return a context that was written as XML, sent, and read."""
    return context_of(etree.fromstring(xml_of(ctx).encode()))


@given(elements())
def test_any_xml_reads_the_same_after_it_was_written_again(element: etree._Element) -> None:
    ctx = context_of(etree.fromstring(etree.tostring(element, encoding="utf-8")))
    assert again(ctx) == ctx


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(names | st.text(), inside),
    max_leaves=10,
)


@given(st.dictionaries(names | st.text(), json_values))
def test_any_json_becomes_xml_that_settles_or_is_refused(ctx: dict[str, Any]) -> None:
    try:
        settled = again(ctx)
    except NoXml:
        return
    assert again(settled) == settled
