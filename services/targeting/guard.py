"""The guard of direct SQL: one reading query over the views of the directory, or a refusal.

The text is read by a parser, checked against lists of what is allowed, and written anew from what
was understood: every name quoted, every view with its schema, no comment. What the server receives
is therefore what was checked, however the original was spelt. The guard decides what may be asked;
the login role that runs the query decides what could be reached, with limits on time and rows.

The session that runs the query must have ``standard_conforming_strings`` on, as is the default.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from services.targeting.guard_grammar import NODES, PARTS, TYPES, UNITS
from services.targeting.guard_names import Names
from services.targeting.guard_refusal import SqlRefused, refuse_node
from services.targeting.guard_text import check_same_texts, tokens_of

__all__ = ["SqlRefused", "check_sql"]

MAX_DEPTH: Final = 100
# PostgreSQL cuts longer names short, and then two of them may be one.
MAX_NAME_BYTES: Final = 63
# Seen: one rewriting is enough for all but a few forms, two for those.
_MAX_REWRITES: Final = 4
_CHAINS: Final = (exp.And, exp.Or, exp.Add, exp.Sub, exp.DPipe)
_FREE_TEXT: Final = (exp.Identifier, exp.Literal, exp.Var)
_PLAIN_WORD: Final = re.compile(r"[A-Za-z ]{0,30}", re.ASCII)
_FOLD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def check_sql(sql: str, *, views: Mapping[str, frozenset[str]]) -> str:
    """Return the query rewritten in one normal form, safe to run by the reading role.

    Checking the returned text again returns it unchanged.

    Args:
        sql: one SELECT, or several joined by UNION, INTERSECT or EXCEPT, with or without WITH.
        views: the columns of each view that may be read, names in lower case.

    Raises:
        SqlRefused: the text is anything else; it says which part and why.
    """
    try:
        return _settle(sql, views)
    except RecursionError:
        raise SqlRefused("The query is nested too deeply.", sql) from None


def _settle(sql: str, views: Mapping[str, frozenset[str]]) -> str:
    """Rewrite until nothing changes, so that the parser has read the very text that is returned."""
    for _ in range(_MAX_REWRITES):
        rewritten = _rewrite(sql, views)
        if rewritten == sql:
            return sql
        sql = rewritten
    raise SqlRefused("The query has no stable form: write it more simply.", sql)


def _rewrite(sql: str, views: Mapping[str, frozenset[str]]) -> str:
    tokens = tokens_of(sql)
    query = _parse(sql)
    for node, depth in _walk(query):
        _check_node(node, depth)
        _fold(node)
    Names(views).resolve(query)
    rewritten = query.sql(dialect="postgres", identify=True, comments=False)
    check_same_texts(tokens, tokens_of(rewritten))
    return rewritten


def _parse(sql: str) -> exp.Query:
    try:
        statements = sqlglot.parse(sql, dialect="postgres", error_level=ErrorLevel.IMMEDIATE)
    except (SqlglotError, ValueError):
        # The parser's own message quotes the text around the fault, with terminal colours.
        raise SqlRefused("This is not a query that can be understood.", sql) from None
    statements = [statement for statement in statements if statement is not None]
    if len(statements) != 1:
        raise SqlRefused("Write one query, without a second statement behind it.", sql)
    if not isinstance(statements[0], exp.Query):
        raise SqlRefused("Write one query that starts with SELECT or WITH.", sql)
    return statements[0]


def _walk(root: exp.Expr) -> Iterator[tuple[exp.Expr, int]]:
    """Yield every node with its depth; a chain such as ``a AND b AND c`` counts as one level."""
    todo = [(root, 0)]
    while todo:
        node, depth = todo.pop()
        yield node, depth
        for child in node.iter_expressions():
            in_chain = isinstance(node, _CHAINS) and type(child) is type(node)
            todo.append((child, depth if in_chain else depth + 1))


def _check_node(node: exp.Expr, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise SqlRefused("The query is nested too deeply.", type(node).__name__)
    if type(node) not in NODES:
        raise refuse_node("This part is not among those that a query may use.", node)
    if isinstance(node, exp.Var) and node.name.upper() not in UNITS | {"ALL"}:
        raise refuse_node("This is no unit of time.", node)
    if isinstance(node, exp.DataType) and node.this not in TYPES:
        raise refuse_node("This type is not among those that a query may use.", node)
    if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
        raise refuse_node("A query reads from views and subqueries only.", node)
    if isinstance(node, exp.Identifier) and len(node.name.encode()) > MAX_NAME_BYTES:
        raise SqlRefused(f"A name is longer than {MAX_NAME_BYTES} bytes.", node.name)
    _check_parts(node)


def _check_parts(node: exp.Expr) -> None:
    allowed = PARTS.get(type(node))
    for name, value in node.args.items():
        if allowed is not None and value and name not in allowed:
            raise refuse_node("This part is not among those that a query may use.", node)
        if isinstance(value, str) and not isinstance(node, _FREE_TEXT):
            _check_word(node, value)


def _check_word(node: exp.Expr, word: str) -> None:
    """Refuse what is no plain word: the parser hands on LEFT in a join, for example, as text."""
    if not _PLAIN_WORD.fullmatch(word):
        raise refuse_node("This part is not among those that a query may use.", node)


def _fold(node: exp.Expr) -> None:
    """Give an unquoted name the letters PostgreSQL would give it, and quote it."""
    if isinstance(node, exp.Identifier):
        name = node.name if node.args.get("quoted") else node.name.translate(_FOLD)
        node.replace(exp.to_identifier(name, quoted=True))
