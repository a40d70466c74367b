"""How a ``<ctx>`` becomes JSON."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from services.web.events.context import context_of

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
