"""``muster budget`` and ``muster task``: what is left, what waits for a yes, what things cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from services.budget.domain.money import in_words
from services.budget.pages import LedgerRow, budget_page, ledger_page
from services.budget.pages_spending import (
    RollupDetail,
    RollupView,
    in_one_currency,
    pending_holds,
    rollup_detail,
)
from services.budget.pages_tasks import TaskPage, task_page
from services.budget.store.budgets import BudgetStore
from services.budget.store.recalculations import RANKS, Rolled
from services.cli.choices import actor_of
from services.cli.letters import opened
from services.cli.saving import carry_out_as, of_budget, or_say_why, save_file, show_rows
from shared.database import Connection
from shared.errors import Refused
from shared.http import carry_out
from topics.budget import SaveBudget
from topics.expenses import ExpenseKind
from topics.funds import DecideFunds
from topics.tasks import MoveTask, SaveTask, TaskStatus

budgets = typer.Typer(help="Budgets: levels, approvals, what things cost.", no_args_is_help=True)
tasks = typer.Typer(help="Tasks: work of people and what it costs.", no_args_is_help=True)
console = Console()

Operator = Annotated[str, typer.Option(help="who asks (e-mail)")]
Limit = Annotated[int, typer.Option(min=1, max=1000)]


@budgets.command("list")
def list_budgets(after: UUID | None = None, limit: Limit = 100) -> None:
    """List budgets with what is on each level of them."""
    page = of_budget(lambda connection: budget_page(connection, None, after, limit))
    levels = ("allocated", "planned", "reserved", "committed", "spent", "invoiced", "left")
    show_rows(
        ("budget", *levels),
        [
            (
                one.label,
                *(in_words(getattr(one, f"{level}_minor"), one.currency) for level in levels),
            )
            for one in page.items
        ],
        nothing="no budget yet",
    )


@budgets.command("ledger")
def ledger(
    budget: UUID,
    after: Annotated[int, typer.Option(min=0, help="the number of the last one seen")] = 0,
    limit: Limit = 100,
) -> None:
    """List a budget's movements, each with what was left after it."""

    async def find(connection: Connection) -> tuple[Sequence[LedgerRow], str]:
        found = await BudgetStore(connection).find(budget)
        if found is None:
            raise SystemExit("there is no such budget")
        return (await ledger_page(connection, budget, after, limit)).items, found.currency

    rows, currency = of_budget(find)
    show_rows(
        ("seq", "booked", "movement", "level", "amount", "left", "cause"),
        [
            (
                one.seq,
                one.booked_at.isoformat(timespec="seconds"),
                one.label,
                one.account,
                in_words(one.amount_minor, currency),
                in_words(one.left_minor, currency),
                one.cause,
            )
            for one in rows
        ],
        nothing="no movement",
    )


@budgets.command("save")
def save_budget(
    file: Annotated[Path, typer.Argument(help="JSON, as POST /api/v1/budget/budgets takes it")],
    operator: Operator,
) -> None:
    """Save a budget with what prices its campaigns, from a file."""
    save_file(file, operator, SaveBudget, "budget_id")


@budgets.command("approvals")
def list_approvals(limit: Limit = 100) -> None:
    """List the money that waits for a person's yes, the oldest first."""
    found = of_budget(lambda connection: pending_holds(connection, limit))
    show_rows(
        ("hold", "campaign", "budget", "amount", "over the budget", "asked"),
        [
            (
                one.hold_id,
                f"C-{one.campaign_number} {one.campaign_label}",
                one.budget_label,
                in_words(one.amount_minor, one.currency),
                in_words(one.over_minor, one.currency) if one.over_minor else "",
                one.asked_at.isoformat(timespec="seconds"),
            )
            for one in found
        ],
        nothing="nothing waits for an approval",
    )


@budgets.command("approve")
def approve(hold: UUID, operator: Operator) -> None:
    """Commit the money of a hold; its campaign goes on."""
    _decide(hold, operator, approve=True, reason="")
    console.print("approved")


@budgets.command("refuse")
def refuse(
    hold: UUID,
    operator: Operator,
    reason: Annotated[str, typer.Option(help="why; whoever asked reads it")],
) -> None:
    """Refuse the money of a hold; it goes back to the budget."""
    _decide(hold, operator, approve=False, reason=reason)
    console.print("refused")


@budgets.command("costs")
def costs(
    kind: Annotated[ExpenseKind, typer.Argument(help="campaign, program or plan")],
    object_id: UUID,
    currency: Annotated[str | None, typer.Option(help="add up in one, such as EUR")] = None,
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="at the rates of a day")
    ] = None,
) -> None:
    """Show what a campaign, program or plan costs, with what it is made of."""
    if kind not in RANKS:
        raise typer.BadParameter(f"the costs of a {kind} are not rolled up", param_hint="KIND")

    async def find() -> RollupDetail:
        async with opened("budget") as budget, budget.pool.acquire() as connection:
            detail = await rollup_detail(connection, Rolled(kind, object_id))
            if currency is None:
                return detail
            day = (on or budget.clock.now()).date()
            return await in_one_currency(connection, detail, currency, day)

    try:
        detail = asyncio.run(find())
    except Refused as refusal:
        raise SystemExit(refusal.reason) from None
    show_rows(
        ("what", "provisional", "calculated", "real", "spent and invoiced", "as of"),
        [_cost_row(one) for one in (*detail.items, *detail.parts)],
        nothing="nothing is known of its costs yet",
    )


def _cost_row(view: RollupView) -> Sequence[object]:
    amounts = (view.provisional_minor, view.calculated_minor, view.real_minor)
    return (
        f"{view.kind} {view.object_id}",
        *("" if one is None else in_words(one, view.currency) for one in amounts),
        in_words(view.spent_minor + view.invoiced_minor, view.currency),
        view.calculated_at.isoformat(timespec="seconds"),
    )


@tasks.command("list")
def list_tasks(
    campaign: Annotated[UUID | None, typer.Option(help="of one campaign only")] = None,
    status: TaskStatus | None = None,
    after: UUID | None = None,
    limit: Limit = 100,
) -> None:
    """List tasks; the late ones are marked."""

    async def find() -> TaskPage:
        async with opened("budget") as budget, budget.pool.acquire() as connection:
            return await task_page(
                connection,
                campaign_id=campaign,
                program_id=None,
                in_charge_id=None,
                status=status,
                after=after,
                limit=limit,
                now=budget.clock.now(),
            )

    show_rows(
        ("id", "task", "status", "ends", "in charge", "planned days", "done"),
        [
            (
                one.task_id,
                one.label,
                f"{one.status}, late" if one.late else one.status,
                one.ends_at.isoformat(timespec="minutes"),
                one.in_charge_id or "",
                one.planned_days,
                "" if one.done_days is None else one.done_days,
            )
            for one in asyncio.run(find()).items
        ],
        nothing="no task",
    )


@tasks.command("save")
def save_task(
    file: Annotated[Path, typer.Argument(help="JSON, as POST /api/v1/budget/tasks takes it")],
    operator: Operator,
) -> None:
    """Save a task with its cost lines, from a file."""
    save_file(file, operator, SaveTask, "task_id")


@tasks.command("move")
def move(
    task: UUID,
    to: TaskStatus,
    operator: Operator,
    days: Annotated[str | None, typer.Option(help="days done, when it is finished")] = None,
) -> None:
    """Start, finish, cancel a task, or take it up again."""
    carry_out_as(
        lambda actor: MoveTask.model_validate(
            {"task_id": task, "to": to, "done_days": days, "actor": actor}
        ),
        operator,
    )
    console.print(f"the task is {to.replace('_', ' ')}")


def _decide(hold: UUID, email: str, *, approve: bool, reason: str) -> None:
    async def ask() -> None:
        actor = await actor_of(email)
        async with opened("budget") as budget:
            campaign_id = await budget.pool.fetchval(
                "SELECT campaign_id FROM holds WHERE hold_id = $1", hold
            )
            if campaign_id is None:
                raise Refused("there is no such hold", field="hold_id")
            command = DecideFunds(
                campaign_id=campaign_id, hold_id=hold, approve=approve, reason=reason, actor=actor
            )
            await carry_out(budget, command)

    or_say_why(ask)
