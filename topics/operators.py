"""Who may do what: operators with their roles, published by ``web`` for every deciding service."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from topics.message import State
from topics.names import OPERATORS_STATE


class Role(StrEnum):
    """What an operator is; rights follow from roles (see ``shared.rights``)."""

    ADMINISTRATOR = "administrator"
    MANAGER = "manager"
    REVIEWER = "reviewer"
    SUPERVISOR = "supervisor"


class OperatorState(State, topic=OPERATORS_STATE, key="operator_id"):
    """An operator as the other services know it.

    Topic: ``operators.state.v1``, key ``operator_id``. Source: web.
    Readers: every service that decides, and the bot (Slack link, language).
    """

    operator_id: UUID
    name: str = Field(min_length=1, max_length=200)
    roles: tuple[Role, ...] = ()
    groups: tuple[str, ...] = ()
    slack_user_id: str | None = None
    language: str = "en"
    active: bool = True
