"""Checks on the statement as text and tokens, before and beside the parser."""

import re
from typing import Final

from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from services.targeting.guard_grammar import (
    FUNCTIONS,
    REFUSED_TOKENS,
    UNITS,
    WORDS_BEFORE_PARENTHESIS,
)
from services.targeting.guard_refusal import SqlRefused

MAX_CHARACTERS: Final = 20_000
MAX_PARENTHESES: Final = 40
MAX_CASES: Final = 20

_STARTS: Final = frozenset({TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN})
_CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]"
)
_WORD: Final = re.compile(r"\w+", re.ASCII)


def tokens_of(sql: str) -> list[Token]:
    """Return the tokens of a statement that may be parsed, comments dropped.

    Raises:
        SqlRefused: it is empty, too long, too deep, holds control characters, does not start as a
            query, or holds a word or function that direct SQL has no use for.
    """
    if len(sql) > MAX_CHARACTERS:
        raise SqlRefused(f"The query is longer than {MAX_CHARACTERS} characters.", sql)
    if found := _CONTROL.search(sql):
        raise SqlRefused("The query holds a control character.", repr(found.group()))
    try:
        tokens = Postgres().tokenize(sql)
    except SqlglotError:
        raise SqlRefused("A quotation mark or a comment is not closed.", sql) from None
    if not tokens or tokens[0].token_type not in _STARTS:
        raise SqlRefused("Write one query that starts with SELECT or WITH.", sql)
    _check_words(sql, tokens)
    _check_depth(tokens)
    return tokens


def check_same_texts(before: list[Token], after: list[Token]) -> None:
    """Raise ``SqlRefused`` when rewriting the query changed one of its texts.

    Units and intervals are written anew (``'month'`` as ``MONTH``), so those may differ.
    """
    changed = _texts(before) ^ _texts(after)
    if changed:
        raise SqlRefused("This text cannot be kept as written: write it in another way.", *changed)


def _check_words(sql: str, tokens: list[Token]) -> None:
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        if token.token_type in REFUSED_TOKENS:
            raise SqlRefused("A query reads: this word or sign is not part of one.", token.text)
        if _is_dollar_quoted(sql, token):
            raise SqlRefused("Write texts between single quotation marks.", token.text)
        if following and following.token_type is TokenType.L_PAREN:
            _check_before_parenthesis(token)
        if token.token_type is TokenType.L_BRACKET:
            _check_bracket(tokens, place)
        if following and _runs_into(token, following):
            raise SqlRefused("Put a space behind the number.", token.text + following.text)


def _check_before_parenthesis(token: Token) -> None:
    if token.token_type is TokenType.IDENTIFIER:
        raise SqlRefused("A quoted name cannot stand before a parenthesis.", token.text)
    words = _WORD.findall(token.text.lower())
    if token.token_type in {TokenType.STRING, TokenType.NUMBER} or not words:
        return
    if words[-1] not in FUNCTIONS and words[-1] not in WORDS_BEFORE_PARENTHESIS:
        raise SqlRefused("This function is not among those that a query may use.", token.text)


def _check_bracket(tokens: list[Token], place: int) -> None:
    of_array = place > 0 and tokens[place - 1].token_type is TokenType.ARRAY
    of_type = place + 1 < len(tokens) and tokens[place + 1].token_type is TokenType.R_BRACKET
    if not (of_array or of_type):
        raise SqlRefused("Brackets belong behind ARRAY or a type.", tokens[place].text)


def _check_depth(tokens: list[Token]) -> None:
    depth = cases = 0
    for token in tokens:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        cases += (token.token_type is TokenType.CASE) - (token.token_type is TokenType.END)
        if depth > MAX_PARENTHESES or cases > MAX_CASES:
            raise SqlRefused("The query is nested too deeply.", token.text)


def _is_dollar_quoted(sql: str, token: Token) -> bool:
    return token.token_type is TokenType.STRING and sql[token.start] != "'"


def _runs_into(token: Token, following: Token) -> bool:
    # PostgreSQL reads 1_000 as a number, the parser as 1 named _000.
    return (
        token.token_type is TokenType.NUMBER
        and following.start == token.end + 1
        and (following.token_type in {TokenType.VAR, TokenType.NUMBER})
    )


def _texts(tokens: list[Token]) -> set[str]:
    texts = {token.text for token in tokens if token.token_type is TokenType.STRING}
    return {text for text in texts if not _is_unit(text)}


def _is_unit(text: str) -> bool:
    words = [word for word in _WORD.findall(text.upper()) if not word.isdigit()]
    return all(word in UNITS for word in words)
