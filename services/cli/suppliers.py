"""``muster supplier``: suppliers' services, files on their way, approvals, what routers report."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from services.cli.answering import or_exit, show_fields
from services.cli.choices import actor_of
from services.cli.letters import opened
from services.delivery.store.approvals import ApprovalStore
from services.supplier import api, api_results, deciding, proofs, reporting, wire
from services.supplier.domain.jobs import Decision as FileDecision
from services.supplier.domain.jobs import JobState
from services.supplier.shelf import NotThere, Shelf
from shared.errors import Refused
from shared.http import carry_out
from shared.rights import Right, require
from topics.cloudevents import describe
from topics.delivery import DecideApproval, Decision

app = typer.Typer(help="Suppliers: services, files, results.", no_args_is_help=True)
console = Console()

T = TypeVar("T")
Who = Annotated[str, typer.Option("--operator", help="who asks (e-mail)")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
File = Annotated[UUID, typer.Argument(metavar="FILE", help="see: muster supplier jobs")]
Limit = Annotated[int, typer.Option(min=1, max=1000)]


def _or_exit(doing: Coroutine[Any, Any, T]) -> T:
    try:
        return or_exit(doing)
    except NotThere as problem:
        raise SystemExit(str(problem)) from None


@app.command("list")
def list_suppliers(as_json: AsJson = False) -> None:
    """List suppliers and the people there."""

    async def find() -> list[wire.SupplierView]:
        async with opened("supplier") as runtime:
            return await api.suppliers(runtime, limit=1000)

    found = _or_exit(find())
    if as_json:
        typer.echo("\n".join(one.model_dump_json() for one in found))
        return
    table = Table("supplier", "name", "contacts")
    for one in found:
        people = ", ".join(
            f"{who.name} <{who.email}>" if who.email else who.name for who in one.contacts
        )
        table.add_row(str(one.supplier_id), one.name, people)
    console.print(table if table.row_count else "no suppliers")


@app.command()
def keep(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="the supplier as JSON")],
    operator: Who,
) -> None:
    """Save a supplier and its contacts from a file: the body of POST /api/v1/supplier/suppliers."""
    try:
        body = wire.SaveSupplierBody.model_validate_json(path.read_bytes())
    except ValidationError as problem:
        raise SystemExit(describe(problem)) from None

    async def saved() -> wire.SupplierSaved:
        actor = await actor_of(operator)
        async with opened("supplier") as runtime:
            return await api.save_supplier(body, actor, runtime)

    done = _or_exit(saved())
    console.print(f"{done.supplier_id} version {done.version}", soft_wrap=True)


@app.command()
def services(as_json: AsJson = False) -> None:
    """List suppliers' services."""

    async def find() -> list[wire.ServiceView]:
        async with opened("supplier") as runtime:
            return await api.services(runtime, limit=1000)

    found = _or_exit(find())
    if as_json:
        typer.echo("\n".join(one.model_dump_json() for one in found))
        return
    table = Table("service", "supplier", "label", "format", "handover", "approval", "ends by")
    for one in found:
        approved = "yes" if one.file_approval else ""
        kind = one.layout.format
        table.add_row(
            str(one.service_id), one.supplier, one.label, kind, one.handover, approved, one.ending
        )
    console.print(table if table.row_count else "no services")


@app.command()
def save(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="the service as JSON")],
    operator: Who,
) -> None:
    """Save a service from a file: the body of POST /api/v1/supplier/services."""
    try:
        body = wire.SaveServiceBody.model_validate_json(path.read_bytes())
    except ValidationError as problem:
        raise SystemExit(describe(problem)) from None

    async def saved() -> wire.ServiceSaved:
        actor = await actor_of(operator)
        async with opened("supplier") as runtime:
            return await api.save_service(body, actor, runtime)

    done = _or_exit(saved())
    console.print(f"{done.service_id} version {done.version}", soft_wrap=True)


@app.command()
def secret(
    service: UUID,
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    operator: Who,
) -> None:
    """Keep the password or private key in a file: it signs in to the service's server."""
    body = wire.SecretBody.model_validate({"secret": path.read_text().rstrip("\n")})

    async def kept() -> None:
        actor = await actor_of(operator)
        async with opened("supplier") as runtime:
            await api.save_secret(service, body, actor, runtime)

    _or_exit(kept())
    console.print("kept, encrypted")


@app.command()
def jobs(
    state: Annotated[JobState | None, typer.Option()] = None,
    campaign: Annotated[UUID | None, typer.Option(help="one campaign only (id)")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List files on their way to routers, the newest first, and what holds them up."""

    async def find() -> wire.JobPage:
        async with opened("supplier") as runtime:
            return await api.jobs(runtime, state, campaign, limit=limit)

    page = _or_exit(find())
    if as_json:
        typer.echo(page.model_dump_json())
        return
    table = Table(
        "file", "campaign", "supplier", "state", "name", "rows", "sent", "failed", "why", "then"
    )
    for one in page.jobs:
        letters = (str(one.rows), str(one.sent or ""), str(one.failed or ""))
        named = (f"C-{one.campaign_number}", one.supplier or "?", one.state, one.file_name)
        then = f"{one.post_processing}: {one.post_processing_status}"
        table.add_row(
            str(one.file_id), *named, *letters, one.error, then if one.post_processing else ""
        )
    console.print(table if table.row_count else "no files")
    if not page.started:
        console.print("supplierMgt is not started: files wait; start it: muster workflows start")


@app.command()
def show(file: File, as_json: AsJson = False) -> None:
    """Show a file: its state, counts and SHA-256, and what holds it up."""

    async def find() -> wire.JobView:
        async with opened("supplier") as runtime:
            return await api.job(file, runtime)

    show_fields(_or_exit(find()), console, as_json=as_json)


@app.command()
def fetch(
    file: File,
    to: Annotated[Path, typer.Argument(dir_okay=False, help="where to write it")],
    operator: Who,
    part: Annotated[str | None, typer.Option(help="the manifest or a PDF, by its name")] = None,
) -> None:
    """Write a file, or one that goes with it, where you say; it holds personal data."""

    async def content() -> bytes:
        actor = await actor_of(operator)
        async with opened("supplier") as runtime:
            async with runtime.uow.begin() as work:
                await require(work, actor, Right.MANAGE_SUPPLIERS)
            return (await Shelf(runtime).take(file, part))[1]

    to.write_bytes(_or_exit(content()))
    console.print(f"written: {to}", soft_wrap=True)


@app.command()
def decide(file: File, decision: FileDecision, operator: Who) -> None:
    """Say what becomes of a file that does not go on by itself."""

    async def decided() -> None:
        actor = await actor_of(operator)
        async with opened("supplier") as runtime, runtime.uow.begin() as work:
            await deciding.decide(work, file, decision, actor)

    _or_exit(decided())
    console.print("noted; supplierMgt goes on")


@app.command()
def answer(
    file: File,
    decision: Decision,
    operator: Who,
    sha256: Annotated[str, typer.Option(help="what you saw: its first 8 digits at least")],
    reason: Annotated[str, typer.Option(help="asked for with anything but approve")] = "",
) -> None:
    """Answer what is asked about a file: its own approval, or that of its router's proof."""

    async def answered() -> None:
        actor = await actor_of(operator)
        async with opened("supplier") as supplier:
            job = await api.job(file, supplier)
        async with opened("delivery") as delivery:
            async with delivery.uow.begin() as work:
                asked = await ApprovalStore(work.connection).lock_open_files(job.campaign_id, file)
            if not asked:
                raise Refused("nobody is asked about this file")
            shown = asked[0].content_hash or ""
            if len(sha256) < 8 or not shown.startswith(sha256.lower()):
                raise Refused(f"asked about {asked[0].subject} with SHA-256 {shown}, not that one")
            await carry_out(
                delivery,
                DecideApproval(
                    approval_id=asked[0].approval_id,
                    campaign_id=job.campaign_id,
                    revision=asked[0].revision,
                    decision=decision,
                    reason=reason,
                    actor=actor,
                ),
            )

    _or_exit(answered())
    console.print("answered")


@app.command()
def proof(
    file: File,
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="PDF, PNG or JPEG")],
    operator: Who,
) -> None:
    """Keep the router's proof of a file and ask for its approval."""
    content = path.read_bytes()

    async def taken() -> tuple[str, str]:
        actor = await actor_of(operator)
        async with opened("supplier") as runtime:
            return await proofs.submit(runtime, file, content, actor)

    name, sha256 = _or_exit(taken())
    console.print(f"{name} {sha256}", soft_wrap=True)


@app.command()
def results(
    file: File,
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV")],
    operator: Who,
) -> None:
    """Take a router's result file in: reference (or recipient_id), status, reason."""
    content = path.read_bytes()

    async def taken() -> UUID:
        actor = await actor_of(operator)
        async with opened("supplier") as runtime:
            return await reporting.take_in(runtime, file, content, actor)

    console.print(f"{_or_exit(taken())}: supplierMgt applies its lines", soft_wrap=True)


@app.command()
def imports(file: File, as_json: AsJson = False) -> None:
    """List the result files of a file, what became of their lines, and which were rejected."""

    async def find() -> list[tuple[wire.ImportView, wire.RejectedPage]]:
        async with opened("supplier") as runtime:
            found = await api_results.results(file, runtime)
            return [
                (one, await api_results.rejected(file, one.import_id, runtime)) for one in found
            ]

    for one, bad in _or_exit(find()):
        show_fields(one, console, as_json=as_json)
        for line in bad.lines:
            typer.echo(f"line {line.line}: {line.problem}")
        if bad.after is not None:
            typer.echo("…and more: GET …/rejected pages through them")
