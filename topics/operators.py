"""Who may do what: operators with their roles, published by ``web`` for every deciding service."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event, State
from topics.names import OPERATORS_COMMANDS, OPERATORS_EVENTS, OPERATORS_STATE


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


class LinkOperator(Command, topic=OPERATORS_COMMANDS, key="slack_user_id"):
    """Link a Slack account to the operator with an id, or with an e-mail address.

    The address travels as its keyed hash (``shared.ids.recipient_key``); one of the two is given.
    Source: the bot. An administrator may link anybody; in its own name the bot links who has no
    Slack account yet, by the address that Slack has confirmed.
    Answers: ``OperatorLinked`` or ``OperatorNotLinked``.
    """

    slack_user_id: str = Field(min_length=2, max_length=90)
    operator_id: UUID | None = None
    email_key: str = Field(default="", max_length=64)
    actor: Actor


class OperatorLinked(Event, topic=OPERATORS_EVENTS, key="slack_user_id"):
    """A Slack account is an operator's from now on. Source: web."""

    slack_user_id: str
    operator_id: UUID
    name: str
    actor: Actor


class OperatorNotLinked(Event, topic=OPERATORS_EVENTS, key="slack_user_id"):
    """A Slack account was not linked, and why. Source: web."""

    slack_user_id: str
    reason: str
    code: str = ""
    actor: Actor
