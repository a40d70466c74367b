"""Blocks and ``mrkdwn`` as HTML for the stub's page; everything is escaped first."""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deploy.embedded.slack.blocks import elements_of
from deploy.embedded.slack.render import LINK, Names, element_label, render_blocks

_MARKS = (
    (re.compile(r"```(.+?)```", re.DOTALL), r"<pre>\1</pre>"),
    (re.compile(r"`([^`\n]+)`"), r"<code>\1</code>"),
    (re.compile(r"(?<!\w)\*(?=\S)([^\n*]*?\S)\*(?!\w)"), r"<b>\1</b>"),
    (re.compile(r"(?<!\w)_(?=\S)([^\n_]*?\S)_(?!\w)"), r"<i>\1</i>"),
    (re.compile(r"(?<!\w)~(?=\S)([^\n~]*?\S)~(?!\w)"), r"<s>\1</s>"),
)


def _escaped(text: str) -> str:
    """Return text for HTML; Slack's own escapes (&amp; &lt; &gt;) are undone first."""
    return html.escape(html.unescape(text))


def _linked(match: re.Match[str], names: Names) -> str:
    target, label = match[1], _escaped(match[2] or "")
    if target[0] in "@#":
        return f"<b>{target[0]}{label or _escaped(names(target[1:]))}</b>"
    if target.startswith(("http://", "https://", "mailto:")):
        return f'<a href="{_escaped(target)}" rel="noreferrer">{label or _escaped(target)}</a>'
    return label or _escaped(target.lstrip("!"))


def marked(text: str, names: Names = str) -> str:
    """Return ``mrkdwn`` as HTML."""
    links: list[str] = []

    def hold(match: re.Match[str]) -> str:
        links.append(_linked(match, names))
        return f"\x00{len(links) - 1}\x00"

    shaped = _escaped(LINK.sub(hold, text.replace("\x00", "")))
    for pattern, shape in _MARKS:
        shaped = pattern.sub(shape, shaped)
    return re.sub(r"\x00(\d+)\x00", lambda m: links[int(m[1])], shaped).replace("\n", "<br>")


def _said(content: Any, names: Names) -> str:
    if not isinstance(content, Mapping):
        return ""
    text = str(content.get("text", ""))
    if content.get("type") == "mrkdwn":
        return marked(text, names)
    return html.escape(text).replace("\n", "<br>")


def _element(element: Mapping[str, Any]) -> str:
    style = html.escape(str(element.get("style", "")))
    action = html.escape(str(element.get("action_id", "")))
    label = html.escape(element_label(element)[1:-1].strip())  # without its frame
    url = str(element.get("url", ""))
    if url.startswith(("http://", "https://")):
        address = html.escape(url)
        return f'<a class="element {style}" title="{action}" href="{address}">{label}</a>'
    return f'<span class="element {style}" title="{action}">{label}</span>'


def _section(block: Mapping[str, Any], names: Names) -> str:
    text = f"<p>{_said(block['text'], names)}</p>" if block.get("text") else ""
    fields = "".join(f"<div>{_said(f, names)}</div>" for f in block.get("fields") or [])
    grid = f'<div class="fields">{fields}</div>' if fields else ""
    accessory = _element(block["accessory"]) if block.get("accessory") else ""
    return f"{text}{grid}{accessory}"


def _context(block: Mapping[str, Any], names: Names) -> str:
    parts = [
        _element(part) if part.get("type") == "image" else _said(part, names)
        for part in block["elements"]
    ]
    return f'<p class="context">{" · ".join(parts)}</p>'


def _actions(block: Mapping[str, Any], _names: Names) -> str:
    return f"<p>{' '.join(_element(element) for _, element in elements_of(block))}</p>"


def _input(block: Mapping[str, Any], names: Names) -> str:
    return f"<p><label>{_said(block['label'], names)}</label> {_element(block['element'])}</p>"


_SHAPES: dict[str, Callable[[Mapping[str, Any], Names], str]] = {
    "section": _section,
    "header": lambda block, names: f"<h4>{_said(block['text'], names)}</h4>",
    "divider": lambda block, names: "<hr>",  # noqa: ARG005 - one shape for all
    "context": _context,
    "actions": _actions,
    "input": _input,
}


def blocks_html(blocks: Iterable[Mapping[str, Any]], names: Names = str) -> str:
    """Return blocks as HTML; kinds without a shape of their own are shown as text."""
    parts = []
    for block in blocks:
        shape = _SHAPES.get(str(block.get("type")))
        text = html.escape(render_blocks([block], names)).replace("\n", "<br>")
        parts.append(shape(block, names) if shape else f"<p>{text}</p>")
    return "".join(parts)
