"""``muster events template``: what events are answered with, from a draft to its versions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from services.cli.answering import or_exit
from services.cli.choices import actor_of, chosen
from services.cli.contexts import context_in
from services.cli.letters import opened
from services.delivery import api_samples
from services.events_status import api_templates
from services.events_status.template_pages import (
    Content,
    EventTemplate,
    EventTemplateDetail,
    EventTemplatePage,
    Version,
)
from shared.errors import Refused
from shared.service import Runtime
from topics.cloudevents import describe
from topics.message import Actor

app = typer.Typer(
    help="What the events of a type and channel are answered with.", no_args_is_help=True
)
console = Console()
T = TypeVar("T")


class Channel(StrEnum):
    """The channels that events are answered by."""

    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"


EventType = Annotated[str, typer.Argument(metavar="TYPE", help="the event type")]
By = Annotated[Channel, typer.Option("--channel", help="the channel")]
Who = Annotated[str, typer.Option("--operator", help="who asks (e-mail)")]
Json = Annotated[bool, typer.Option("--json", help="for programs")]
Sample = Annotated[
    Path, typer.Option("--ctx", exists=True, dir_okay=False, help="a sample, JSON or XML")
]
Which = Annotated[
    int | None, typer.Option("--version", min=1, help="a published version; else the draft")
]


def list_templates(as_json: Json = False) -> None:
    """List event templates: their drafts, what is published of them, and what changed since."""

    async def find() -> list[EventTemplate]:
        found: list[EventTemplate] = []
        after: str | None = None
        async with opened("events_status") as runtime:
            while True:
                page = await api_templates.list_templates(runtime, after, 200)
                found += page.templates
                if page.next is None:
                    return found
                after = page.next

    found = or_exit(find())
    if as_json:
        typer.echo(EventTemplatePage(templates=found, next=None).model_dump_json())
        return
    table = Table("type", "channel", "draft", "published", "since", "by", "")
    for one in found:
        table.add_row(one.event_type, one.channel, _named(one.draft), *_live(one))
    console.print(table if found else "there is no event template")


@app.command()
def show(event_type: EventType, channel: By = Channel.EMAIL, as_json: Json = False) -> None:
    """Show an event template with every version that was published."""
    _print(or_exit(_detail(event_type, channel)), as_json=as_json)


@app.command()
def link(
    event_type: EventType,
    template: Annotated[str, typer.Argument(help="the template, by label or id")],
    operator: Who,
    channel: By = Channel.EMAIL,
    publish: Annotated[bool, typer.Option("--publish", help="publish it at once")] = False,
) -> None:
    """Link an event type to a template: its draft, which covers no event until it is published."""

    async def ask(runtime: Runtime, actor: Actor) -> EventTemplateDetail:
        body = api_templates.DraftBody(
            template_id=await chosen("template", template), publish=publish
        )
        return await api_templates.link_template(event_type, body, actor, runtime, channel)

    _print(_as(operator, ask))


@app.command()
def publish(
    event_type: EventType,
    operator: Who,
    channel: By = Channel.EMAIL,
    content_hash: Annotated[
        str | None, typer.Option(help="the content that was looked at; refused if it changed")
    ] = None,
) -> None:
    """Send events from now on with the draft's content as it is."""

    async def ask(runtime: Runtime, actor: Actor) -> EventTemplateDetail:
        body = api_templates.PublishBody(content_hash=content_hash)
        return await api_templates.publish_template(event_type, actor, runtime, body, channel)

    _print(_as(operator, ask))


@app.command()
def unpublish(event_type: EventType, operator: Who, channel: By = Channel.EMAIL) -> None:
    """Leave events of the type uncovered from now on; the draft stays."""

    async def ask(runtime: Runtime, actor: Actor) -> EventTemplateDetail:
        return await api_templates.unpublish_template(event_type, actor, runtime, channel)

    _print(_as(operator, ask))


@app.command()
def delete(event_type: EventType, operator: Who, channel: By = Channel.EMAIL) -> None:
    """Forget a draft; one that is published is refused."""

    async def ask(runtime: Runtime, actor: Actor) -> None:
        await api_templates.delete_template(event_type, actor, runtime, channel)

    _as(operator, ask)
    console.print("deleted; its versions stay known")


@app.command()
def preview(
    event_type: EventType,
    ctx: Sample,
    channel: By = Channel.EMAIL,
    version: Which = None,
    html: Annotated[bool, typer.Option("--html", help="the HTML alone")] = False,
) -> None:
    """Show the message that an event would get; what its sample lacks is named."""
    sample = context_in(ctx)

    async def render() -> api_samples.SampleView:
        content = _content(await _detail(event_type, channel), version)
        body = api_samples.SampleBody(ctx=sample, content_hash=content.content_hash)
        async with opened("delivery") as delivery:
            return await api_samples.preview(content.template_id, body, delivery)

    made = or_exit(render())
    if html:
        typer.echo(made.html)
        return
    parts = f" ({made.sms_parts} SMS)" if made.sms_parts else ""
    typer.echo(f"{made.subject or made.channel}{parts}\n\n{made.text}")


@app.command("test")
def send_test(
    event_type: EventType,
    ctx: Sample,
    operator: Who,
    channel: By = Channel.EMAIL,
    version: Which = None,
) -> None:
    """Send the message that an event would get to the template's seeds; it counts nowhere."""
    sample = context_in(ctx)

    async def send() -> api_samples.SeedTest:
        actor = await actor_of(operator)
        content = _content(await _detail(event_type, channel), version)
        body = api_samples.SeedTestBody(ctx=sample, content_hash=content.content_hash)
        async with opened("delivery") as delivery:
            return await api_samples.send_test(content.template_id, body, actor, delivery)

    sent = or_exit(send())
    console.print(f"test {sent.test_id} goes to {sent.recipients} seeds")


def _as(email: str, ask: Callable[[Runtime, Actor], Awaitable[T]]) -> T:
    """Have Message Center do what an operator asks, or say why not."""

    async def done() -> T:
        actor = await actor_of(email)
        async with opened("events_status") as runtime:
            try:
                return await ask(runtime, actor)
            except ValidationError as problem:
                raise Refused(describe(problem)) from None

    return or_exit(done())


async def _detail(event_type: str, channel: Channel) -> EventTemplateDetail:
    async with opened("events_status") as runtime:
        return await api_templates.read_template(event_type, runtime, channel)


def _content(found: EventTemplateDetail, version: int | None) -> Content:
    """Return what a sample is made of: a version's content, or what the draft's template holds."""
    if version is None:
        draft = found.template.draft
        return draft.model_copy(update={"content_hash": None})
    content = next((one.content for one in found.versions if one.version == version), None)
    if content is None:
        raise Refused(f"there is no version {version}", field="version")
    return content


def _print(found: EventTemplateDetail, *, as_json: bool = False) -> None:
    if as_json:
        typer.echo(found.model_dump_json())
        return
    one = found.template
    console.print(f"{one.event_type} by {one.channel}: draft {_named(one.draft)}")
    console.print(" ".join(("published:", *filter(None, _live(one)))))
    table = Table("version", "template", "content", "published", "by", "until", "by")
    for version in found.versions:
        table.add_row(*_line(version))
    if found.versions:
        console.print(table)


def _named(content: Content) -> str:
    return content.label or str(content.template_id)


def _live(one: EventTemplate) -> tuple[str, str, str, str]:
    """Return what is published, since when, by whom, and whether the draft changed since."""
    if one.published is None:
        return ("no", "", "", "")
    by = one.published.published
    return (
        f"version {one.published.version} of {_named(one.published.content)}",
        f"{by.at:%Y-%m-%d %H:%M}",
        by.name or by.operator_id,
        "changed since" if one.changed else "",
    )


def _line(version: Version) -> tuple[str, ...]:
    published, ended = version.published, version.ended
    return (
        str(version.version),
        _named(version.content),
        (version.content.content_hash or "not pinned")[:12],
        f"{published.at:%Y-%m-%d %H:%M}",
        published.name or published.operator_id,
        f"{ended.at:%Y-%m-%d %H:%M}" if ended else "",
        (ended.name or ended.operator_id) if ended else "",
    )
