"""Who may do what: rights follow from roles, and the deciding service checks its own copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.errors import NotAllowed
from shared.registry import Registry
from shared.uow import Work
from topics.message import Actor
from topics.operators import OperatorState, Role


class Right(StrEnum):
    """What a command needs."""

    MANAGE_CAMPAIGNS = "manage campaigns"
    APPROVE = "approve"
    MANAGE_TARGETINGS = "manage targetings"
    DIRECT_SQL = "write direct SQL"
    MANAGE_ACTIONS = "work on actions"
    MANAGE_TEMPLATES = "manage templates"
    MANAGE_BUDGETS = "manage budgets"
    MANAGE_STOCKS = "manage stocks"
    MANAGE_SUPPLIERS = "manage suppliers"
    MANAGE_EVENTS = "manage event types"
    CONTROL_WORKFLOWS = "control technical workflows"
    RECORD_CONSENT = "record consent"
    MANAGE_OPERATORS = "manage operators"
    READ = "read"


_MANAGER: Final = frozenset(
    {
        Right.MANAGE_CAMPAIGNS,
        Right.MANAGE_TARGETINGS,
        Right.MANAGE_ACTIONS,
        Right.MANAGE_TEMPLATES,
        Right.MANAGE_BUDGETS,
        Right.MANAGE_STOCKS,
        Right.MANAGE_SUPPLIERS,
        Right.MANAGE_EVENTS,
        Right.RECORD_CONSENT,
        Right.READ,
    }
)
GRANTS: Final[dict[Role, frozenset[Right]]] = {
    Role.ADMINISTRATOR: frozenset(Right),
    Role.MANAGER: _MANAGER,
    Role.REVIEWER: frozenset({Right.APPROVE, Right.READ}),
    Role.SUPERVISOR: frozenset({Right.CONTROL_WORKFLOWS, Right.READ}),
}


def roles_with(right: Right) -> list[str]:
    """Return the roles that grant a right, as rows hold them."""
    return [role.value for role, rights in GRANTS.items() if right in rights]


# What Muster's own services may do to each other: all but what only a person decides.
_SYSTEM: Final = frozenset(Right) - {Right.APPROVE, Right.MANAGE_OPERATORS}

operators = Registry()

_SAVE: Final = """
INSERT INTO operators (operator_id, version, name, roles, groups, slack_user_id, language, active)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (operator_id) DO UPDATE
SET version = excluded.version, name = excluded.name, roles = excluded.roles,
    groups = excluded.groups, slack_user_id = excluded.slack_user_id,
    language = excluded.language, active = excluded.active
WHERE operators.version < excluded.version
"""


@operators.on(OperatorState)
async def copy_operator(state: OperatorState, work: Work) -> None:
    """Keep this service's copy of an operator; an older version changes nothing."""
    operator_id = str(state.operator_id)
    # A Slack account that moved from one operator to another must not block the newer link.
    await work.connection.execute(
        "UPDATE operators SET slack_user_id = NULL WHERE slack_user_id = $1 AND operator_id <> $2",
        state.slack_user_id,
        operator_id,
    )
    await work.connection.execute(
        _SAVE,
        operator_id,
        state.version,
        state.name,
        [str(role) for role in state.roles],
        list(state.groups),
        state.slack_user_id,
        state.language,
        state.active,
    )


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as this service knows them."""

    operator_id: str
    name: str
    roles: frozenset[Role]
    groups: frozenset[str]
    slack_user_id: str | None
    language: str
    active: bool

    def may(self, right: Right) -> bool:
        """Whether one of the roles grants the right."""
        return self.active and any(right in GRANTS[role] for role in self.roles)


async def find(work: Work, operator_id: str) -> Operator | None:
    """Return an operator of this service's copy."""
    row = await work.connection.fetchrow(
        "SELECT operator_id, name, roles, groups, slack_user_id, language, active"
        " FROM operators WHERE operator_id = $1",
        operator_id,
    )
    if row is None:
        return None
    return Operator(
        row["operator_id"],
        row["name"],
        frozenset(Role(role) for role in row["roles"]),
        frozenset(row["groups"]),
        row["slack_user_id"],
        row["language"],
        row["active"],
    )


async def members_of(work: Work, groups: Sequence[str]) -> list[UUID]:
    """Return the active operators of groups, by id."""
    rows = await work.connection.fetch(
        "SELECT operator_id FROM operators WHERE active AND groups && $1::text[]"
        " ORDER BY operator_id",
        list(groups),
    )
    return [UUID(row["operator_id"]) for row in rows]


async def require(work: Work, actor: Actor, right: Right) -> Operator | None:
    """Return the operator when the actor has the right; ``None`` for a service of Muster.

    A command that claims to come from a service is believed only when its CloudEvents source is
    one; outside producers have no rights on command topics (``muster topics acl``).

    Raises:
        NotAllowed: the actor is unknown, inactive, or lacks the right.
    """
    if actor.is_system:
        source = work.cause.source if work.cause else f"/muster/{work.service}"
        if right in _SYSTEM and source == f"/muster/{actor.id.removeprefix('system:')}":
            return None
        raise NotAllowed(f"{actor.id} may not {right}")
    operator = await find(work, actor.id)
    if operator is None:
        raise NotAllowed("this operator is not known here")
    if not operator.may(right):
        raise NotAllowed(f"{operator.name} may not {right}", operator=operator.name, right=right)
    return operator
