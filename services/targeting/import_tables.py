"""The CSV files of the directory: their columns, in words that make the loading SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.targeting.import_values import (
    Check,
    consent,
    day,
    email,
    language,
    letters,
    number,
    text,
)

_BIGINT: Final = 2**63 - 1
_INTEGER: Final = 2**31 - 1


class Kind(StrEnum):
    """What a file holds; files are imported in this order."""

    SITES = "sites"
    CONTACTS = "contacts"
    EMPLOYEES = "employees"
    DEALS = "deals"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file: how it is checked, and its PostgreSQL type."""

    name: str
    check: Check
    type: str = "text"


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that names a record of another table; it is stored as that record's id."""

    column: str
    table: str
    ref: str
    id: str
    stored: str
    required: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One file and the table it fills."""

    kind: Kind
    id: str
    ref: str
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()
    keyed: bool = False

    @property
    def header(self) -> tuple[str, ...]:
        """The names the file's first line must hold."""
        return tuple(column.name for column in self.columns)

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns of the table that the file fills, its id apart."""
        ids = {reference.column: reference.stored for reference in self.references}
        names = [ids.get(column.name, column.name) for column in self.columns]
        return (*names, "recipient_key") if self.keyed else tuple(names)


_SITE: Final = Reference("site_ref", "sites", "site_ref", "site_id", "site_id", required=True)
_CONTACT: Final = Reference(
    "contact_ref", "contacts", "contact_ref", "contact_id", "contact_id", required=False
)
_OWNER: Final = Reference(
    "owner_ref", "employees", "employee_ref", "employee_id", "owner_id", required=False
)
_REF: Final = text(100, required=True)
_PHONE: Final = text(40)

TABLES: Final[Mapping[Kind, Table]] = MappingProxyType(
    {
        Kind.SITES: Table(
            Kind.SITES,
            "site_id",
            "site_ref",
            (
                Column("site_ref", _REF),
                Column("name", text(200, required=True)),
                Column("street", text(200)),
                Column("postal_code", text(20)),
                Column("town", text(100)),
                Column("country", letters(2, "FR", upper=True)),
                Column("phone", _PHONE),
                Column("language", language),
                Column("segment", text(100)),
                Column("headcount", number(0, _INTEGER), "integer"),
            ),
        ),
        Kind.CONTACTS: Table(
            Kind.CONTACTS,
            "contact_id",
            "contact_ref",
            (
                Column("contact_ref", _REF),
                Column("site_ref", _REF),
                Column("first_name", text(100)),
                Column("last_name", text(100, required=True)),
                Column("job_title", text(200)),
                Column("email", email),
                Column("direct_line", _PHONE),
                Column("mobile", _PHONE),
                Column("language", language),
                Column("email_consent", consent),
            ),
            (_SITE,),
            keyed=True,
        ),
        Kind.EMPLOYEES: Table(
            Kind.EMPLOYEES,
            "employee_id",
            "employee_ref",
            (
                Column("employee_ref", _REF),
                Column("first_name", text(100)),
                Column("last_name", text(100, required=True)),
                Column("email", email),
                Column("job_title", text(200)),
                Column("team", text(100)),
            ),
        ),
        Kind.DEALS: Table(
            Kind.DEALS,
            "deal_id",
            "deal_ref",
            (
                Column("deal_ref", _REF),
                Column("site_ref", _REF),
                Column("contact_ref", text(100)),
                Column("owner_ref", text(100)),
                Column("business_line", text(100)),
                Column("market", text(100)),
                Column("product", text(200)),
                Column("status", text(40, required=True)),
                Column("expected_signature", day, "date"),
                Column("revenue_minor", number(-_BIGINT, _BIGINT), "bigint"),
                Column("margin_minor", number(-_BIGINT, _BIGINT), "bigint"),
                Column("currency", letters(3, "EUR", upper=True)),
                Column("probability_percent", number(0, 100), "integer"),
                Column("comment", text(4000)),
            ),
            (_SITE, _CONTACT, _OWNER),
        ),
    }
)
