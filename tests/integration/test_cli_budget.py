"""``muster budget`` and ``muster task``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from services.budget.settings import BudgetSettings
from services.cli.letters import opened
from tests.integration.cli_shell import Shell, shell
from tests.integration.test_budget_holds import MAILING, a_hold, a_save, compute
from tests.integration.test_budget_tasks import a_task
from tests.servers import Servers
from topics.message import Message
from topics.operators import OperatorState, Role

WHO = ("--operator", "rev@example.org")


@pytest.fixture(scope="module")
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with shell(servers, tmp_path_factory.mktemp("cli")) as made:
        made.does("migrate")
        said = made.does("operator", "add", "Rita", "rev@example.org", "--role", "reviewer")
        reviewer = OperatorState(
            operator_id=UUID(said.split()[-1]), version=9, name="Rita", roles=(Role.REVIEWER,)
        )
        execute(made, reviewer)
        yield made


def execute(cli: Shell, *commands: Message) -> None:
    """Do what the budget service would do with commands, and budgetMgt after them."""

    async def run() -> None:
        async with opened("budget", cli.instance.settings(BudgetSettings)) as budget:
            for command in commands:
                await budget.execute(command)
            await compute(budget)

    asyncio.run(run())


def test_money_that_waits_is_listed_refused_with_a_reason_and_approved(cli: Shell) -> None:
    save = a_save(structures=(MAILING,), needs_approval=True, label="Needs a yes")
    dear, cheap = a_hold(save.budget_id, emails=100), a_hold(save.budget_id, emails=10)
    execute(cli, save, dear, cheap)
    waiting = cli.does("budget", "approvals")
    assert str(dear.hold_id) in waiting
    assert "13.00 EUR" in waiting
    cli.does("budget", "refuse", str(dear.hold_id), *WHO, "--reason", "too dear")
    assert "approved" in cli.does("budget", "approve", str(cheap.hold_id), *WHO)
    assert "decided" in cli.refuses("budget", "approve", str(dear.hold_id), *WHO)
    assert "no such hold" in cli.refuses("budget", "approve", str(uuid4()), *WHO)
    assert "nothing waits" in cli.does("budget", "approvals")
    listed = next(line for line in cli.does("budget", "list").splitlines() if "Needs" in line)
    assert "1.30 EUR" in listed
    assert "998.70 EUR" in listed


def test_what_a_campaign_costs_is_shown_in_the_currency_asked_for(cli: Shell) -> None:
    save = a_save(structures=(MAILING,))
    hold = a_hold(save.budget_id, emails=100)
    execute(cli, save, hold)
    costs = ("budget", "costs", "campaign", str(hold.campaign_id))
    assert "13.00 EUR" in cli.does(*costs)
    assert "no rate from EUR to USD" in cli.refuses(*costs, "--currency", "USD")
    assert "not rolled up" in cli.refuses("budget", "costs", "task", str(uuid4()))
    assert "nothing is known" in cli.does("budget", "costs", "plan", str(uuid4()))


def test_a_task_is_listed_and_moved_by_who_may(cli: Shell) -> None:
    task = a_task(None)
    execute(cli, task)
    assert "in_progress" in cli.does("task", "list")
    move = ("task", "move", str(task.task_id))
    assert "may not manage budgets" in cli.refuses(*move, "cancelled", *WHO)
    assert "no task" in cli.does("task", "list", "--status", "cancelled")
    assert "days" in cli.refuses(*move, "finished", *WHO, "--days", "-1")


@pytest.fixture(scope="module")
def who(cli: Shell) -> tuple[str, str]:
    manager = cli.does("operator", "add", "Max", "max@example.org", "--role", "manager")
    operator_id = UUID(manager.split()[-1])
    execute(
        cli,
        OperatorState(operator_id=operator_id, version=9, name="Max", roles=(Role.MANAGER,)),
    )
    return "--operator", "max@example.org"


def test_a_budget_and_a_task_are_saved_from_files(cli: Shell, who: tuple[str, str]) -> None:
    file = cli.folder / "money.json"
    file.write_text('{"label": "From a file", "allocated_minor": 5000}')
    budget_id = cli.does("budget", "save", str(file), *who).strip()
    assert "50.00 EUR" in cli.does("budget", "list")
    file.write_text(
        f'{{"label": "Book the room", "campaign_id": "{uuid4()}", "budget_id": "{budget_id}",'
        ' "starts_at": "2026-03-14T08:30:00Z", "ends_at": "2026-03-15T08:30:00Z"}'
    )
    task_id = cli.does("task", "save", str(file), *who).strip()
    assert "Book the room" in cli.does("task", "list")
    assert "in progress" in cli.does("task", "move", task_id, "in_progress", *who)
    file.write_text('{"label": "No amount"}')
    assert "allocated_minor" in cli.refuses("budget", "save", str(file), *who)
    file.write_text("[")
    assert "cannot be read" in cli.refuses("budget", "save", str(file), *who)


def test_an_order_and_its_invoice_are_saved_shown_and_paid_at_the_rate_of_the_day(
    cli: Shell, who: tuple[str, str]
) -> None:
    assert "no order yet" in cli.does("budget", "order", "list")
    assert "no rate yet" in cli.does("budget", "rate", "list")
    save = a_save(label="Billed in dollars", structures=())
    execute(cli, save)
    file = cli.folder / "bill.json"
    bill = '"supplier": "Vasseur", "currency": "USD", "total_minor": 10000'
    file.write_text(
        f'{{"number": "O-1", {bill}, "lines": [{{"label": "Cards", "amount_minor": 10000}}]}}'
    )
    order_id = cli.does("budget", "order", "save", str(file), *who).strip()
    lines = f'[{{"label": "Cards", "amount_minor": 10000, "order_id": "{order_id}"}}]'
    file.write_text(
        f'{{"number": "I-1", {bill}, "budget_id": "{save.budget_id}",'
        f' "invoiced_on": "2026-03-14", "lines": {lines}}}'
    )
    invoice_id = cli.does("budget", "invoice", "save", str(file), *who).strip()
    assert "100.00 USD of it invoiced" in cli.does("budget", "order", "show", order_id)
    pay = ("budget", "invoice", "pay", invoice_id, "--on", "2026-03-20", *who)
    assert "no rate from USD to EUR" in cli.refuses(*pay)
    for rate, day in (("0.9", "2026-03-01"), ("0.5", "2026-03-21")):
        cli.does("budget", "rate", "save", "USD", "EUR", rate, "--on", day, *who)
    assert [line for line in cli.does("budget", "rate", "list").splitlines() if "0.9" in line]
    assert "paid" in cli.does(*pay)
    assert "Cards" in cli.does("budget", "invoice", "show", invoice_id)
    moved = cli.does("budget", "ledger", str(save.budget_id))
    assert "allocated" in moved
    assert "invoiced" in moved
    assert "no such budget" in cli.refuses("budget", "ledger", str(uuid4()))
    assert '"charged_minor":9000' in cli.does("budget", "invoice", "show", invoice_id, "--json")
    listed = cli.does("budget", "invoice", "list", "--status", "paid", "--json")
    assert invoice_id in listed
    cancel = ("budget", "invoice", "cancel", invoice_id, "--on", "2026-03-22", *who)
    assert "paid" in cli.refuses(*cancel)
    assert "no such order" in cli.refuses("budget", "order", "show", str(uuid4()))
    assert "no such invoice" in cli.refuses("budget", "invoice", "show", str(uuid4()))
    malformed = cli.refuses("budget", "rate", "save", "usd", "EUR", "1", "--on", "2026-03-01", *who)
    assert "base" in malformed
