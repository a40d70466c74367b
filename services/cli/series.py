"""``muster campaign schedule``, ``occurrences``, ``missed`` and ``move``: campaigns that come back.

They stand beside the commands of :mod:`services.cli.campaigns`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.table import Table

from services.campaign import api_series
from services.campaign.api_series import SeriesView
from services.cli.answering import or_exit
from services.cli.campaign_views import console
from services.cli.campaigns import AsJson, Which, Who, change, find_campaign
from services.cli.choices import chosen
from services.cli.letters import opened
from shared.errors import Refused
from shared.http import carry_out
from shared.service import Runtime
from topics.cloudevents import describe
from topics.message import Actor
from topics.plans import MoveCampaign
from topics.schedules import (
    AnswerMissedStart,
    CampaignKind,
    Frequency,
    Schedule,
    SetSchedule,
)

app = typer.Typer()


@app.command()
def schedule(
    campaign: Which,
    operator: Who,
    kind: Annotated[CampaignKind, typer.Option()] = CampaignKind.RECURRING,
    every: Annotated[Frequency | None, typer.Option(help="daily, weekly, …")] = None,
    interval: Annotated[int, typer.Option(help="every second, third, … of them")] = 1,
    on: Annotated[
        list[str] | None, typer.Option(help="mo, 1mo (first), -1fr (last), or a day: 15, -1")
    ] = None,
    count: Annotated[int | None, typer.Option(help="no more dates than this")] = None,
    at: Annotated[list[str] | None, typer.Option(help="09:00; else the start's")] = None,
    date: Annotated[list[datetime] | None, typer.Option(help="a single date, local")] = None,
    without: Annotated[list[str] | None, typer.Option(help="a day left out: 2026-12-25")] = None,
    ahead: Annotated[int, typer.Option(help="days before its date an occurrence is created")] = 7,
    prove_before: Annotated[int, typer.Option(help="hours before; its approval is asked for")] = 72,
    duration: Annotated[int, typer.Option(help="days from an occurrence's start to its end")] = 90,
    approve: Annotated[bool, typer.Option(help="have each approval asked for")] = True,
    approve_once: Annotated[
        int | None, typer.Option(help="days an approval stands for others of the same content")
    ] = None,
    tolerance: Annotated[int, typer.Option(help="while their counts differ by so many %")] = 10,
    start: Annotated[bool, typer.Option(help="start each by itself when it is due")] = True,
    as_json: AsJson = False,
) -> None:
    """Make a campaign recurring or periodic, between its start and its end, in its zone."""
    lines = [{"at": one.strftime("%Y-%m-%dT%H:%M")} for one in date or ()]
    fields: dict[str, Any] = {
        "recurrence": _recurrence(every, interval, on or [], count) if every else None,
        "times": at or (),
        "lines": lines,
        "without": without or (),
        "create_ahead_days": ahead,
        "prove_before_hours": prove_before,
        "duration_days": duration,
        "to_be_approved": approve,
        "approve_once": {"days": approve_once, "tolerance_percent": tolerance}
        if approve_once is not None
        else None,
        "to_be_started": start,
    }

    async def scheduled(actor: Actor, runtime: Runtime) -> UUID:
        campaign_id = await find_campaign(runtime, campaign)
        try:
            wanted = None if kind is CampaignKind.UNIQUE else Schedule.model_validate(fields)
        except ValidationError as problem:
            raise Refused(describe(problem)) from None
        command = SetSchedule(campaign_id=campaign_id, actor=actor, kind=kind, schedule=wanted)
        await carry_out(runtime, command)
        return campaign_id

    change(operator, scheduled, as_json=as_json)


def _recurrence(every: Frequency, interval: int, on: list[str], count: int | None) -> Any:
    days = [word for word in on if word.removeprefix("-").isdecimal()]
    weekdays = [word for word in on if word not in days]
    return {
        "frequency": every,
        "interval": interval,
        "weekdays": weekdays,
        "month_days": days,
        "count": count,
    }


@app.command()
def occurrences(
    campaign: Which,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what became of a schedule's dates, latest first, and which come next."""

    async def find() -> SeriesView:
        async with opened("campaign") as runtime:
            campaign_id = await find_campaign(runtime, campaign)
            return await api_series.occurrences(campaign_id, runtime, limit=limit)

    found = or_exit(find())
    if as_json:
        typer.echo(found.model_dump_json())
        return
    table = Table("date", "campaign", "label", "state", "waits for")
    for line in reversed(found.coming):
        table.add_row(line.local, "", "", "to be created", "")
    for one in found.occurrences:
        number, waits = f"C-{one.campaign_number}", one.waiting_for or ""
        table.add_row(one.local_at, number, one.label, one.status, waits)
    console.print(f"{found.kind}, in {found.zone}")
    console.print(table)


@app.command()
def missed(
    campaign: Which,
    operator: Who,
    start: Annotated[bool, typer.Option("--start/--drop", help="start it now, or cancel it")],
    as_json: AsJson = False,
) -> None:
    """Answer a start that was missed: make it now, or drop it."""

    async def answered(actor: Actor, runtime: Runtime) -> UUID:
        campaign_id = await find_campaign(runtime, campaign)
        command = AnswerMissedStart(campaign_id=campaign_id, actor=actor, start=start)
        await carry_out(runtime, command)
        return campaign_id

    change(operator, answered, as_json=as_json)


@app.command()
def move(
    campaign: Which,
    operator: Who,
    program: Annotated[str | None, typer.Option(help="label or id; none if left out")] = None,
    as_json: AsJson = False,
) -> None:
    """Put a campaign under a program, or under none."""

    async def moved(actor: Actor, runtime: Runtime) -> UUID:
        campaign_id = await find_campaign(runtime, campaign)
        program_id = None if program is None else await chosen("program", program)
        command = MoveCampaign(campaign_id=campaign_id, actor=actor, program_id=program_id)
        await carry_out(runtime, command)
        return campaign_id

    change(operator, moved, as_json=as_json)
