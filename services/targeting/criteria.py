"""Criteria become conditions: typed, parameterised, over allow-listed fields only.

Text compares exactly with ``equals``, ``not_equals`` and ``in``, and without regard to case with
``contains`` and ``starts_with``. ``at_least`` and ``at_most`` include the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from services.targeting.fields import FIELDS, Field, Type
from shared.errors import Refused
from topics.targeting import Criterion, Operator

_BIGINT: Final = 2**63
_HOW_MANY: Final[dict[Operator, str]] = {
    Operator.IN: "one or more values",
    Operator.IS_EMPTY: "no value",
    Operator.IS_SET: "no value",
}
_COMPARISONS: Final[dict[Operator, str]] = {
    Operator.EQUALS: "=",
    Operator.NOT_EQUALS: "IS DISTINCT FROM",
    Operator.AT_LEAST: ">=",
    Operator.AT_MOST: "<=",
}
_ORDERED: Final = frozenset({Operator.AT_LEAST, Operator.AT_MOST})
_PARTIAL: Final = frozenset({Operator.CONTAINS, Operator.STARTS_WITH})
_ALIASES: Final = {"site": "s", "contact": "c", "deal": "d"}


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold of a site, a contact and a deal; all share one list of parameters.

    Conditions name their record by its alias: ``s``, ``c`` or ``d``.
    """

    site: list[str] = field(default_factory=list)
    contact: list[str] = field(default_factory=list)
    deal: list[str] = field(default_factory=list)
    args: list[object] = field(default_factory=list)

    def of(self, record: str) -> list[str]:
        """Return the conditions of one record: site, contact or deal."""
        return {"site": self.site, "contact": self.contact, "deal": self.deal}[record]


def compile_criteria(criteria: Sequence[Criterion]) -> Conditions:
    """Return the conditions of criteria; all must hold, those on deals on one and the same deal.

    Raises:
        Refused: a field is unknown, an operator does not fit it, or a value is not of its type;
            ``field`` is ``criteria.<index>``.
    """
    conditions = Conditions()
    for index, criterion in enumerate(criteria):
        try:
            found = _field(criterion.field)
            conditions.of(found.record).append(_condition(found, criterion, conditions.args))
        except _Wrong as problem:
            raise Refused(str(problem), field=f"criteria.{index}") from None
    return conditions


class _Wrong(Exception):
    """A criterion makes no sense; the text says which part and what would be right."""


def _field(name: str) -> Field:
    if name in FIELDS:
        return FIELDS[name]
    record = name.partition(".")[0]
    known = ", ".join(sorted(key for key in FIELDS if key.startswith(f"{record}.")))
    raise _Wrong(f"there is no field {name}; choose among {known}")


def _condition(found: Field, criterion: Criterion, args: list[object]) -> str:
    operator = criterion.operator
    _check(found, criterion)
    column = f"{_ALIASES[found.record]}.{found.column}"
    if operator in {Operator.IS_EMPTY, Operator.IS_SET}:
        empty = f"coalesce({column}, '') = ''" if found.type is Type.TEXT else f"{column} IS NULL"
        return empty if operator is Operator.IS_EMPTY else f"NOT ({empty})"
    values = [_PARSERS[found.type](value, criterion.field) for value in criterion.values]
    if operator is Operator.IN:
        return f"{column} = ANY({_parameter(args, values)}::{found.type}[])"
    if operator in _PARTIAL:
        start = "" if operator is Operator.STARTS_WITH else "%"
        pattern = f"{start}{_escape(criterion.values[0])}%"
        return f"{column} ILIKE {_parameter(args, pattern)}::text"
    return f"{column} {_COMPARISONS[operator]} {_parameter(args, values[0])}::{found.type}"


def _check(found: Field, criterion: Criterion) -> None:
    operator, count = criterion.operator, len(criterion.values)
    wanted = _HOW_MANY.get(operator, "one value")
    right = {"no value": count == 0, "one value": count == 1}.get(wanted, count >= 1)
    if not right:
        raise _Wrong(f"{criterion.field} {operator} takes {wanted}, not {count}")
    if found.type is Type.TEXT and operator in _ORDERED:
        raise _Wrong(f"{criterion.field} is text: {operator} compares numbers and dates")
    if found.type is not Type.TEXT and operator in _PARTIAL:
        raise _Wrong(f"{criterion.field} is no text: {operator} compares text")


def _parameter(args: list[object], value: object) -> str:
    args.append(value)
    return f"${len(args)}"


def _escape(text: str) -> str:
    """Return text that a LIKE pattern takes letter by letter."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _text(value: str, name: str) -> str:
    if "\x00" in value:
        raise _Wrong(f"{name} holds a character that no text has (NUL)")
    return value


def _number(value: str, name: str) -> int:
    try:
        number = int(value)
    except ValueError:
        raise _Wrong(f"{name} takes whole numbers such as 250") from None
    if not -_BIGINT <= number < _BIGINT:
        raise _Wrong(f"{name} takes numbers of at most 18 digits")
    return number


def _date(value: str, name: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _Wrong(f"{name} takes dates such as 2027-01-31") from None


_PARSERS: Final[dict[Type, Callable[[str, str], object]]] = {
    Type.TEXT: _text,
    Type.NUMBER: _number,
    Type.DATE: _date,
}
