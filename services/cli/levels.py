"""``muster events levels`` and ``threshold``: how Message Center does, and when that is told."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from services.cli.answering import or_exit
from services.cli.choices import actor_of
from services.cli.letters import opened
from services.events_status import api_levels
from services.events_status.api_levels import LevelFilters, LevelPage, ThresholdPage
from shared.errors import Refused
from topics.cloudevents import describe
from topics.levels import Indicator, Level, Window

app = typer.Typer(help="From when on service levels are told.", no_args_is_help=True)
console = Console()

Who = Annotated[str, typer.Option("--operator", help="who asks (e-mail)")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Which = Annotated[Indicator, typer.Argument(help="the indicator")]
Channel = Annotated[str, typer.Option(help="one channel; all unless told")]
Kind = Annotated[str, typer.Option("--type", help="one event type; all unless told")]
_COLUMNS: Final = (
    *("channel", "type", "window", "in", "in/h", "out", "out/h", "errors", "error rate"),
    *("queued", "min/avg/max", "queue s", "processing s", "sending s"),
)


def levels(
    window: Annotated[Window | None, typer.Option(help="one window; all unless told")] = None,
    channel: Annotated[str | None, typer.Option(help="one channel")] = None,
    event_type: Annotated[str | None, typer.Option("--type", help="one event type")] = None,
    as_json: AsJson = False,
) -> None:
    """Show throughput, queue, times and error rate, by channel, type and window."""

    async def find() -> LevelPage:
        filters = LevelFilters(window=window, channel=channel, event_type=event_type)
        async with opened("events_status") as runtime:
            return await api_levels.service_levels(filters, runtime)

    page = or_exit(find())
    if as_json:
        typer.echo(page.model_dump_json())
        return
    if page.as_of is None:
        console.print("nothing is known yet: the live view of events_status has not run")
        return
    table = Table(*_COLUMNS)
    for one in page.levels:
        table.add_row(*_cells(one))
    console.print(table)
    late = "; [red]the live view does not keep up[/red]" if page.is_late else ""
    console.print(f"as of {page.as_of:%Y-%m-%d %H:%M:%S %Z}{late}")


def _cells(one: Level) -> list[str]:
    queue = (one.queued_min, one.queued_avg, one.queued_max)
    return [
        one.channel or "all",
        one.event_type or "all",
        one.window,
        str(one.incoming),
        f"{one.incoming_per_hour:.0f}",
        str(one.outgoing),
        f"{one.outgoing_per_hour:.0f}",
        str(one.errors),
        _number(one.error_rate, ".1%"),
        str(one.queued),
        "/".join(_number(value, ".0f") for value in queue),
        _number(one.queue_seconds, ".1f"),
        _number(one.processing_seconds, ".1f"),
        _number(one.sending_seconds, ".1f"),
    ]


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


@app.command("list")
def list_thresholds(as_json: AsJson = False) -> None:
    """List thresholds, and how each level stands."""

    async def find() -> ThresholdPage:
        async with opened("events_status") as runtime:
            return await api_levels.list_thresholds(runtime)

    page = or_exit(find())
    if as_json:
        typer.echo(page.model_dump_json())
        return
    names = ("indicator", "channel", "event_type", "window", "warning", "alert", "grade", "value")
    table = Table(*names)
    for one in page.thresholds:
        table.add_row(*(_shown(getattr(one, name)) for name in names))
    console.print(table if table.row_count else "no thresholds")


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "–" if value in {None, ""} else str(value)


@app.command("set")
def set_threshold(
    indicator: Which,
    operator: Who,
    warning: Annotated[float | None, typer.Option(help="from this value on a warning")] = None,
    alert: Annotated[float | None, typer.Option(help="from this value on an alert")] = None,
    channel: Channel = "",
    event_type: Kind = "",
    window: Annotated[Window, typer.Option(help="over how long it is taken")] = Window.HOUR,
    below: Annotated[bool, typer.Option("--below", help="less is worse")] = False,
    minimum_events: Annotated[
        int, typer.Option(min=0, help="with fewer in the window all is well")
    ] = 0,
    minutes: Annotated[
        int, typer.Option(min=0, max=1440, help="how long a value must last to count")
    ] = 2,
) -> None:
    """Say from when on a level is told: in seconds, events by the hour, or rates from 0 to 1."""
    if warning is None and alert is None:
        raise SystemExit("give --warning, --alert or both; 'remove' ends a threshold")
    fields: dict[str, Any] = {
        "channel": channel,
        "event_type": event_type,
        "window": window,
        "below": below,
        "warning": warning,
        "alert": alert,
        "minimum_events": minimum_events,
        "minutes": minutes,
    }
    or_exit(_put(indicator, operator, fields))
    console.print(f"{indicator} is told from now on")


@app.command()
def remove(indicator: Which, operator: Who, channel: Channel = "", event_type: Kind = "") -> None:
    """Have a level told no more."""

    async def done() -> None:
        actor = await actor_of(operator)
        async with opened("events_status") as runtime:
            await api_levels.delete_threshold(indicator, actor, runtime, channel, event_type)

    or_exit(done())
    console.print(f"{indicator} is told no more")


async def _put(indicator: Indicator, email: str, fields: dict[str, Any]) -> None:
    actor = await actor_of(email)
    try:
        body = api_levels.ThresholdBody(**fields)
    except ValidationError as problem:
        raise Refused(describe(problem)) from None
    async with opened("events_status") as runtime:
        await api_levels.put_threshold(indicator, body, actor, runtime)
