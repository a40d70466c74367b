"""The fields that criteria and direct SQL may name: the allow-list of the directory's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Type(StrEnum):
    """How a field's values compare; the value is the PostgreSQL type of a parameter."""

    TEXT = "text"
    NUMBER = "bigint"
    DATE = "date"
    ID = "uuid"
    FLAG = "boolean"


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a view of the directory."""

    record: str
    column: str
    type: Type


def _columns(text: str, kind: Type) -> dict[str, Type]:
    return dict.fromkeys(text.split(), kind)


# What criteria may compare, by record.
_CRITERIA: Final[dict[str, dict[str, Type]]] = {
    "site": {
        **_columns(
            "site_ref name street postal_code town country phone language segment", Type.TEXT
        ),
        **_columns("headcount", Type.NUMBER),
    },
    "contact": _columns(
        "contact_ref first_name last_name job_title email direct_line mobile language", Type.TEXT
    ),
    "deal": {
        **_columns(
            "deal_ref owner_ref business_line market product status currency comment", Type.TEXT
        ),
        **_columns("revenue_minor margin_minor probability_percent", Type.NUMBER),
        **_columns("expected_signature", Type.DATE),
    },
}
# What direct SQL may read besides; recipient keys are for the product alone.
_SQL_ONLY: Final[dict[str, dict[str, Type]]] = {
    "site": _columns("site_id", Type.ID),
    "contact": {
        **_columns("contact_id site_id", Type.ID),
        **_columns("site_ref", Type.TEXT),
        **_columns("opted_out", Type.FLAG),
    },
    "deal": {
        **_columns("deal_id site_id contact_id owner_id", Type.ID),
        **_columns("site_ref contact_ref", Type.TEXT),
    },
}

FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        f"{record}.{column}": Field(record, column, kind)
        for record, columns in _CRITERIA.items()
        for column, kind in columns.items()
    }
)
VIEWS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {f"{record}s": frozenset(_CRITERIA[record] | _SQL_ONLY[record]) for record in _CRITERIA}
)
"""The views of direct SQL with their columns, as the guard wants them."""
