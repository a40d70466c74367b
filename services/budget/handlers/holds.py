"""What campaigns ask of a budget; every hold is decided and answered once."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from services.budget.books import WORKFLOW, Books
from services.budget.domain.costs import Tariff, cost_lines, plausible, total
from services.budget.domain.expenses import Stage
from services.budget.domain.goods import needs
from services.budget.domain.holds import Decision, Hold, HoldStatus, refuse, release, reserve
from services.budget.domain.ledger import EntryKind
from services.budget.domain.money import in_words
from services.budget.holding import (
    IMPLAUSIBLE,
    UNKNOWN,
    awaiting,
    give_back,
    placed,
    reserved,
    unchosen,
)
from services.budget.stocking import all_held, give_goods_back
from services.budget.store.budgets import Budget
from services.budget.store.goods import GoodsStore
from services.budget.store.holds import HoldStore
from services.budget.store.tariffs import TariffStore
from shared import faults
from shared.answers import AnswerStore
from shared.errors import Permanent
from shared.registry import Registry
from shared.uow import Work
from shared.workflows import wake
from topics.budget import (
    CommitFunds,
    FundsRefused,
    FundsReleased,
    FundsReserved,
    ReleaseFunds,
    ReserveFunds,
)
from topics.funds import FundsAwaitApproval
from topics.message import Message

Answer: TypeAlias = FundsReserved | FundsRefused | FundsAwaitApproval
registry = Registry()


@registry.on(ReserveFunds)
async def reserve_funds(command: ReserveFunds, work: Work) -> None:
    """Hold what the volumes may cost, or refuse with both amounts.

    Where cost types take goods, the answer waits for the stock's.
    """
    holds = HoldStore(work.connection)
    row = await holds.claim(command.hold_id, command.campaign_id, work.now)
    answers = AnswerStore(work.connection)
    answer: Message | None = await answers.find(command.hold_id, ReserveFunds)
    if answer is None and row.hold.status is HoldStatus.PENDING:
        answer = await awaiting(row, work)
    elif answer is None and row.hold.account is not None:
        await all_held(row, work)
    elif answer is None:
        answer = await _decide_hold(command, row.hold, work)
        if answer is not None and not isinstance(answer, FundsAwaitApproval):
            await answers.keep(command.hold_id, ReserveFunds, answer)
    if answer is not None:
        work.emit(answer)
    if await holds.commit_waits(command.hold_id):
        await wake(work, WORKFLOW)


async def _decide_hold(command: ReserveFunds, hold: Hold, work: Work) -> Answer | None:
    holds = HoldStore(work.connection)
    books = await Books.open(work, command.budget_id, str(command.hold_id))
    tariff = await TariffStore(work.connection).of_campaign(command.budget_id, command.campaign_id)
    await holds.describe(command, tariff)
    if books is None:
        reason = UNKNOWN
    elif hold.status is not HoldStatus.ASKED:
        reason = "this hold was given back before it was made; ask for a new one"
    elif not plausible(command.volumes):
        reason = IMPLAUSIBLE
    elif missing := unchosen(tariff, command):
        reason = missing
    else:
        return await _hold(command, books, tariff, work)
    await holds.decide(command.hold_id, refuse(hold))
    return _refusal(command, books.budget if books else None, reason=reason)


async def _hold(command: ReserveFunds, books: Books, tariff: Tariff, work: Work) -> Answer | None:
    holds, budget = HoldStore(work.connection), books.budget
    charged = await holds.charged(command.campaign_id, budget.budget_id)
    lines = cost_lines(tariff, command.volumes, budget.currency, charged=charged)
    asked = total(lines)
    decision = reserve(budget.balance, Hold(), asked, budget.policy)
    await holds.decide(command.hold_id, decision.hold)
    if decision.hold.status is HoldStatus.REFUSED:
        return _refusal(command, budget, asked_minor=asked, reason=_over_limit(budget, asked))
    await holds.note_over(command.hold_id, decision.over_minor)
    books.add(decision.entries)
    expense = await books.delivery(command.campaign_id)
    held = replace(
        expense,
        label=command.campaign_label,
        stage=Stage.ANALYSED,
        estimated_minor=None,
        held_minor=expense.held_minor + asked,
    )
    await books.change(placed(held, command), EntryKind.RESERVE)
    booked = await books.close()
    faults.reach("budget.held")
    await GoodsStore(work.connection).ask(command.hold_id, needs(lines), command.volumes.letters)
    made = await holds.lock(command.hold_id)
    if decision.hold.status is HoldStatus.PENDING:
        return await awaiting(made, work)
    return reserved(made, booked) if await all_held(made, work) else None


def _over_limit(budget: Budget, asked: int) -> str:
    left = in_words(budget.balance.left_minor, budget.currency)
    return (
        f"the campaign may cost {in_words(asked, budget.currency)}, but the budget"
        f" “{budget.label}” has {left} left; raise the budget or narrow the target"
    )


def _refusal(
    command: ReserveFunds, budget: Budget | None, *, asked_minor: int = 0, reason: str
) -> FundsRefused:
    return FundsRefused(
        campaign_id=command.campaign_id,
        hold_id=command.hold_id,
        budget_id=command.budget_id,
        asked_minor=asked_minor,
        left_minor=budget.balance.left_minor if budget else 0,
        reason=reason,
    )


@registry.on(ReleaseFunds)
async def release_funds(command: ReleaseFunds, work: Work) -> None:
    """Give a hold back whole; one that was spent or given back has nothing left to give."""
    holds, answers = HoldStore(work.connection), AnswerStore(work.connection)
    row = await holds.claim(command.hold_id, command.campaign_id, work.now)
    answer = await answers.find(command.hold_id, ReleaseFunds)
    if answer is not None:
        work.emit(answer)
        return
    # A cost that waits for budgetMgt keeps its money: others must not be promised it meanwhile.
    waits = await holds.commit_waits(command.hold_id)
    decision = Decision(row.hold) if waits else release(row.hold)
    await holds.decide(command.hold_id, decision.hold)
    books = await Books.open(work, row.budget_id, str(row.hold_id)) if row.budget_id else None
    if books is not None and row.hold.account is not None and not waits:
        await give_back(books, row, decision)
        await books.close()
    if not waits:
        await give_goods_back(row, command.reason, work)
    released = FundsReleased(
        campaign_id=command.campaign_id,
        hold_id=command.hold_id,
        amount_minor=decision.released_minor,
    )
    await answers.keep(command.hold_id, ReleaseFunds, released)
    work.emit(released)


@registry.on(CommitFunds)
async def commit_funds(command: CommitFunds, work: Work) -> None:
    """Keep the request for budgetMgt; asked again once it is booked, answer the same again."""
    if not plausible(command.volumes):
        raise Permanent(IMPLAUSIBLE)
    answer = await AnswerStore(work.connection).find(command.hold_id, CommitFunds)
    if answer is not None:
        work.emit(answer)
        return
    if await HoldStore(work.connection).request_commit(command, work.now):
        await wake(work, WORKFLOW)
