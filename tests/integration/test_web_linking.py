"""Web links Slack accounts to operators: who may, whose, and what an old link becomes."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.web.app import SERVICE
from services.web.linking import link
from services.web.operators import add_operator
from services.web.store import AccountStore
from shared.errors import NotAllowed, Refused
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from topics.cloudevents import Envelope
from topics.message import Actor, Via
from topics.operators import LinkOperator, OperatorLinked, OperatorState, Role

ITSELF = Actor(id="system:bot", via=Via.SYSTEM)
ACCOUNT, OTHER = "U0STRANGER1", "U0STRANGER2"


@pytest.fixture
async def web(open_service: Open) -> Runtime:
    return await open_service(SERVICE)


async def add(web: Runtime, name: str, *roles: Role) -> UUID:
    async with web.uow.begin() as work:
        return await add_operator(work, name=name, email=f"{name}@Example.org", roles=roles)


def address(web: Runtime, name: str) -> str:
    return recipient_key(web.settings.secret, "email", f"{name.upper()}@example.org")


async def linked(web: Runtime, command: LinkOperator, source: str = "bot") -> list[OperatorLinked]:
    """Handle a command as it comes from a service; return what it answers."""
    async with web.uow.begin() as work:
        work.cause = Envelope(
            id="one", source=f"/muster/{source}", type=command.ce_type, time=work.now, data=b""
        )
        await link(command, work)
        assert any(isinstance(one, OperatorState) for one in work.emitted)
        return [one for one in work.emitted if isinstance(one, OperatorLinked)]


async def account_of(web: Runtime, operator_id: UUID) -> str | None:
    async with web.uow.begin() as work:
        account = await AccountStore(work.connection).get(operator_id)
        assert account is not None
        return account.slack_user_id


async def test_the_bot_links_who_has_no_account_yet_by_their_address(web: Runtime) -> None:
    ada = await add(web, "Ada", Role.MANAGER)
    wish = LinkOperator(slack_user_id=ACCOUNT, email_key=address(web, "Ada"), actor=ITSELF)
    (answer,) = await linked(web, wish)
    assert (answer.operator_id, answer.name) == (ada, "Ada")
    assert await account_of(web, ada) == ACCOUNT
    for again in (wish, wish.model_copy(update={"slack_user_id": OTHER})):
        with pytest.raises(Refused):
            await linked(web, again)
    assert await account_of(web, ada) == ACCOUNT


async def test_an_address_nobody_has_links_nobody(web: Runtime) -> None:
    await add(web, "Ada")
    for key in (address(web, "Grace"), ""):
        with pytest.raises(Refused, match="no active operator"):
            await linked(web, LinkOperator(slack_user_id=ACCOUNT, email_key=key, actor=ITSELF))


async def test_another_service_in_the_bots_name_links_nobody(web: Runtime) -> None:
    ada = await add(web, "Ada")
    wish = LinkOperator(slack_user_id=ACCOUNT, email_key=address(web, "Ada"), actor=ITSELF)
    with pytest.raises(NotAllowed):
        await linked(web, wish, source="events_status")
    named = wish.model_copy(update={"actor": Actor(id="system:campaign", via=Via.SYSTEM)})
    with pytest.raises(NotAllowed):
        await linked(web, named, source="campaign")
    assert await account_of(web, ada) is None


async def test_an_administrator_moves_a_link_by_name_or_address(web: Runtime) -> None:
    admin = Actor(id=str(await add(web, "Root", Role.ADMINISTRATOR)), via=Via.SLACK)
    ada, grace = await add(web, "Ada"), await add(web, "Grace")
    wish = LinkOperator(slack_user_id=ACCOUNT, operator_id=ada, actor=admin)
    await linked(web, wish)
    moved = LinkOperator(slack_user_id=ACCOUNT, email_key=address(web, "Grace"), actor=admin)
    (answer,) = await linked(web, moved)
    assert answer.operator_id == grace
    assert (await account_of(web, ada), await account_of(web, grace)) == (None, ACCOUNT)
    await linked(web, moved.model_copy(update={"slack_user_id": OTHER}))
    assert await account_of(web, grace) == OTHER


async def test_who_may_not_manage_operators_links_nobody(web: Runtime) -> None:
    ada = await add(web, "Ada", Role.MANAGER)
    person = Actor(id=str(ada), via=Via.SLACK)
    with pytest.raises(NotAllowed):
        await linked(web, LinkOperator(slack_user_id=ACCOUNT, operator_id=ada, actor=person))
