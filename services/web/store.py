"""The rows of operators: accounts with their roles, groups and journal."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.web.domain import Account
from shared.database import Connection
from shared.ids import new_id
from topics.operators import Role

_SELECT: Final = """
SELECT a.operator_id, a.version, a.name, a.email, a.slack_user_id, a.language, a.active,
       ARRAY(SELECT role FROM account_roles r WHERE r.operator_id = a.operator_id
             ORDER BY role) AS roles,
       ARRAY(SELECT group_name FROM account_memberships m WHERE m.operator_id = a.operator_id
             ORDER BY group_name) AS groups
FROM accounts a
"""
_SAVE: Final = """
INSERT INTO accounts (operator_id, version, name, email, slack_user_id, language, active,
                      created_at, modified_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
ON CONFLICT (operator_id) DO UPDATE
SET version = excluded.version, name = excluded.name, email = excluded.email,
    slack_user_id = excluded.slack_user_id, language = excluded.language,
    active = excluded.active, modified_at = excluded.modified_at
"""


def _account(row: asyncpg.Record) -> Account:
    return Account(
        operator_id=UUID(int=row["operator_id"].int),
        version=row["version"],
        name=row["name"],
        email=row["email"],
        roles=tuple(Role(role) for role in row["roles"]),
        groups=tuple(row["groups"]),
        slack_user_id=row["slack_user_id"],
        language=row["language"],
        active=row["active"],
    )


class AccountStore:
    """Accounts in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self, operator_id: UUID) -> Account | None:
        """Return an account, its row locked until the transaction ends."""
        row = await self._connection.fetchrow(
            f"{_SELECT} WHERE a.operator_id = $1 FOR UPDATE OF a", operator_id
        )
        return _account(row) if row else None

    async def get(self, operator_id: UUID) -> Account | None:
        """Return an account."""
        row = await self._connection.fetchrow(f"{_SELECT} WHERE a.operator_id = $1", operator_id)
        return _account(row) if row else None

    async def by_email(self, email: str) -> UUID | None:
        """Return the operator with an address (in lower case)."""
        found = await self._connection.fetchval(
            "SELECT operator_id FROM accounts WHERE email = $1", email
        )
        return UUID(int=found.int) if found else None

    async def addresses(self) -> list[tuple[UUID, str]]:
        """Return the active operators' ids with their addresses."""
        rows = await self._connection.fetch(
            "SELECT operator_id, email FROM accounts WHERE active ORDER BY operator_id"
        )
        return [(UUID(int=row["operator_id"].int), row["email"]) for row in rows]

    async def page(self, after: UUID | None, limit: int) -> list[Account]:
        """Return accounts by id (the order they were added in), after one."""
        rows = await self._connection.fetch(
            f"{_SELECT} WHERE $1::uuid IS NULL OR a.operator_id > $1"
            " ORDER BY a.operator_id LIMIT $2",
            after,
            limit,
        )
        return [_account(row) for row in rows]

    async def holder_of(self, column: str, value: str) -> UUID | None:
        """Return who has an e-mail or a Slack account (``column``)."""
        name = {"email": "email", "slack_user_id": "slack_user_id"}[column]
        found = await self._connection.fetchval(
            f"SELECT operator_id FROM accounts WHERE {name} = $1", value
        )
        return UUID(int=found.int) if found else None

    async def other_administrators(self, operator_id: UUID) -> int:
        """Return how many other active administrators there are; their rows are locked."""
        rows = await self._connection.fetch(
            "SELECT a.operator_id FROM accounts a JOIN account_roles r USING (operator_id)"
            " WHERE r.role = $1 AND a.active AND a.operator_id <> $2 FOR UPDATE OF a",
            Role.ADMINISTRATOR.value,
            operator_id,
        )
        return len(rows)

    async def save(self, account: Account, now: datetime) -> None:
        """Write an account with its roles and groups."""
        await self._connection.execute(
            _SAVE,
            account.operator_id,
            account.version,
            account.name,
            account.email,
            account.slack_user_id,
            account.language,
            account.active,
            now,
        )
        await self._save_roles(account)
        await self._save_groups(account)

    async def _save_roles(self, account: Account) -> None:
        roles = [role.value for role in account.roles]
        await self._connection.execute(
            "DELETE FROM account_roles WHERE operator_id = $1 AND role <> ALL($2::text[])",
            account.operator_id,
            roles,
        )
        await self._connection.execute(
            "INSERT INTO account_roles (operator_id, role) SELECT $1, unnest($2::text[])"
            " ON CONFLICT DO NOTHING",
            account.operator_id,
            roles,
        )

    async def _save_groups(self, account: Account) -> None:
        groups = list(account.groups)
        await self._connection.execute(
            "INSERT INTO account_groups (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
            groups,
        )
        await self._connection.execute(
            "DELETE FROM account_memberships"
            " WHERE operator_id = $1 AND group_name <> ALL($2::text[])",
            account.operator_id,
            groups,
        )
        await self._connection.execute(
            "INSERT INTO account_memberships (operator_id, group_name)"
            " SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING",
            account.operator_id,
            groups,
        )

    async def note(self, operator_id: UUID, kind: str, by: str, at: datetime, detail: str) -> None:
        """Add a line to the journal."""
        await self._connection.execute(
            "INSERT INTO account_journal (entry_id, operator_id, type, operator, at, detail)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            new_id(),
            operator_id,
            kind,
            by,
            at,
            detail,
        )
