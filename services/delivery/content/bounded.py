"""Templates whose cost is bounded by their own length and their data: they need no child.

Conditions, loops over data and filters that shorten or turn letters: what authors write. Whatever
could multiply (arithmetic on texts, ranges, loops in loops over the same data, macros, assignments,
filters that pad) is not of these.
"""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, nodes

_FILTERS: Final = frozenset(
    {"abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "int", "join"}
    | {"last", "length", "lower", "round", "string", "striptags", "title", "trim", "truncate"}
    | {"upper", "urlencode", "wordcount"}
)
_NODES: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.If,
    nodes.For,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Test,
    nodes.Filter,
    nodes.Tuple,
    nodes.List,
    nodes.Concat,
    nodes.Keyword,
)


def is_bounded(environment: Environment, source: str) -> bool:
    """Whether rendering takes no more than its source and its data account for."""
    return _is_bounded(environment.parse(source), frozenset(), in_loop=False)


def loops(environment: Environment, source: str) -> bool:
    """Whether a template repeats anything."""
    return environment.parse(source).find(nodes.For) is not None


def _is_bounded(node: nodes.Node, items: frozenset[str], *, in_loop: bool) -> bool:
    if not isinstance(node, _NODES):
        return False
    if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        return False
    if not isinstance(node, nodes.For):
        return all(_is_bounded(one, items, in_loop=in_loop) for one in node.iter_child_nodes())
    # A loop in a loop goes over the outer one's item: all items together are no more than the data.
    over = _root(node.iter)
    if over is None or node.recursive or not isinstance(node.target, nodes.Name):
        return False
    if in_loop and over not in items:
        return False
    inside = frozenset({node.target.name})
    return all(
        _is_bounded(one, inside, in_loop=True)
        for one in node.iter_child_nodes()
        if one is not node.iter
    )


def _root(node: nodes.Node) -> str | None:
    """Return the variable that a path such as ``ctx.orders`` begins with."""
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
            return None
        node = node.node
    return node.name if isinstance(node, nodes.Name) else None
