"""``muster campaign``: campaigns by the same handlers as Slack's clicks and the HTTP routes.

A command is decided here and now by the service's own rules; what follows from it goes over the
topics, so the services must run for a campaign to move on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from services.campaign import api
from services.campaign.store.campaigns import CampaignStore
from services.cli.answering import or_exit
from services.cli.campaign_views import show, show_approval, show_list
from services.cli.choices import Wish, actor_of, as_id, control_group
from services.cli.letters import opened
from services.delivery.approval_wire import ApprovalView
from services.delivery.store.approvals import ApprovalStore
from shared.errors import Refused
from shared.http import carry_out
from shared.ids import new_id
from shared.service import Runtime
from topics.campaign import (
    CampaignStatus,
    CancelCampaign,
    CreateCampaign,
    EditCampaign,
    LaunchCampaign,
    RequestProof,
    ResumeCampaign,
    RetryCampaign,
    Severity,
    SuspendCampaign,
)
from topics.delivery import DecideApproval, Decision
from topics.message import Actor, Command
from topics.targeting import ControlSort

app = typer.Typer(help="Campaigns: create, prove, approve, launch, end.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="such as C-1042")]
Who = Annotated[str, typer.Option("--operator", help="who asks (e-mail)")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Why = Annotated[str, typer.Option(help="for the journal")]
Named = Annotated[str | None, typer.Option(help="label or id")]
Models = Annotated[list[str] | None, typer.Option("--model", help="code or id; several times")]
Reviewers = Annotated[list[str] | None, typer.Option("--reviewer", help="e-mail; several times")]
At = Annotated[datetime | None, typer.Option(help="local time in --zone or the instance's zone")]
Priority = Annotated[int | None, typer.Option(min=1, max=9, help="1 starts before 9")]
Weight = Annotated[int | None, typer.Option(min=0, max=100, help="100 goes first under pressure")]
Severe = Annotated[Severity | None, typer.Option(help="decides among equal priorities")]
Quiet = Annotated[bool | None, typer.Option(help="start in the hours of low activity only")]
Control = Annotated[str | None, typer.Option(help="who gets nothing: 10%, 500 or none")]
First = Annotated[bool, typer.Option(help="take the first of the target, not a random part")]
Sort = Annotated[ControlSort | None, typer.Option(help="take the first of the target sorted so")]
Last = Annotated[bool, typer.Option(help="with --control-sort: the last ones")]
Zone = Annotated[str | None, typer.Option(help="such as Europe/Paris")]


@app.command()
def create(
    label: str,
    operator: Who,
    targeting: Named = None,
    template: Named = None,
    budget: Named = None,
    service: Named = None,
    stock: Named = None,
    program: Named = None,
    priority: Priority = None,
    weight: Weight = None,
    severity: Severe = None,
    low_activity: Quiet = None,
    control: Control = None,
    control_first: First = False,
    control_sort: Sort = None,
    control_last: Last = False,
    model: Models = None,
    reviewer: Reviewers = None,
    start: At = None,
    end: At = None,
    zone: Zone = None,
    description: Annotated[str | None, typer.Option(help="fixed once saved")] = None,
    remark: Annotated[str | None, typer.Option(help="fixed once saved")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a campaign; its target is counted at once."""
    texts = {"label": label, "description": description, "remark": remark, "zone": zone}
    plain = texts | {"priority": priority, "severity": severity, "low_activity": low_activity}
    plain |= {"weight": weight} | control_group(
        control, first=control_first, sort=control_sort, last=control_last
    )
    names = {"targeting": targeting, "template": template, "budget": budget, "service": service}
    wish = Wish(plain, names | {"stock": stock, "program": program}, model, reviewer, start, end)

    async def made(actor: Actor, runtime: Runtime) -> UUID:
        campaign_id = new_id()
        plan = await wish.plan(runtime)
        await carry_out(runtime, CreateCampaign(campaign_id=campaign_id, actor=actor, plan=plan))
        return campaign_id

    change(operator, made, as_json=as_json)


@app.command()
def edit(
    campaign: Which,
    operator: Who,
    label: Annotated[str | None, typer.Option()] = None,
    targeting: Named = None,
    template: Named = None,
    budget: Named = None,
    service: Named = None,
    stock: Named = None,
    program: Named = None,
    priority: Priority = None,
    weight: Weight = None,
    severity: Severe = None,
    low_activity: Quiet = None,
    control: Control = None,
    control_first: First = False,
    control_sort: Sort = None,
    control_last: Last = False,
    model: Models = None,
    reviewer: Reviewers = None,
    start: At = None,
    end: At = None,
    zone: Zone = None,
    as_json: AsJson = False,
) -> None:
    """Change what is named; a change of content or target asks for the proof again."""
    names = {"targeting": targeting, "template": template, "budget": budget, "service": service}
    plain = {"label": label, "zone": zone, "priority": priority}
    plain |= {"severity": severity, "low_activity": low_activity}
    plain |= {"weight": weight} | control_group(
        control, first=control_first, sort=control_sort, last=control_last
    )
    wish = Wish(plain, names | {"stock": stock, "program": program}, model, reviewer, start, end)

    async def changed(actor: Actor, runtime: Runtime) -> UUID:
        campaign_id = await find_campaign(runtime, campaign)
        plan = await wish.plan(runtime)
        await carry_out(runtime, EditCampaign(campaign_id=campaign_id, actor=actor, plan=plan))
        return campaign_id

    change(operator, changed, as_json=as_json)


@app.command("list")
def list_campaigns(
    status: Annotated[CampaignStatus | None, typer.Option(help="in this state only")] = None,
    label: Annotated[str | None, typer.Option(help="with this in their label")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: AsJson = False,
) -> None:
    """List campaigns, newest first."""

    async def find() -> api.CampaignPage:
        async with opened("campaign") as runtime:
            return await api.search(runtime, status=status, label=label, limit=limit)

    show_list(asyncio.run(find()), as_json=as_json)


@app.command()
def status(campaign: Which, as_json: AsJson = False) -> None:
    """Show a campaign: its state, sums, what it waits for, its journal."""

    async def read() -> api.CampaignDetail:
        async with opened("campaign") as runtime:
            return await api.read(await find_campaign(runtime, campaign), runtime)

    show(or_exit(read()), as_json=as_json)


@app.command()
def approval(campaign: Which, as_json: AsJson = False) -> None:
    """Show what a campaign's latest approval is bound to, and how it stands."""

    async def read() -> ApprovalView:
        async with opened("campaign") as runtime:
            campaign_id = await find_campaign(runtime, campaign)
        return await _approval(campaign_id)

    show_approval(or_exit(read()), as_json=as_json)


@app.command()
def decide(
    campaign: Which,
    decision: Decision,
    operator: Who,
    revision: Annotated[int, typer.Option(help="the one you saw: muster campaign approval")],
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Answer an approval: approve, request changes or reject what its revision shows."""

    async def decided() -> ApprovalView:
        actor = await actor_of(operator)
        async with opened("campaign") as runtime:
            campaign_id = await find_campaign(runtime, campaign)
        seen = await _approval(campaign_id)
        command = DecideApproval(
            approval_id=seen.approval_id,
            campaign_id=campaign_id,
            revision=revision,
            decision=decision,
            reason=reason,
            actor=actor,
        )
        async with opened("delivery") as delivery:
            await carry_out(delivery, command)
        return await _approval(campaign_id)

    show_approval(or_exit(decided()), as_json=as_json)


@app.command()
def proof(
    campaign: Which,
    operator: Who,
    again: Annotated[bool, typer.Option(help="withdraw what is asked or granted first")] = False,
    as_json: AsJson = False,
) -> None:
    """Freeze the target, have the proof made and sent, and ask for its approval.

    Where the next approval waits to be submitted, submit it.
    """
    _order(RequestProof, campaign, operator, as_json=as_json, again=again)


@app.command()
def launch(campaign: Which, operator: Who, as_json: AsJson = False) -> None:
    """Make an approved campaign due now."""
    _order(LaunchCampaign, campaign, operator, as_json=as_json)


@app.command()
def pause(campaign: Which, operator: Who, reason: Why = "", as_json: AsJson = False) -> None:
    """Suspend a running campaign: messages and actions are held back."""
    _order(SuspendCampaign, campaign, operator, as_json=as_json, reason=reason)


@app.command()
def resume(campaign: Which, operator: Who, as_json: AsJson = False) -> None:
    """Go on with a suspended campaign."""
    _order(ResumeCampaign, campaign, operator, as_json=as_json)


@app.command()
def retry(campaign: Which, operator: Who, as_json: AsJson = False) -> None:
    """Try again what put a campaign into the error state."""
    _order(RetryCampaign, campaign, operator, as_json=as_json)


@app.command()
def cancel(campaign: Which, operator: Who, reason: Why = "", as_json: AsJson = False) -> None:
    """End a campaign for good; what it used is booked, the rest given back."""
    _order(CancelCampaign, campaign, operator, as_json=as_json, reason=reason)


async def find_campaign(runtime: Runtime, word: str) -> UUID:
    """Return a campaign's id from its number (C-1042, 1042) or id.

    Raises:
        Refused: there is none.
    """
    digits = word.upper().removeprefix("C-")
    async with runtime.uow.begin() as work:
        if digits.isascii() and digits.isdecimal() and len(digits) < 10:
            found = await CampaignStore(work.connection).numbered(int(digits))
        else:
            found = as_id(word)
    if found is None:
        raise Refused(f"there is no campaign {word}; see: muster campaign list")
    return found


async def _approval(campaign_id: UUID) -> ApprovalView:
    async with opened("delivery") as runtime, runtime.uow.begin() as work:
        found = await ApprovalStore(work.connection).latest(campaign_id)
    if found is None:
        raise Refused("nobody was asked to approve it yet: muster campaign proof")
    return ApprovalView.of(found)


def _order(
    kind: Callable[..., Command], campaign: str, email: str, *, as_json: bool, **more: str | bool
) -> None:
    async def ordered(actor: Actor, runtime: Runtime) -> UUID:
        campaign_id = await find_campaign(runtime, campaign)
        await carry_out(runtime, kind(campaign_id=campaign_id, actor=actor, **more))
        return campaign_id

    change(email, ordered, as_json=as_json)


def change(
    email: str, act: Callable[[Actor, Runtime], Coroutine[Any, Any, UUID]], *, as_json: bool
) -> None:
    """Carry out a change as an operator, and show the campaign as it is then."""

    async def changed() -> api.CampaignDetail:
        actor = await actor_of(email)
        async with opened("campaign") as runtime:
            return await api.read(await act(actor, runtime), runtime)

    show(or_exit(changed()), as_json=as_json)
