"""Why a direct SQL statement was refused."""

from typing import Final

from sqlglot import exp

_FRAGMENT_CHARACTERS: Final = 80


class SqlRefused(Exception):
    """The statement asks for more than direct SQL may do.

    Attributes:
        reason: what is wrong and what to write instead, for the person who wrote the statement.
        fragment: the part that was refused, at most 80 characters. It may hold personal data from
            a literal, so it is shown to its author and never logged.
    """

    def __init__(self, reason: str, fragment: str) -> None:
        self.reason = reason
        self.fragment = shorten(fragment)
        super().__init__(reason)


def shorten(text: str) -> str:
    """Return ``text`` on one line, cut to what fits a message."""
    line = " ".join(text.split())
    if len(line) <= _FRAGMENT_CHARACTERS:
        return line
    return line[: _FRAGMENT_CHARACTERS - 1] + "…"


def refuse_node(reason: str, node: exp.Expr) -> SqlRefused:
    """Return the refusal of a parsed part, quoted as PostgreSQL would print it."""
    return SqlRefused(reason, node.sql(dialect="postgres", comments=False))
