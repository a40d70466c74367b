"""API tokens: made, shown once, kept as hashes, found by prefix, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from services.web import domain
from services.web.domain import Token
from services.web.settings import UPSTREAMS
from services.web.store import AccountStore
from shared.database import Connection
from shared.errors import Refused
from shared.ids import new_id
from shared.rights import Right, require
from shared.uow import Work
from topics.message import Actor

SERVICES: Final = (*UPSTREAMS, "web")
LONGEST: Final = timedelta(days=366)
_COLUMNS: Final = (
    "t.token_id, t.operator_id, t.secret_sha256, t.scopes, t.expires_at, t.revoked_at,"
    " a.active FROM tokens t JOIN accounts a USING (operator_id)"
)


@dataclass(frozen=True, slots=True)
class Made:
    """A new token; ``plaintext`` is shown once and kept nowhere."""

    token_id: UUID
    plaintext: str


async def create_token(
    work: Work,
    operator_id: UUID,
    scopes: Iterable[str],
    expires_at: datetime,
    *,
    name: str = "",
    actor: Actor | None = None,
) -> str:
    """Make a token for an operator and return its text (``mst_…``), which is shown only now.

    Raises:
        Refused: unknown or deactivated operator, unknown scope, expiry past or over a year away.
        NotAllowed: the actor may not manage operators.
    """
    return (
        await make_token(work, operator_id, scopes, expires_at, name=name, actor=actor)
    ).plaintext


async def make_token(
    work: Work,
    operator_id: UUID,
    scopes: Iterable[str],
    expires_at: datetime,
    *,
    name: str = "",
    actor: Actor | None = None,
) -> Made:
    """Make a token as :func:`create_token` does; return its id too."""
    if actor is not None:
        await require(work, actor, Right.MANAGE_OPERATORS)
    account = await AccountStore(work.connection).get(operator_id)
    if account is None or not account.active:
        raise Refused("there is no such active operator", field="operator_id")
    if not work.now < expires_at <= work.now + LONGEST:
        raise Refused("a token expires within a year from now", field="expires_at")
    held = domain.checked_scopes(scopes, SERVICES)
    secret = domain.new_secret(secrets.token_bytes(8), secrets.token_bytes(32))
    token_id = new_id()
    await work.connection.execute(
        "INSERT INTO tokens (token_id, prefix, secret_sha256, operator_id, name, scopes,"
        " created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        token_id,
        secret.prefix,
        secret.sha256,
        operator_id,
        name.strip()[:100],
        list(held),
        work.now,
        expires_at,
    )
    by = actor.id if actor else "command line"
    await AccountStore(work.connection).note(
        operator_id, "token made", by, work.now, f"{secret.prefix}: {', '.join(held)}"
    )
    return Made(token_id, secret.plaintext)


async def revoke_token(work: Work, token_id: UUID, *, actor: Actor | None = None) -> bool:
    """Revoke a token; return whether it was still good.

    Raises:
        Refused: there is no such token.
        NotAllowed: the actor may not manage operators.
    """
    if actor is not None:
        await require(work, actor, Right.MANAGE_OPERATORS)
    row = await work.connection.fetchrow(
        "SELECT operator_id, prefix, revoked_at FROM tokens WHERE token_id = $1 FOR UPDATE",
        token_id,
    )
    if row is None:
        raise Refused("there is no such token", field="token_id", code="unknown")
    if row["revoked_at"] is not None:
        return False
    await work.connection.execute(
        "UPDATE tokens SET revoked_at = $2 WHERE token_id = $1", token_id, work.now
    )
    by = actor.id if actor else "command line"
    await AccountStore(work.connection).note(
        row["operator_id"], "token revoked", by, work.now, row["prefix"]
    )
    return True


class BadToken(Exception):
    """The call is not authenticated; the text says why and repeats nothing of the token."""


async def authenticate(work: Work, plaintext: str) -> Token:
    """Return the token a call came with, and note the hour it was used in.

    Raises:
        BadToken: malformed, unknown, revoked, expired, or its operator is deactivated.
    """
    parts = domain.split_token(plaintext)
    if parts is None:
        raise BadToken("this is no token of Muster's: they begin with mst_")
    prefix, sha256 = parts
    row = await work.connection.fetchrow(f"SELECT {_COLUMNS} WHERE t.prefix = $1", prefix)
    token = _token(row) if row else None
    problem = domain.why_not(token, sha256, work.now)
    if problem is not None or token is None:
        raise BadToken(problem or "this token is not known")
    await _note_use(work.connection, token.token_id, work.now)
    return token


async def still_good(work: Work, token_id: UUID) -> Token | None:
    """Return the token a session was opened with, while it is good."""
    row = await work.connection.fetchrow(f"SELECT {_COLUMNS} WHERE t.token_id = $1", token_id)
    token = _token(row) if row else None
    return token if token and domain.refusal_of(token, work.now) is None else None


def _token(row: asyncpg.Record) -> Token:
    return Token(
        token_id=UUID(int=row["token_id"].int),
        operator_id=UUID(int=row["operator_id"].int),
        secret_sha256=row["secret_sha256"],
        scopes=tuple(row["scopes"]),
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        operator_active=row["active"],
    )


async def _note_use(connection: Connection, token_id: UUID, now: datetime) -> None:
    # By the hour: enough to find forgotten tokens, and no write at each call.
    hour = now.replace(minute=0, second=0, microsecond=0)
    await connection.execute(
        "UPDATE tokens SET last_used_at = $2"
        " WHERE token_id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
        token_id,
        hour,
    )
