"""A budget approval's life in Slack: its card, its end, and what who answered is told."""

from __future__ import annotations

from typing import Final

from bot.answers import person_of, tell_actor
from bot.cutting import esc
from bot.fund_cards import funds_card
from bot.fund_store import Funds, FundsOutcome, FundStore
from bot.handlers import channel_setting, outgoing_of
from bot.labels import sentence
from bot.memory import Memory
from bot.places import channel_for
from bot.store import BotStore
from shared.registry import Registry
from shared.uow import Work
from topics.budget import FundsRefused, FundsReleased, FundsReserved
from topics.funds import FundsAwaitApproval, FundsUndecided
from topics.message import Actor

registry: Final = Registry()


@registry.on(FundsAwaitApproval)
async def ask(event: FundsAwaitApproval, work: Work) -> None:
    """Show the card of money that waits for a person's approval."""
    funds = await FundStore(work.connection).add(event, work.now)
    if funds is not None:
        await show(funds, work)


async def show(funds: Funds, work: Work) -> None:
    """Have the card of a budget approval show how it stands."""
    people = await BotStore(work.connection).people(funds.named)
    outgoing, key = outgoing_of(work), f"funds:{funds.asked.hold_id}"
    channel = await outgoing.place_of(key) or await channel_for(funds.asked.campaign_id, work)
    card = funds_card(funds, people, channel_setting(work, channel))
    await outgoing.show(key, channel, card)


@registry.on(FundsReserved)
async def approved(event: FundsReserved, work: Work) -> None:
    """Close the card of money that was approved."""
    await _end(event, FundsOutcome.APPROVED, event.decided_by, "", work)


@registry.on(FundsRefused)
async def refused(event: FundsRefused, work: Work) -> None:
    """Close the card of money that was refused."""
    await _end(event, FundsOutcome.REFUSED, event.decided_by, event.reason, work)


@registry.on(FundsReleased)
async def given_back(event: FundsReleased, work: Work) -> None:
    """Close the card of money that its campaign no longer wants."""
    await _end(event, FundsOutcome.GIVEN_BACK, None, "", work)


async def _end(
    event: FundsReserved | FundsRefused | FundsReleased,
    outcome: FundsOutcome,
    by: Actor | None,
    reason: str,
    work: Work,
) -> None:
    store = FundStore(work.connection)
    decided_by = by.id if by else ""
    funds = await store.end(
        event.hold_id, outcome, decided_by=decided_by, reason=reason, at=work.now
    )
    if funds is not None:
        await show(funds, work)


@registry.on(FundsUndecided)
async def tell_undecided(event: FundsUndecided, work: Work) -> None:
    """Tell who answered why it did not count; they may answer again."""
    await Memory(work.connection).give_back(event.hold_id, event.actor.id)
    funds = await FundStore(work.connection).find(event.hold_id)
    number = funds.asked.campaign_number if funds else "…"
    person = await person_of(work, event.actor.id)
    reason = sentence(person.language, event.reason) if person else event.reason
    await tell_actor(
        work,
        event.actor,
        str(event.hold_id),
        "answer_refused",
        what=f"*C-{number}*",
        reason=esc(reason, 1000),
    )
