"""``muster approvals``: their rules, their log, put off and handed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.table import Table

from services.cli.answering import or_exit
from services.cli.campaign_views import console, show_approval
from services.cli.campaigns import AsJson, Which, Who, change, find_campaign
from services.cli.choices import actor_of, operator_id
from services.cli.letters import opened
from services.delivery.approval_wire import ApprovalView, LogView
from services.delivery.store.approval_log import ApprovalLog
from services.delivery.store.approvals import ApprovalStore
from shared import rights
from shared.errors import Refused
from shared.http import carry_out
from shared.service import Runtime
from shared.uow import Work
from topics.approval_rules import ApprovalRules
from topics.approvals import DelegateApproval, SnoozeApproval
from topics.campaign import CampaignPlan, EditCampaign
from topics.cloudevents import describe
from topics.delivery import ApprovalKind
from topics.message import Actor, Command

app = typer.Typer(no_args_is_help=True, help="Approvals: their rules, their log, their course.")
Kind = Annotated[ApprovalKind | None, typer.Option(help="else the one that is open")]
PAGE = 1000


@app.command()
def rules(
    campaign: Which,
    operator: Who,
    file: Annotated[Path, typer.Argument(help='JSON, such as {"start": {"asked": true}}')],
    as_json: AsJson = False,
) -> None:
    """Say which approvals a campaign needs, of whom, until when; what is open is asked again."""
    try:
        found = ApprovalRules.model_validate_json(file.read_bytes())
    except OSError as problem:
        raise typer.BadParameter(f"{file}: {problem.strerror}") from None
    except ValidationError as problem:
        raise typer.BadParameter(describe(problem)) from None

    async def ruled(actor: Actor, runtime: Runtime) -> UUID:
        campaign_id = await find_campaign(runtime, campaign)
        plan = CampaignPlan(approvals=found)
        await carry_out(runtime, EditCampaign(campaign_id=campaign_id, actor=actor, plan=plan))
        return campaign_id

    change(operator, ruled, as_json=as_json)


@app.command()
def log(campaign: Which, as_json: AsJson = False) -> None:
    """Show what happened to a campaign's approvals, oldest first."""

    async def read() -> tuple[list[LogView], dict[str, str]]:
        campaign_id = await _campaign(campaign)
        async with opened("delivery") as runtime, runtime.uow.begin() as work:
            entries = await _entries(work, campaign_id)
            return entries, await _names(work, entries)

    entries, names = or_exit(read())
    if as_json:
        typer.echo("[" + ",".join(entry.model_dump_json() for entry in entries) + "]")
        return
    table = Table("at", "approval", "what", "by", "whom", "until", "comment")
    for entry in entries:
        table.add_row(*_row(entry, names))
    console.print(table if table.row_count else "nobody was asked yet")


async def _entries(work: Work, campaign_id: UUID) -> list[LogView]:
    found: list[LogView] = []
    store = ApprovalLog(work.connection)
    while page := await store.page(
        campaign_id, after=found[-1].entry_id if found else 0, limit=PAGE
    ):
        found += map(LogView.of, page)
    return found


async def _names(work: Work, entries: Iterable[LogView]) -> dict[str, str]:
    """Return the names of who stands in entries, where they are operators."""
    ids = {one for entry in entries for one in (entry.actor_id, *map(str, entry.operator_ids))}
    known = [await rights.find(work, one) for one in sorted(ids)]
    return {one.operator_id: one.name for one in known if one is not None}


def _row(entry: LogView, names: dict[str, str]) -> Sequence[str]:
    whom = [names.get(str(one), str(one)) for one in entry.operator_ids]
    return (
        _minute(entry.at),
        f"{entry.kind} {entry.revision}",
        entry.event,
        names.get(entry.actor_id, entry.actor_id),
        ", ".join(whom),
        _minute(entry.until) if entry.until else "",
        entry.comment,
    )


def _minute(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="minutes")


@app.command()
def snooze(
    campaign: Which,
    operator: Who,
    until: Annotated[datetime, typer.Argument(help="in the instance's zone: 2026-12-24T09:00")],
    kind: Kind = None,
    as_json: AsJson = False,
) -> None:
    """Put your own reminders of an open approval off."""

    async def snoozed() -> ApprovalView:
        actor = await actor_of(operator)
        seen = await _seen(campaign, kind)
        async with opened("delivery") as runtime:
            at = until.replace(tzinfo=runtime.settings.zone)
            return await _act(
                runtime,
                SnoozeApproval(
                    approval_id=seen.approval_id,
                    campaign_id=seen.campaign_id,
                    until=at,
                    actor=actor,
                ),
                seen.approval_id,
            )

    show_approval(or_exit(snoozed()), as_json=as_json)


@app.command()
def delegate(
    campaign: Which,
    operator: Who,
    to: Annotated[str, typer.Argument(help="the e-mail address of who answers instead")],
    comment: Annotated[str, typer.Option()] = "",
    kind: Kind = None,
    as_json: AsJson = False,
) -> None:
    """Hand an open approval on to another operator who may approve."""

    async def delegated() -> ApprovalView:
        actor, other = await actor_of(operator), await operator_id(to)
        seen = await _seen(campaign, kind)
        command = DelegateApproval(
            approval_id=seen.approval_id,
            campaign_id=seen.campaign_id,
            to=other,
            comment=comment,
            actor=actor,
        )
        async with opened("delivery") as runtime:
            return await _act(runtime, command, seen.approval_id)

    show_approval(or_exit(delegated()), as_json=as_json)


async def _act(runtime: Runtime, command: Command, approval_id: UUID) -> ApprovalView:
    await carry_out(runtime, command)
    async with runtime.uow.begin() as work:
        found = await ApprovalStore(work.connection).find(approval_id)
    if found is None:
        raise Refused("there is no such approval")
    return ApprovalView.of(found)


async def _seen(campaign: str, kind: ApprovalKind | None) -> ApprovalView:
    campaign_id = await _campaign(campaign)
    async with opened("delivery") as runtime, runtime.uow.begin() as work:
        found = await ApprovalStore(work.connection).latest(campaign_id, kind)
    if found is None:
        raise Refused("nobody was asked to approve it yet: muster campaign proof")
    return ApprovalView.of(found)


async def _campaign(word: str) -> UUID:
    async with opened("campaign") as runtime:
        return await find_campaign(runtime, word)
