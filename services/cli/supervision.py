"""``muster workflows``: the technical workflows, shown and controlled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final
from uuid import UUID

import typer
from asyncpg import Record
from rich.console import Console
from rich.table import Table

from services.cli.catalogue import NAMES, find
from services.cli.choices import actor_of, operator_id
from services.cli.letters import opened
from services.supplier.instances import is_instance
from services.supplier.store.instances import Instance, InstanceStore
from shared.controls import apply_control, apply_policy
from shared.errors import Refused
from shared.schedules import Every
from shared.service import Runtime
from shared.uow import Work
from shared.workflows import TechnicalWorkflow, failures_ignored
from topics.message import Command, system_actor
from topics.workflows import MOST_IGNORED, Control, ControlWorkflow, SetErrorPolicy, SetSupervisors

app = typer.Typer(help="The technical workflows.", no_args_is_help=True)
console = Console()
INSTANCES_SHOWN: Final = 100


def owners() -> dict[str, str]:
    """Return which service executes each workflow."""
    return {workflow.name: name for name in NAMES for workflow in find(name).workflows}


@app.command("list")
def list_workflows() -> None:
    """Show how each technical workflow stands, from its own service's rows."""
    table = Table("workflow", "service", "state", "last run", "runs", "failures", "error")
    for workflow, name in owners().items():
        row = asyncio.run(_row(name, workflow))
        table.add_row(workflow, name, *row)
    for one in asyncio.run(_instances()):
        last = one.last_run_at.isoformat(timespec="seconds") if one.last_run_at else ""
        table.add_row(one.name, "supplier", one.status, last, str(one.runs), "", "")
    console.print(table)


async def _instances() -> list[Instance]:
    async with opened("supplier") as runtime, runtime.pool.acquire() as connection:
        return await InstanceStore(connection).going_on(INSTANCES_SHOWN)


async def _row(name: str, workflow: str) -> tuple[str, str, str, str, str]:
    async with opened(name) as runtime, runtime.uow.begin() as work:
        row = await work.connection.fetchrow(
            "SELECT status, last_run_at, runs, failures, error FROM technical_workflows"
            " WHERE name = $1",
            workflow,
        )
        ignored = await failures_ignored(work, _workflow(runtime, workflow))
    if row is None:
        return "not registered yet", "", "", "", ""
    last = row["last_run_at"].isoformat(timespec="seconds") if row["last_run_at"] else ""
    failures = f"{row['failures']}, {policy_text(ignored)}"
    return row["status"], last, str(row["runs"]), failures, row["error"]


def _control(control: Control, name: str, operator: str | None, *, local: bool) -> None:
    if local and is_instance(name):
        raise SystemExit("say who asks with --operator E-MAIL: a post-processing has no other way")
    executing = "supplier" if is_instance(name) else _owner(name)
    if local:
        console.print(asyncio.run(_write_row(executing, name, control)))
        return
    _emit(operator, partial(ControlWorkflow, name=name, control=control))
    console.print(f"asked {name} to {control}; see it take effect with: muster workflows list")


def _owner(name: str) -> str:
    executing = owners().get(name)
    if executing is None:
        raise SystemExit(f"there is no technical workflow {name!r}; see: muster workflows list")
    return executing


def _emit(operator: str | None, made: Callable[..., Command]) -> None:
    if operator is None:
        raise SystemExit(
            "say who asks with --operator E-MAIL, or use --local to write the row here"
        )
    try:
        asyncio.run(_ask(operator, made))
    except Refused as refusal:
        raise SystemExit(refusal.reason) from None


async def _ask(operator: str, made: Callable[..., Command]) -> None:
    actor = await actor_of(operator)
    async with opened("workflows") as runtime, runtime.uow.begin() as work:
        work.emit(made(actor=actor))


async def _write_row(service: str, name: str, control: Control) -> str:
    async with opened(service) as runtime, runtime.uow.begin() as work:
        command = ControlWorkflow(name=name, control=control, actor=system_actor(service))
        workflow = _workflow(runtime, name)
        try:
            done = await apply_control(command, workflow, _sweep(runtime), work)
        except Refused as refusal:
            return refusal.reason
        if not done:
            return f"{name} has a step under way: it will {control} when that is over"
        return f"{name} is {await _status(work, name)}"


async def _status(work: Work, name: str) -> str:
    return str(
        await work.connection.fetchval(
            "SELECT status FROM technical_workflows WHERE name = $1", name
        )
    )


def _sweep(runtime: Runtime) -> Every:
    return Every(runtime.settings.workflow_sweep_seconds)


def _workflow(runtime: Runtime, name: str) -> TechnicalWorkflow:
    return next(one for one in runtime.service.workflows if one.name == name)


Name = Annotated[str, typer.Argument(help="such as deliveryMgt")]
Who = Annotated[str | None, typer.Option(help="the operator who asks (e-mail)")]
Local = Annotated[bool, typer.Option("--local", help="write the row here (Kafka may be down)")]


@app.command()
def start(name: Name, operator: Who = None, local: Local = False) -> None:
    """Start a workflow."""
    _control(Control.START, name, operator, local=local)


@app.command()
def pause(name: Name, operator: Who = None, local: Local = False) -> None:
    """Pause a workflow."""
    _control(Control.PAUSE, name, operator, local=local)


@app.command()
def resume(name: Name, operator: Who = None, local: Local = False) -> None:
    """Resume a paused or failed workflow."""
    _control(Control.RESUME, name, operator, local=local)


@app.command()
def stop(name: Name, operator: Who = None, local: Local = False) -> None:
    """Stop a workflow; what it does waits until it is started again."""
    _control(Control.STOP, name, operator, local=local)


@app.command("run-now")
def run_now(name: Name, operator: Who = None, local: Local = False) -> None:
    """Run a started workflow now."""
    _control(Control.RUN_NOW, name, operator, local=local)


@app.command("stop-now")
def stop_now(name: Name, operator: Who = None, local: Local = False) -> None:
    """Stop a workflow unconditionally: the step under way is ended and its rows rolled back."""
    _control(Control.STOP_NOW, name, operator, local=local)


@app.command()
def policy(
    name: Name,
    stop: Annotated[bool, typer.Option("--stop", help="stop at the first failure")] = False,
    ignore: Annotated[
        int | None, typer.Option(min=1, max=MOST_IGNORED, help="failures in a row to ignore")
    ] = None,
    operator: Who = None,
    local: Local = False,
) -> None:
    """Say what a workflow does when it fails: stop at once, or ignore some failures in a row."""
    if stop == (ignore is not None):
        raise SystemExit("say either --stop, or --ignore and how many failures in a row")
    executing, ignored = _owner(name), ignore or 0
    if local:
        asyncio.run(_write_policy(executing, name, ignored))
        console.print(f"{name}: {policy_text(ignored)}")
        return
    _emit(operator, partial(SetErrorPolicy, name=name, failures_ignored=ignored))
    console.print(f"asked {name}: {policy_text(ignored)}; see: muster workflows list")


async def _write_policy(service: str, name: str, ignored: int) -> None:
    async with opened(service) as runtime, runtime.uow.begin() as work:
        await apply_policy(ignored, _workflow(runtime, name), _sweep(runtime), work)


def policy_text(ignored: int) -> str:
    """Return an error policy in words."""
    return f"ignores {ignored} failures in a row" if ignored else "stops at the first failure"


@app.command()
def supervisors(
    name: Name,
    who: Annotated[list[str] | None, typer.Option(help="an operator (e-mail); repeat")] = None,
    group: Annotated[list[str] | None, typer.Option(help="a group; repeat")] = None,
    usual: Annotated[
        bool, typer.Option("--usual", help="whoever may control workflows, as at first")
    ] = False,
    operator: Who = None,
) -> None:
    """Say who is told of a workflow's troubles, in Slack and by e-mail."""
    _owner(name)
    if usual == bool(who or group):
        raise SystemExit("name operators (--who) and groups (--group), or say --usual")
    people = asyncio.run(_ids(who or []))
    _emit(operator, partial(SetSupervisors, name=name, operators=people, groups=tuple(group or ())))
    console.print(f"asked: {name} is to be supervised as said")


async def _ids(emails: list[str]) -> tuple[UUID, ...]:
    try:
        return tuple([await operator_id(email) for email in emails])
    except Refused as refusal:
        raise SystemExit(refusal.reason) from None


@app.command()
def history(name: Name, limit: Annotated[int, typer.Option(min=1, max=1000)] = 20) -> None:
    """Show a workflow's latest runs; those that found nothing to do are counted between them."""
    runs, idle = asyncio.run(_history(_owner(name), name, limit))
    table = Table("started", "due", "took", "in", "out", "error", "idle runs before")
    for run in runs:
        took = (run["ended_at"] - run["started_at"]).total_seconds()
        table.add_row(
            run["started_at"].isoformat(timespec="seconds"),
            run["scheduled_for"].isoformat(timespec="seconds"),
            f"{took:.2f} s",
            str(run["rows_in"]),
            str(run["rows_out"]),
            run["error"],
            str(run["idle_before"]),
        )
    console.print(table)
    if idle is not None and idle["idle_runs"]:
        since, last = idle["idle_since"], idle["last_run_at"]
        console.print(
            f"{idle['idle_runs']} runs found nothing to do since"
            f" {since.isoformat(timespec='seconds')}, the last at"
            f" {last.isoformat(timespec='seconds')}"
        )


async def _history(service: str, name: str, limit: int) -> tuple[list[Record], Record | None]:
    async with opened(service) as runtime:
        runs = await runtime.pool.fetch(
            "SELECT started_at, scheduled_for, ended_at, rows_in, rows_out, error, idle_before"
            " FROM workflow_runs WHERE name = $1 ORDER BY started_at DESC, run_id DESC LIMIT $2",
            name,
            limit,
        )
        idle = await runtime.pool.fetchrow(
            "SELECT idle_runs, idle_since, last_run_at FROM technical_workflows WHERE name = $1",
            name,
        )
    return runs, idle
