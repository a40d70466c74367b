"""Slack accounts become operators': asked for by an administrator, or known by their address."""

from __future__ import annotations

from typing import Final

from services.web.operators import introduce_operator, link_operator, operator_with_key
from shared.errors import NotAllowed, Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.operators import LinkOperator, OperatorLinked, OperatorNotLinked

registry: Final = Registry()
BOT: Final = "system:bot"


def _refused(command: LinkOperator, refusal: Refused) -> OperatorNotLinked:
    return OperatorNotLinked(
        slack_user_id=command.slack_user_id,
        reason=refusal.reason,
        code=refusal.code,
        actor=command.actor,
    )


@registry.on(LinkOperator, refusal=_refused)
async def link(command: LinkOperator, work: Work) -> None:
    """Link a Slack account; the same again changes nothing and is answered the same."""
    if command.actor.is_system:
        # READ is what the bot may do anyway; asking for it proves that the bot it is.
        await require(work, command.actor, Right.READ)
        if command.actor.id != BOT:
            raise NotAllowed("only the bot links by address")
        account = await introduce_operator(
            work, command.email_key, command.slack_user_id, actor=command.actor
        )
    else:
        await require(work, command.actor, Right.MANAGE_OPERATORS)
        operator_id = command.operator_id
        if operator_id is None:
            operator_id = (await operator_with_key(work, command.email_key)).operator_id
        account = await link_operator(work, operator_id, command.slack_user_id, actor=command.actor)
    work.emit(
        OperatorLinked(
            slack_user_id=command.slack_user_id,
            operator_id=account.operator_id,
            name=account.name,
            actor=command.actor,
        )
    )
