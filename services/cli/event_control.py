"""``muster events``: one event followed and controlled, and the rules of its type."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from services.cli.answering import or_exit
from services.cli.choices import actor_of
from services.cli.letters import opened
from services.events_status import api, api_rules
from services.events_status.pages import EventDetail
from topics.events import EventControl

rules = typer.Typer(
    help="What is done with the events of a type beside routing them.", no_args_is_help=True
)
console = Console()


class Recycled(StrEnum):
    """The channels that events are recycled to."""

    EMAIL = "email"
    SMS = "sms"


EventId = Annotated[UUID, typer.Argument(metavar="ID", help="the event's id")]
Who = Annotated[str, typer.Option("--operator", help="who asks (e-mail)")]
Json = Annotated[bool, typer.Option("--json", help="for programs")]


def show(event_id: EventId, as_json: Json = False) -> None:
    """Show an event with every status it had, and what the delivery said of it."""

    async def find() -> EventDetail:
        async with opened("events_status") as runtime:
            return await api.read_event(event_id, runtime)

    found = or_exit(find())
    if as_json:
        typer.echo(found.model_dump_json())
        return
    event = found.event
    facts = Table(show_header=False)
    for name, value in event.model_dump(mode="json").items():
        if value not in (None, "", 0):
            facts.add_row(name, str(value))
    console.print(facts)
    history = Table("at", "status", "why")
    for line in found.history:
        history.add_row(f"{line.at:%Y-%m-%d %H:%M:%S %Z}", line.after, line.reason)
    console.print(history)


def pause(event_id: EventId, operator: Who) -> None:
    """Hold a pending event back."""
    _control(event_id, EventControl.PAUSE, operator)


def resume(event_id: EventId, operator: Who) -> None:
    """Let a paused event go on."""
    _control(event_id, EventControl.RESUME, operator)


def resend(event_id: EventId, operator: Who) -> None:
    """Send an event again, as a new one."""
    _control(event_id, EventControl.RESEND, operator)


def recycle(
    event_id: EventId,
    operator: Who,
    channel: Annotated[Recycled, typer.Option(help="the channel that it is recycled to")],
) -> None:
    """Create an event in delivery error anew on another channel, once."""
    _control(event_id, EventControl.RECYCLE, operator, channel)


def _control(
    event_id: UUID, control: EventControl, operator: str, channel: Recycled | None = None
) -> None:
    async def ask() -> UUID:
        actor = await actor_of(operator)
        body = api.ControlBody(channel=channel)
        async with opened("events_status") as runtime:
            done = await api.control(event_id, control, actor, runtime, body)
        return done.event_id

    typer.echo(or_exit(ask()))


@rules.command("list")
def list_rules(as_json: Json = False) -> None:
    """List the event types that have rules."""

    async def find() -> api_rules.EventRulesPage:
        found: list[api_rules.EventRules] = []
        after: str | None = None
        async with opened("events_status") as runtime:
            while True:
                page = await api_rules.list_rules(runtime, after, 200)
                found += page.rules
                if page.next is None:
                    return api_rules.EventRulesPage(rules=found, next=None)
                after = page.next

    page = or_exit(find())
    if as_json:
        typer.echo(page.model_dump_json())
        return
    table = Table("type", "enriched", "recycled to", "since")
    for one in page.rules:
        enriched = "yes" if one.enrich else ""
        since = f"{one.changed_at:%Y-%m-%d %H:%M %Z}"
        table.add_row(one.event_type, enriched, one.recycle_to or "", since)
    console.print(table if page.rules else "no event type has rules")


@rules.command("set")
def set_rules(
    event_type: Annotated[str, typer.Argument(metavar="TYPE", help="the event type")],
    operator: Who,
    enrich: Annotated[
        bool, typer.Option("--enrich", help="ask the enrichment service for more first")
    ] = False,
    recycle_to: Annotated[
        Recycled | None, typer.Option(help="the channel that failed ones are recycled to")
    ] = None,
) -> None:
    """Set all rules of an event type; what is not named is off."""

    async def ask() -> None:
        actor = await actor_of(operator)
        to = recycle_to.value if recycle_to else None
        body = api_rules.RulesBody(enrich=enrich, recycle_to=to)
        async with opened("events_status") as runtime:
            await api_rules.set_rules(event_type, body, actor, runtime)

    or_exit(ask())
