"""Slash commands: ``/campaign …``, ``/approvals``, ``/budget``, ``/stock`` and ``/workflows``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.approval_list import approval_list
from bot.asked import CampaignFilter
from bot.blocks import content
from bot.channels import typed_channel
from bot.cutting import esc, read_marked
from bot.figures import budget_list, stock_list
from bot.front import NOTHING, Act, Front, Sender, Visit
from bot.fund_store import FundStore, askers
from bot.limits import Json
from bot.linking import typed_link
from bot.lists import campaign_list
from bot.orders import VERBS, typed_order
from bot.reading import PAGE, Which
from bot.stepping import open_form
from bot.workflow_list import workflow_list
from shared.rights import Right

MARKED: Final = frozenset({"channel", "link"})
"""The words whose rest names accounts or channels, as Slack marks them."""
Answer = Callable[[Visit, str], Awaitable[Json]]


def attach(app: AsyncApp, front: Front) -> None:
    """Register the slash commands."""

    async def campaign(ack: AsyncAck, command: dict[str, Any]) -> None:
        words = str(command.get("text") or "")
        await front.command(ack, sender_of(command), lambda visit: route(visit, words))

    async def approvals(ack: AsyncAck, command: dict[str, Any]) -> None:
        await front.command(ack, sender_of(command), _approvals(str(command.get("text") or "")))

    async def budget(ack: AsyncAck, command: dict[str, Any]) -> None:
        words = str(command.get("text") or "").strip()
        await front.command(ack, sender_of(command), lambda visit: show_budgets(visit, words))

    async def stock(ack: AsyncAck, command: dict[str, Any]) -> None:
        words = str(command.get("text") or "").strip()
        await front.command(ack, sender_of(command), lambda visit: show_stock(visit, words))

    async def workflows(ack: AsyncAck, command: dict[str, Any]) -> None:
        await front.command(ack, sender_of(command), lambda visit: show_workflows(visit, 0))

    app.command("/campaign")(campaign)
    app.command("/approvals")(approvals)
    app.command("/budget")(budget)
    app.command("/stock")(stock)
    app.command("/workflows")(workflows)


def sender_of(command: dict[str, Any]) -> Sender:
    """Return who typed a command, and where."""
    return Sender(command["user_id"], command["channel_id"], command["trigger_id"], "slash")


async def route(visit: Visit, words: str) -> Json:
    """Carry out ``/campaign <verb> …``; what is not understood gets help."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    verb, _, rest = words.strip().partition(" ")
    verb = verb.lower()
    if verb not in MARKED:
        words, rest = read_marked(words), read_marked(rest)
    if verb in VERBS:
        return await typed_order(visit, verb, rest.strip())
    answer = _ANSWERS.get(verb or "help")
    if answer is None:
        unknown = visit.say("unknown_command", words=esc(words, 80))
        return content(f"{unknown}\n{visit.say('help')}")
    return await answer(visit, rest.strip())


async def new(visit: Visit, _rest: str) -> Json:
    """Open the campaign form."""
    refusal = visit.refusal(Right.MANAGE_CAMPAIGNS)
    if refusal:
        return refusal
    await open_form(visit)
    return NOTHING


async def listed(visit: Visit, rest: str) -> Json:
    """Show the newest campaigns of those asked for."""
    return await show_campaigns(visit, CampaignFilter.of_words(rest))


async def show_campaigns(
    visit: Visit,
    wanted: CampaignFilter,
    *,
    below: int | None = None,
    above: int | None = None,
) -> Json:
    """Show a page of campaigns."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    page = await visit.reading.campaigns(wanted, visit.known.operator_id, below=below, above=above)
    return campaign_list(page, visit.setting)


def _approvals(words: str) -> Act[Json]:
    """Return the list that the words after ``/approvals`` ask for; by default the person's own."""
    word = words.strip().lower()
    which = _WHICH.get(word)

    async def answer(visit: Visit) -> Json:
        refusal = visit.refusal(Right.READ)
        if refusal:
            return refusal
        if which is None:
            return content(visit.say("approvals_help", words=esc(word, 80)))
        return await show_approvals(visit, which)

    return answer


async def show_approvals(visit: Visit, which: Which, start: int = 0) -> Json:
    """Show a page of approvals."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    page = await visit.reading.approvals(
        which,
        visit.known.operator_id,
        visit.work.now,
        may_approve=visit.known.may(Right.APPROVE),
        start=start,
    )
    funds = []
    if which is not Which.OVERDUE and start == 0:
        store, known = FundStore(visit.work.connection), visit.known
        may_approve = known.may(Right.APPROVE)
        funds = await store.pending(PAGE, known.operator_id, may_approve=may_approve)
    people = await visit.store.people(
        [*askers(funds), *(state.requested_by for state in page.rows)]
    )
    return approval_list(page, people, visit.setting, now=visit.work.now, funds=funds)


async def show_budgets(visit: Visit, words: str, start: int = 0) -> Json:
    """Show a page of budgets."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    return budget_list(await visit.reading.budgets(words, start), visit.setting)


async def show_stock(visit: Visit, words: str, start: int = 0) -> Json:
    """Show a page of stock lines."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    return stock_list(await visit.reading.stock(words, start), visit.setting)


async def show_workflows(visit: Visit, start: int) -> Json:
    """Show the technical workflows, with buttons for who may control them."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    return workflow_list(
        await visit.store.workflows(),
        await visit.store.beats(),
        visit.setting,
        waiting=await visit.store.waiting(),
        now=visit.work.now,
        may_control=visit.known.may(Right.CONTROL_WORKFLOWS),
        start=start,
    )


async def help_(visit: Visit, _rest: str) -> Json:
    """Say what is understood."""
    return content(visit.say("help"))


_ANSWERS: Final[dict[str, Answer]] = {
    "new": new,
    "list": listed,
    "channel": typed_channel,
    "link": typed_link,
    "help": help_,
}
_WHICH: Final = {
    "": Which.MINE,
    "mine": Which.MINE,
    "waiting": Which.WAITING,
    "overdue": Which.OVERDUE,
    "miennes": Which.MINE,
    "attente": Which.WAITING,
    "retard": Which.OVERDUE,
}
