"""The HTTP routes of the directory's lists: by id, searched by how a name or reference begins.

Addresses and numbers are masked for callers who do not manage campaigns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from services.targeting.access import allowed, check
from services.targeting.domain import mask_address, mask_number, mask_text
from shared.http import Caller, Here
from shared.rights import Right
from shared.service import Runtime

router = APIRouter()

_MASKS: Final = {"direct_line": mask_number, "mobile": mask_number, "last_name": mask_text}


class SiteLine(BaseModel):
    """A site."""

    site_id: UUID
    site_ref: str
    name: str
    street: str
    postal_code: str
    town: str
    country: str
    phone: str
    language: str
    segment: str
    headcount: int | None


class ContactLine(BaseModel):
    """A contact; ``opted_out`` is the consent for e-mail that holds."""

    contact_id: UUID
    contact_ref: str
    site_id: UUID
    first_name: str
    last_name: str
    job_title: str
    email: str | None
    direct_line: str
    mobile: str
    language: str
    opted_out: bool


class EmployeeLine(BaseModel):
    """An employee of the sender's own company."""

    employee_id: UUID
    employee_ref: str
    first_name: str
    last_name: str
    email: str | None
    job_title: str
    team: str


class DealLine(BaseModel):
    """A deal; amounts in minor units of its currency."""

    deal_id: UUID
    deal_ref: str
    site_id: UUID
    contact_id: UUID | None
    owner_id: UUID | None
    business_line: str
    market: str
    product: str
    status: str
    expected_signature: date | None
    revenue_minor: int | None
    margin_minor: int | None
    currency: str
    probability_percent: int | None
    comment: str


class SitePage(BaseModel):
    """Sites by id; ask on with ``after`` = ``next``."""

    sites: list[SiteLine]
    next: UUID | None


class ContactPage(BaseModel):
    """Contacts by id; ask on with ``after`` = ``next``."""

    contacts: list[ContactLine]
    next: UUID | None


class EmployeePage(BaseModel):
    """Employees by id; ask on with ``after`` = ``next``."""

    employees: list[EmployeeLine]
    next: UUID | None


class DealPage(BaseModel):
    """Deals by id; ask on with ``after`` = ``next``."""

    deals: list[DealLine]
    next: UUID | None


class Paging(BaseModel):
    """Which part of a list: what a name or reference begins with, after which id, how many."""

    search: str
    after: UUID | None
    limit: int


def _paging(
    search: Annotated[str, Query(max_length=100)] = "",
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Paging:
    return Paging(search=search.replace("\x00", ""), after=after, limit=limit)


Part = Annotated[Paging, Depends(_paging)]


@router.get("/sites")
async def sites(actor: Caller, runtime: Here, part: Part) -> SitePage:
    """Return sites whose name or reference begins with the search text."""
    await check(runtime, actor, Right.READ)
    rows = await _rows(runtime, part, SiteLine, "directory.sites", "site_id", ("name", "site_ref"))
    return SitePage(
        sites=[SiteLine(**dict(row)) for row in rows], next=_next(rows, part, "site_id")
    )


@router.get("/contacts")
async def contacts(actor: Caller, runtime: Here, part: Part) -> ContactPage:
    """Return contacts whose last name or reference begins with the search text."""
    await check(runtime, actor, Right.READ)
    names = ("last_name", "contact_ref")
    rows = await _rows(runtime, part, ContactLine, "directory.contacts", "contact_id", names)
    clear = await allowed(runtime, actor, Right.MANAGE_CAMPAIGNS)
    found = [_contact(row, clear=clear) for row in rows]
    return ContactPage(contacts=found, next=_next(rows, part, "contact_id"))


@router.get("/employees")
async def employees(actor: Caller, runtime: Here, part: Part) -> EmployeePage:
    """Return employees whose last name or reference begins with the search text."""
    await check(runtime, actor, Right.READ)
    names = ("last_name", "employee_ref")
    rows = await _rows(runtime, part, EmployeeLine, "employees", "employee_id", names)
    return EmployeePage(
        employees=[EmployeeLine(**dict(row)) for row in rows],
        next=_next(rows, part, "employee_id"),
    )


@router.get("/deals")
async def deals(actor: Caller, runtime: Here, part: Part) -> DealPage:
    """Return deals whose product or reference begins with the search text."""
    await check(runtime, actor, Right.READ)
    names = ("product", "deal_ref")
    rows = await _rows(runtime, part, DealLine, "directory.deals", "deal_id", names)
    return DealPage(
        deals=[DealLine(**dict(row)) for row in rows], next=_next(rows, part, "deal_id")
    )


async def _rows(
    runtime: Runtime,
    part: Paging,
    line: type[BaseModel],
    table: str,
    key: str,
    searched: tuple[str, ...],
) -> Sequence[asyncpg.Record]:
    begins = " OR ".join(f"lower({name}) LIKE $2" for name in searched)
    text = part.search.lower()
    for letter in "\\%_":
        text = text.replace(letter, f"\\{letter}")
    return await runtime.pool.fetch(
        f"SELECT {', '.join(line.model_fields)} FROM {table}"
        f" WHERE ($1::uuid IS NULL OR {key} > $1) AND ($2 = '%' OR {begins})"
        f" ORDER BY {key} LIMIT $3",
        part.after,
        f"{text}%",
        part.limit,
    )


def _next(rows: Sequence[asyncpg.Record], part: Paging, key: str) -> UUID | None:
    return rows[-1][key] if len(rows) == part.limit else None


def _contact(row: asyncpg.Record, *, clear: bool) -> ContactLine:
    values = dict(row)
    if not clear:
        values["email"] = mask_address(values["email"])
        for name, mask in _MASKS.items():
            values[name] = mask(values[name])
    return ContactLine(**values)
