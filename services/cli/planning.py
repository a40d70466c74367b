"""``muster plan`` and ``muster program``: what campaigns hang under, listed and saved."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from services.campaign import api_plans
from services.cli.answering import or_exit
from services.cli.campaign_views import console
from services.cli.campaigns import Who
from services.cli.choices import actor_of, chosen
from services.cli.letters import opened
from shared.http import carry_out
from shared.ids import new_id
from shared.service import Runtime
from topics.message import Command
from topics.plans import SavePlan, SaveProgram

plans = typer.Typer(help="Plans: periods under which programs hang.", no_args_is_help=True)
programs = typer.Typer(help="Programs: what campaigns hang under.", no_args_is_help=True)

Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])]
Text = Annotated[str, typer.Option()]
Budget = Annotated[str | None, typer.Option(help="label or id")]
Change = Annotated[str | None, typer.Option("--change", help="label or id of the one to change")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]


@plans.command("list")
def list_plans(as_json: AsJson = False) -> None:
    """List plans, latest start first."""

    async def find(runtime: Runtime) -> list[api_plans.PlanView]:
        return await api_plans.plans(runtime)

    _show(or_exit(_read(find)), as_json=as_json)


@programs.command("list")
def list_programs(
    plan: Annotated[str | None, typer.Option(help="label or id")] = None, as_json: AsJson = False
) -> None:
    """List programs, of one plan or of all, latest start first."""

    async def find(runtime: Runtime) -> list[api_plans.ProgramView]:
        return await api_plans.programs(
            runtime, None if plan is None else await chosen("plan", plan)
        )

    _show(or_exit(_read(find)), as_json=as_json)


@plans.command("save")
def save_plan(
    label: str,
    operator: Who,
    start: Day,
    end: Day,
    description: Text = "",
    budget: Budget = None,
    change: Change = None,
) -> None:
    """Create a plan, or change one as a whole."""

    async def made(fields: dict[str, Any]) -> tuple[UUID, Command]:
        plan_id = new_id() if change is None else await chosen("plan", change)
        return plan_id, SavePlan(plan_id=plan_id, **fields)

    _save(operator, _fields(label, start, end, description), budget, made)


@programs.command("save")
def save_program(
    label: str,
    operator: Who,
    plan: Annotated[str, typer.Option(help="label or id; another one moves it")],
    start: Day,
    end: Day,
    description: Text = "",
    budget: Budget = None,
    change: Change = None,
) -> None:
    """Create a program, change one as a whole, or move it to another plan."""

    async def made(fields: dict[str, Any]) -> tuple[UUID, Command]:
        program_id = new_id() if change is None else await chosen("program", change)
        plan_id = await chosen("plan", plan)
        return program_id, SaveProgram(program_id=program_id, plan_id=plan_id, **fields)

    _save(operator, _fields(label, start, end, description), budget, made)


def _fields(label: str, start: datetime, end: datetime, description: str) -> dict[str, Any]:
    days: dict[str, date] = {"start_on": start.date(), "end_on": end.date()}
    return {"label": label, "description": description, **days}


def _save(
    email: str,
    fields: dict[str, Any],
    budget: str | None,
    make: Callable[[dict[str, Any]], Coroutine[Any, Any, tuple[UUID, Command]]],
) -> None:
    async def saved() -> UUID:
        fields["actor"] = await actor_of(email)
        fields["budget_id"] = None if budget is None else await chosen("budget", budget)
        saved_id, command = await make(fields)
        async with opened("campaign") as runtime:
            await carry_out(runtime, command)
        return saved_id

    console.print(f"saved: {or_exit(saved())}", highlight=False)


async def _read(find: Callable[[Runtime], Coroutine[Any, Any, list[Any]]]) -> list[Any]:
    async with opened("campaign") as runtime:
        return await find(runtime)


def _show(found: list[Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(f"[{','.join(one.model_dump_json() for one in found)}]")
        return
    table = Table("label", "start", "end", "id")
    for one in found:
        own = getattr(one, "program_id", None) or one.plan_id
        table.add_row(one.label, str(one.start_on), str(one.end_on), str(own))
    console.print(table if table.row_count else "none")
