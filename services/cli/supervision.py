"""``muster workflows``: the technical workflows, shown and controlled."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.catalogue import NAMES, find
from services.cli.choices import actor_of
from services.cli.letters import opened
from shared.errors import Refused
from shared.schedules import Every
from shared.service import Runtime
from shared.uow import Work
from shared.workflows import ALLOWED, TechnicalWorkflow, publish, set_status
from topics.workflows import Control, ControlWorkflow, WorkflowStatus

app = typer.Typer(help="The technical workflows.", no_args_is_help=True)
console = Console()


def owners() -> dict[str, str]:
    """Return which service executes each workflow."""
    return {workflow.name: name for name in NAMES for workflow in find(name).workflows}


@app.command("list")
def list_workflows() -> None:
    """Show how each technical workflow stands, from its own service's rows."""
    table = Table("workflow", "service", "state", "last run", "runs", "error")
    for workflow, name in owners().items():
        row = asyncio.run(_row(name, workflow))
        table.add_row(workflow, name, *row)
    console.print(table)


async def _row(name: str, workflow: str) -> tuple[str, str, str, str]:
    async with opened(name) as runtime:
        row = await runtime.pool.fetchrow(
            "SELECT status, last_run_at, runs, error FROM technical_workflows WHERE name = $1",
            workflow,
        )
    if row is None:
        return "not registered yet", "", "", ""
    last = row["last_run_at"].isoformat(timespec="seconds") if row["last_run_at"] else ""
    return row["status"], last, str(row["runs"]), row["error"]


def _control(control: Control, name: str, operator: str | None, *, local: bool) -> None:
    executing = owners().get(name)
    if executing is None:
        raise SystemExit(f"there is no technical workflow {name!r}; see: muster workflows list")
    if local:
        console.print(asyncio.run(_write_row(executing, name, control)))
        return
    if operator is None:
        raise SystemExit(
            "say who asks with --operator E-MAIL, or use --local to write the row here"
        )
    try:
        asyncio.run(_ask(name, control, operator))
    except Refused as refusal:
        raise SystemExit(refusal.reason) from None
    console.print(f"asked {name} to {control}; see it take effect with: muster workflows list")


async def _ask(name: str, control: Control, operator: str) -> None:
    actor = await actor_of(operator)
    async with opened("workflows") as runtime, runtime.uow.begin() as work:
        work.emit(ControlWorkflow(name=name, control=control, actor=actor))


async def _write_row(service: str, name: str, control: Control) -> str:
    async with opened(service) as runtime, runtime.uow.begin() as work:
        return await _change(work, runtime, name, control)


async def _change(work: Work, runtime: Runtime, name: str, control: Control) -> str:
    row = await work.connection.fetchrow(
        "SELECT status FROM technical_workflows WHERE name = $1 FOR UPDATE", name
    )
    status = WorkflowStatus(row["status"]) if row else WorkflowStatus.STOPPED
    after = ALLOWED[control].get(status)
    if after is None:
        return f"{name} is {status}: it cannot {control}"
    await set_status(work, name, after)
    await publish(work, _workflow(runtime, name), Every(runtime.settings.workflow_sweep_seconds))
    return f"{name} is {after}"


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
