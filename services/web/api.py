"""The HTTP routes of operators and tokens (through the edge, with scope ``admin``)."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.web import operators, roster, tokens
from services.web.domain import Account, Change
from services.web.store import AccountStore
from shared.errors import Refused
from shared.http import Caller, Here
from shared.rights import Right, require
from shared.service import Runtime
from topics.operators import Role

router = APIRouter()

_CLOSED = ConfigDict(extra="forbid")


class OperatorLine(BaseModel):
    """An operator."""

    operator_id: UUID
    name: str
    email: str
    roles: tuple[Role, ...]
    groups: tuple[str, ...]
    slack_user_id: str | None
    language: str
    active: bool
    version: int


class OperatorPage(BaseModel):
    """Operators in the order they were added; ask on with ``after`` = ``next``."""

    operators: list[OperatorLine]
    next: UUID | None


class NewOperator(BaseModel):
    """An operator to add; the id may be made by the caller, so that a retry is harmless."""

    model_config = _CLOSED

    operator_id: UUID | None = None
    name: str = Field(min_length=1, max_length=200)
    email: str = Field(min_length=3, max_length=320)
    roles: tuple[Role, ...] = ()
    groups: tuple[str, ...] = Field(default=(), max_length=50)
    slack_user_id: str | None = Field(default=None, max_length=90)
    language: str = Field(default="en", max_length=2)


class OperatorChange(BaseModel):
    """What to change; a field that is left out stays; an empty Slack id unlinks it."""

    model_config = _CLOSED

    name: str | None = Field(default=None, min_length=1, max_length=200)
    email: str | None = Field(default=None, max_length=320)
    roles: tuple[Role, ...] | None = None
    groups: tuple[str, ...] | None = Field(default=None, max_length=50)
    slack_user_id: str | None = Field(default=None, max_length=90)
    language: str | None = Field(default=None, max_length=2)
    active: bool | None = None


class RejectedRow(BaseModel):
    """A row that was not taken over, and why."""

    line: int
    reason: str


class ImportReport(BaseModel):
    """What an import did; ``reasons`` lists the first thousand rejected rows."""

    added: int
    updated: int
    unchanged: int
    rejected: int
    reasons: list[RejectedRow]


class NewToken(BaseModel):
    """A token to make."""

    model_config = _CLOSED

    operator_id: UUID
    name: str = Field(default="", max_length=100)
    scopes: tuple[str, ...] = Field(min_length=1, max_length=30)
    expires_at: AwareDatetime


class ShownToken(BaseModel):
    """A new token; its text is shown this once."""

    token_id: UUID
    token: str


class TokenLine(BaseModel):
    """A token as it is listed: never its text. ``last_used_at`` is the hour of its last use."""

    token_id: UUID
    prefix: str
    operator_id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class TokenPage(BaseModel):
    """Tokens, newest first; ask on with ``before`` = ``next``."""

    tokens: list[TokenLine]
    next: UUID | None


def _line(account: Account) -> OperatorLine:
    return OperatorLine(
        **{name: getattr(account, name) for name in OperatorLine.model_fields}  # same names
    )


async def _known(outcome: Awaitable[bool]) -> None:
    """Carry out a change; what is not there is a 404."""
    try:
        await outcome
    except Refused as refusal:
        if refusal.code == "unknown":
            raise HTTPException(404, refusal.reason) from None
        raise


async def _read(runtime: Runtime, operator_id: UUID) -> OperatorLine:
    async with runtime.uow.begin() as work:
        account = await AccountStore(work.connection).get(operator_id)
    if account is None:
        raise HTTPException(404, "there is no such operator")
    return _line(account)


@router.get("/operators")
async def search(
    actor: Caller,
    runtime: Here,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> OperatorPage:
    """List operators."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_OPERATORS)
        found = await AccountStore(work.connection).page(after, limit)
    return OperatorPage(
        operators=[_line(account) for account in found],
        next=found[-1].operator_id if len(found) == limit else None,
    )


@router.post("/operators", status_code=201)
async def add(new: NewOperator, actor: Caller, runtime: Here) -> OperatorLine:
    """Add an operator."""
    async with runtime.uow.begin() as work:
        operator_id = await operators.add_operator(work, **new.model_dump(), actor=actor)
    return await _read(runtime, operator_id)


@router.post("/operators/import")
async def import_csv(request: Request, actor: Caller, runtime: Here) -> ImportReport:
    """Add or update operators from a CSV file (the body, as UTF-8 text), told apart by e-mail."""
    report = await roster.import_operators(runtime.uow, request.stream(), actor=actor)
    return ImportReport(
        added=report.added,
        updated=report.updated,
        unchanged=report.unchanged,
        rejected=report.rejected,
        reasons=[RejectedRow(line=one.line, reason=one.reason) for one in report.reasons],
    )


@router.get("/operators/{operator_id}")
async def read(operator_id: UUID, actor: Caller, runtime: Here) -> OperatorLine:
    """Return an operator."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_OPERATORS)
    return await _read(runtime, operator_id)


@router.patch("/operators/{operator_id}")
async def edit(
    operator_id: UUID, change: OperatorChange, actor: Caller, runtime: Here
) -> OperatorLine:
    """Change the fields that are given; ``active: false`` takes rights and tokens away."""
    async with runtime.uow.begin() as work:
        await _known(
            operators.update_operator(work, operator_id, Change(**change.model_dump()), actor=actor)
        )
    return await _read(runtime, operator_id)


@router.post("/operators/{operator_id}/deactivate")
async def deactivate(operator_id: UUID, actor: Caller, runtime: Here) -> OperatorLine:
    """Take an operator's rights and tokens away; the journals go on naming them."""
    async with runtime.uow.begin() as work:
        await _known(operators.deactivate_operator(work, operator_id, actor=actor))
    return await _read(runtime, operator_id)


@router.get("/tokens")
async def list_tokens(
    actor: Caller,
    runtime: Here,
    operator_id: UUID | None = None,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> TokenPage:
    """List tokens, without their texts."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_OPERATORS)
        rows = await work.connection.fetch(
            "SELECT token_id, prefix, operator_id, name, scopes, created_at, expires_at,"
            " revoked_at, last_used_at FROM tokens WHERE ($1::uuid IS NULL OR operator_id = $1)"
            " AND ($2::uuid IS NULL OR token_id < $2) ORDER BY token_id DESC LIMIT $3",
            operator_id,
            before,
            limit,
        )
    found = [TokenLine(**dict(row)) for row in rows]
    return TokenPage(tokens=found, next=found[-1].token_id if len(found) == limit else None)


@router.post("/tokens", status_code=201)
async def make(new: NewToken, actor: Caller, runtime: Here, response: Response) -> ShownToken:
    """Make a token; its text is in this answer and nowhere else."""
    async with runtime.uow.begin() as work:
        made = await tokens.make_token(
            work, new.operator_id, new.scopes, new.expires_at, name=new.name, actor=actor
        )
    # Also keeps the edge from remembering this answer for an Idempotency-Key.
    response.headers["Cache-Control"] = "no-store"
    return ShownToken(token_id=made.token_id, token=made.plaintext)


@router.delete("/tokens/{token_id}", status_code=204)
async def revoke(token_id: UUID, actor: Caller, runtime: Here) -> None:
    """Revoke a token, at once."""
    async with runtime.uow.begin() as work:
        await _known(tokens.revoke_token(work, token_id, actor=actor))
