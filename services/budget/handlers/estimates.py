"""What campaigns would cost: estimates, which are planned, and the cost types chosen for them."""

from __future__ import annotations

from dataclasses import replace

from services.budget.books import Books
from services.budget.domain.costs import Tariff, cost_lines, plausible, total
from services.budget.domain.expenses import Stage
from services.budget.domain.goods import goods_needed
from services.budget.domain.ledger import EntryKind
from services.budget.domain.structures import choice_problem
from services.budget.holding import IMPLAUSIBLE, UNKNOWN, placed, unchosen
from services.budget.store.budgets import BudgetStore
from services.budget.store.causes import cause_of, first_time
from services.budget.store.holds import HoldStore
from services.budget.store.recalculations import CampaignStore
from services.budget.store.tariffs import TariffStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.budget import BudgetRefused, CostEstimated, EstimateCost
from topics.funds import ChooseCosts, CostsChosen, CostsRefused
from topics.message import system_actor

registry = Registry()


def _not_chosen(command: ChooseCosts, refusal: Refused) -> CostsRefused:
    return CostsRefused(
        campaign_id=command.campaign_id,
        budget_id=command.budget_id,
        reason=refusal.reason,
        field=refusal.field,
        actor=command.actor,
    )


@registry.on(ChooseCosts, refusal=_not_chosen)
async def choose_costs(command: ChooseCosts, work: Work) -> None:
    """Keep what was chosen for a campaign; an old message again changes nothing."""
    await require(work, command.actor, Right.MANAGE_BUDGETS)
    # The budget's row keeps a save of its structures from coming in between.
    if await BudgetStore(work.connection).lock(command.budget_id) is None:
        raise Refused(UNKNOWN, field="budget_id")
    store = TariffStore(work.connection)
    tariff = await store.of_budget(command.budget_id)
    problem = choice_problem(Tariff(tariff.structures, tariff.categories, command.choices))
    if problem is not None:
        raise Refused(problem.reason, field=problem.field)
    if await first_time(work):
        await store.choose(command.campaign_id, command.budget_id, command.choices)
    work.emit(
        CostsChosen(
            campaign_id=command.campaign_id,
            budget_id=command.budget_id,
            choices=command.choices,
            actor=command.actor,
        )
    )


@registry.on(EstimateCost)
async def estimate_cost(command: EstimateCost, work: Work) -> None:
    """Say what volumes would cost now, and plan it.

    An old message again plans nothing, nor does a draft.
    """
    books = await Books.open(work, command.budget_id, cause_of(work))
    if books is None or not plausible(command.volumes):
        work.emit(
            BudgetRefused(
                budget_id=command.budget_id,
                actor=system_actor("campaign"),
                reason=UNKNOWN if books is None else IMPLAUSIBLE,
                field="budget_id" if books is None else "volumes",
            )
        )
        return
    budget = books.budget
    tariffs, holds = TariffStore(work.connection), HoldStore(work.connection)
    tariff = await tariffs.of_campaign(budget.budget_id, command.campaign_id)
    charged = await holds.charged(command.campaign_id, budget.budget_id)
    lines = cost_lines(tariff, command.volumes, budget.currency, charged=charged)
    # Nothing is planned any more for a campaign that has ended, whatever comes late.
    over = await CampaignStore(work.connection).is_finished(command.campaign_id)
    if not command.draft and await first_time(work) and not over:
        expense = replace(
            await books.delivery(command.campaign_id),
            stage=Stage.ANALYSED,
            estimated_minor=total(lines),
        )
        await books.change(placed(expense, command), EntryKind.PLAN)
        budget = await books.close()
    work.emit(
        CostEstimated(
            campaign_id=command.campaign_id,
            budget_id=budget.budget_id,
            amount_minor=total(lines),
            left_minor=budget.balance.left_minor,
            currency=budget.currency,
            note=unchosen(tariff, command),
            goods=goods_needed(lines, command.volumes),
        )
    )
