"""Messages, views and Home tabs as plain text, for a terminal."""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deploy.embedded.slack.blocks import elements_of
from deploy.embedded.slack.wire import Ephemeral, Message, View

Names = Callable[[str], str]
LINK = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
_MARK = re.compile(r"(?<![\w*_~])([*_~])(?=\S)([^\n]*?\S)\1(?![\w*_~])")
WIDTH = 60


def _linked(match: re.Match[str], names: Names) -> str:
    target, label = match[1], match[2]
    if target[0] in "@#":
        return f"{target[0]}{label or names(target[1:])}"
    if target.startswith("!date^"):
        return label or target
    if target[0] == "!":
        return f"@{label or target[1:]}"
    return f"{label} ({target})" if label else target


def plain(text: str, names: Names = str) -> str:
    """Return ``mrkdwn`` without its marks: links as ``label (address)``, mentions by name."""
    linked = LINK.sub(lambda match: _linked(match, names), text)
    for _ in range(2):
        linked = _MARK.sub(r"\2", linked)
    return html.unescape(linked).replace("```", "").replace("`", "")


def _said(content: Any, names: Names) -> str:
    """Return the text of a text object."""
    if not isinstance(content, Mapping):
        return ""
    text = str(content.get("text", ""))
    return plain(text, names) if content.get("type") == "mrkdwn" else text


def element_label(element: Mapping[str, Any]) -> str:
    """Return how an interactive element reads: ``[ Approve ]``, ``( Choose… v )``."""
    if element.get("type") == "button":
        return f"[ {_said(element.get('text'), str)} ]"
    if element.get("type") == "image":
        return f"[image: {element.get('alt_text', '')}]"
    hint = element.get("placeholder") or {}
    return f"( {hint.get('text') or element.get('type')} v )"


def _section(block: Mapping[str, Any], names: Names) -> list[str]:
    lines = _said(block.get("text"), names).split("\n") if block.get("text") else []
    for field in block.get("fields") or []:
        lines.append("  " + _said(field, names).replace("\n", ": ", 1).replace("\n", " "))
    if block.get("accessory"):
        lines.append(element_label(block["accessory"]))
    return lines


def _context(block: Mapping[str, Any], names: Names) -> list[str]:
    parts = [
        element_label(part) if part.get("type") == "image" else _said(part, names)
        for part in block["elements"]
    ]
    return ["· " + " · ".join(parts)]


def _input(block: Mapping[str, Any], names: Names) -> list[str]:
    star = "" if block.get("optional") else " *"
    hint = [f"    {_said(block['hint'], names)}"] if block.get("hint") else []
    return [f"{_said(block['label'], names)}{star}: {element_label(block['element'])}", *hint]


def _runs(node: Any) -> str:
    """Return the text inside rich text, whatever it is nested in."""
    if not isinstance(node, Mapping):
        return ""
    if "elements" in node:
        end = "\n" if node.get("type") == "rich_text_section" else ""
        return "".join(_runs(part) for part in node["elements"]) + end
    return str(node.get("text") or node.get("url") or node.get("user_id") or "")


_LINES: dict[str, Callable[[Mapping[str, Any], Names], list[str]]] = {
    "section": _section,
    "header": lambda block, names: [f"== {_said(block['text'], names)} =="],
    "divider": lambda block, names: ["-" * WIDTH],  # noqa: ARG005 - one shape for all
    "context": _context,
    "actions": lambda block, names: [  # noqa: ARG005 - one shape for all
        "  ".join(element_label(element) for _, element in elements_of(block))
    ],
    "input": _input,
    "image": lambda block, names: [element_label(block)],  # noqa: ARG005 - one shape for all
    "markdown": lambda block, names: [plain(block["text"], names)],
    "rich_text": lambda block, names: [_runs(block).rstrip("\n")],  # noqa: ARG005
}


def render_blocks(blocks: Iterable[Mapping[str, Any]], names: Names = str) -> str:
    """Return blocks as lines of text."""
    lines: list[str] = []
    for block in blocks:
        known = _LINES.get(str(block.get("type")))
        lines += known(block, names) if known else [f"[{block.get('type')}]"]
    return "\n".join(lines)


def render_text(shown: Message | Ephemeral | View | Mapping[str, Any], names: Names = str) -> str:
    """Return a message or view as a person would read it, without its author or time.

    ``names`` turns a user or channel id into a name.
    """
    if isinstance(shown, View):
        return f"[{shown.title}]\n{render_blocks(shown.blocks, names)}".removeprefix("[]\n")
    if isinstance(shown, Mapping):
        text, blocks = str(shown.get("text", "")), shown.get("blocks") or []
    else:
        text, blocks = shown.text, shown.blocks
    return render_blocks(blocks, names) if blocks else plain(text, names)
