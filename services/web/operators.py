"""Adding, changing and deactivating operators; every service learns of each change.

``actor`` is who asks. Without one, it is the instance's owner at the command line, who holds the
secret key and the database anyway: that is how the first operator comes to be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from services.web import domain
from services.web.domain import Account, Change
from services.web.store import AccountStore
from shared.errors import Refused
from shared.ids import new_id, recipient_key
from shared.rights import Right, copy_operator, require
from shared.uow import Work
from topics.message import Actor
from topics.operators import Role

COMMAND_LINE: Final = "command line"


async def add_operator(
    work: Work,
    *,
    name: str,
    email: str,
    roles: Iterable[str] = (),
    groups: Iterable[str] = (),
    slack_user_id: str | None = None,
    language: str = "en",
    actor: Actor | None = None,
    operator_id: UUID | None = None,
) -> UUID:
    """Add an operator and return their id.

    The same ``operator_id`` twice (a call tried again) changes nothing.

    Raises:
        Refused: a field is wrong, or the e-mail or Slack account is another operator's.
        NotAllowed: the actor may not manage operators.
    """
    await _allow(work, actor)
    account = Account(
        operator_id=operator_id or new_id(),
        version=1,
        name=domain.checked_name(name),
        email=domain.checked_email(email),
        roles=domain.checked_roles(roles),
        groups=domain.checked_groups(groups),
        slack_user_id=domain.checked_slack_id(slack_user_id),
        language=domain.checked_language(language),
        active=True,
    )
    if await AccountStore(work.connection).get(account.operator_id) is None:
        await _save(work, account, "added", actor, "")
    return account.operator_id


async def update_operator(
    work: Work, operator_id: UUID, change: Change, *, actor: Actor | None = None
) -> bool:
    """Change an operator; return whether anything differed.

    Raises:
        Refused: unknown, a field is wrong, or nobody would be left to manage operators.
        NotAllowed: the actor may not manage operators.
    """
    await _allow(work, actor)
    before = await AccountStore(work.connection).lock(operator_id)
    if before is None:
        raise Refused("there is no such operator", field="operator_id", code="unknown")
    after = domain.changed(before, change)
    if after == before:
        return False
    if _administers(before) and not _administers(after):
        await _keep_an_administrator(work, operator_id)
    await _save(work, after, "changed", actor, ", ".join(domain.differences(before, after)))
    if not after.active:
        await _revoke_tokens(work, operator_id)
    return True


async def deactivate_operator(work: Work, operator_id: UUID, *, actor: Actor | None = None) -> bool:
    """Take an operator's rights and tokens away; the row stays for the journals that name it."""
    return await update_operator(work, operator_id, Change(active=False), actor=actor)


async def link_operator(
    work: Work, operator_id: UUID, slack_user_id: str, *, actor: Actor | None = None
) -> Account:
    """Make a Slack account an operator's, and return them; whoever had it before no longer does.

    Raises:
        Refused: unknown, deactivated, or this is no Slack id.
        NotAllowed: the actor may not manage operators.
    """
    await _allow(work, actor)
    store = AccountStore(work.connection)
    account = await store.lock(operator_id)
    if account is None or not account.active:
        raise Refused("there is no such active operator", code="unknown_operator")
    checked = domain.checked_slack_id(slack_user_id) or ""
    holder = await store.holder_of("slack_user_id", checked)
    if holder not in {None, operator_id}:
        await update_operator(work, holder, Change(slack_user_id=""), actor=actor)
    await update_operator(work, operator_id, Change(slack_user_id=checked), actor=actor)
    return account


async def introduce_operator(
    work: Work, email_key: str, slack_user_id: str, *, actor: Actor
) -> Account:
    """Link a Slack account to the active operator whose address it is confirmed to have.

    Who is linked already stays so: moving a link is for an administrator. ``email_key`` is the
    address's :func:`~shared.ids.recipient_key`.

    Raises:
        Refused: nobody has that address, or they or the account are linked already.
    """
    store = AccountStore(work.connection)
    if await store.holder_of("slack_user_id", slack_user_id) is not None:
        raise Refused("this Slack account is linked already", code="linked_already")
    account = await operator_with_key(work, email_key)
    if account.slack_user_id is not None:
        raise Refused(f"{account.name} has another Slack account", code="linked_already")
    after = domain.changed(account, Change(slack_user_id=slack_user_id))
    await _save(work, after, "changed", actor, "slack_user_id, by e-mail address")
    return after


async def operator_with_key(work: Work, email_key: str) -> Account:
    """Return the active operator whose address has a key, their row locked.

    Raises:
        Refused: there is none.
    """
    store = AccountStore(work.connection)
    secret = work.settings.secret
    for operator_id, email in await store.addresses():
        if email_key and recipient_key(secret, "email", email) == email_key:
            account = await store.lock(operator_id)
            if account is not None:
                return account
    raise Refused("no active operator has that e-mail address", code="unknown_operator")


async def find_operator(work: Work, email: str) -> UUID | None:
    """Return the operator with an e-mail address, whatever its case."""
    return await AccountStore(work.connection).by_email(email.strip().lower())


async def _allow(work: Work, actor: Actor | None) -> None:
    if actor is not None:
        await require(work, actor, Right.MANAGE_OPERATORS)


def _administers(account: Account) -> bool:
    return account.active and Role.ADMINISTRATOR in account.roles


async def _keep_an_administrator(work: Work, operator_id: UUID) -> None:
    if not await AccountStore(work.connection).other_administrators(operator_id):
        raise Refused("this is the last administrator; make another one first", field="roles")


async def _revoke_tokens(work: Work, operator_id: UUID) -> None:
    # Activating an operator again must not bring forgotten tokens back to life.
    await work.connection.execute(
        "UPDATE tokens SET revoked_at = $2 WHERE operator_id = $1 AND revoked_at IS NULL",
        operator_id,
        work.now,
    )


async def _save(work: Work, account: Account, kind: str, actor: Actor | None, detail: str) -> None:
    store = AccountStore(work.connection)
    for column, value in (("email", account.email), ("slack_user_id", account.slack_user_id)):
        holder = await store.holder_of(column, value) if value else None
        if holder not in {None, account.operator_id}:
            raise Refused("another operator has it already", field=column)
    await store.save(account, work.now)
    by = actor.id if actor else COMMAND_LINE
    await store.note(account.operator_id, kind, by, work.now, detail)
    # Web's own copy at once, so that the next call already finds the right.
    await copy_operator(account.state, work)
    work.emit(account.state)
