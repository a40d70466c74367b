"""``muster replay``: read a topic again, for what was never handled or for a read model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from aiokafka import TopicPartition
from rich.console import Console

from services.cli.catalogue import NAMES, find
from services.cli.environment import settings_or_exit
from services.cli.letters import opened
from shared import kafka
from shared.settings import Settings
from shared.views import rebuild

console = Console()


class TopicMissing(Exception):
    """The broker lacks a topic; the text says which and what to do."""


def replay(
    topic: Annotated[str, typer.Argument(help="the topic's name, or '-' with --rebuild")],
    group: Annotated[str, typer.Option(help="the service that reads again, such as delivery")],
    start: Annotated[
        str, typer.Option("--from", help="earliest, or a time such as 2026-11-22T08:00:00+01:00")
    ] = "earliest",
    repair: Annotated[
        bool, typer.Option("--repair", help="handle what the inbox has never seen")
    ] = False,
    view: Annotated[
        str | None, typer.Option("--rebuild", help="drop and refill this read model")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would happen")] = False,
) -> None:
    """Read a topic again. Nothing that was handled has its effect twice, and nothing is sent."""
    if repair == (view is not None):
        raise SystemExit("choose one: --repair (what was never handled) or --rebuild VIEW")
    settings = settings_or_exit()
    if group not in NAMES:
        raise SystemExit(f"there is no service {group!r}; there are {', '.join(NAMES)}")
    reader = reader_of(group, topic)
    members = asyncio.run(members_of(settings, reader))
    if members:
        names = ", ".join(members)
        # One that died keeps its place until its session ends, so that a restart is quick.
        seconds = settings.kafka_session_timeout_ms / 1000
        raise SystemExit(
            f"{group} is running ({names}): stop it first, then replay"
            f" (one that was killed leaves within {seconds:g} s)"
        )
    if view is not None:
        asyncio.run(_rebuild(group, view, dry_run=dry_run))
    else:
        asyncio.run(_rewind(settings, topic, reader, start, dry_run=dry_run))


def reader_of(service: str, topic: str) -> str:
    """Return the name of the consumer of a service that reads a topic; by default its own."""
    for name, registry in find(service).registries.items():
        if topic in {one.name for one in registry.topics}:
            return name
    return service


async def members_of(settings: Settings, reader: str) -> list[str]:
    """Return the members of a consumer's group, by client id and host."""
    name = f"{settings.kafka_namespace}muster.{reader}"
    async with kafka.admin(settings) as client:
        responses = await client.describe_consumer_groups([name])
    members: list[str] = []
    for response in responses:
        for described in response.groups:
            members += [f"{member[1]} at {member[2]}" for member in described[5]]
    return members


async def _rebuild(service: str, name: str, *, dry_run: bool) -> None:
    views = {view.name: view for view in find(service).views}
    view = views.get(name)
    if view is None:
        known = ", ".join(views) or "none"
        raise SystemExit(f"{service} has no read model {name!r}; it has: {known}")
    reach = f"as far back as {view.reaches_back}" if view.reaches_back else "whole"
    console.print(f"{name}: {', '.join(view.tables)} from {', '.join(view.topics)}, {reach}")
    if dry_run:
        return
    async with opened(service) as runtime:
        taken = await rebuild(runtime.uow, runtime.registry, view, runtime.settings)
    console.print(f"refilled from {taken} messages; nothing was published")


async def _rewind(
    settings: Settings, topic: str, reader: str, start: str, *, dry_run: bool
) -> None:
    name = settings.kafka_namespace + topic
    client = kafka.consumer(settings, [], group=f"muster.{reader}", instance=None)
    await client.start()
    try:
        partitions = await _partitions(client, name)
        begin = await _begin(client, partitions, start)
        ends = await client.end_offsets(partitions)
        again = sum(ends[part] - offset for part, offset in begin.items())
        console.print(f"{again} records of {topic} would be read again by {reader}")
        if not dry_run:
            client.assign(partitions)
            await client.commit(begin)
            console.print("done: start the service; its inbox skips what it has handled")
    finally:
        await client.stop()


async def rewind_to(
    settings: Settings, reader: str, topics: Sequence[str], moment: datetime
) -> None:
    """Set a consumer's group to where its topics were at a time; its inbox skips what it knows.

    Raises:
        KafkaError: the broker does not answer.
        TopicMissing: the broker lacks one of the topics.
    """
    client = kafka.consumer(settings, [], group=f"muster.{reader}", instance=None)
    await client.start()
    try:
        # All before the first assignment: afterwards the client knows of assigned topics only.
        found = [await _partitions(client, settings.kafka_namespace + topic) for topic in topics]
        partitions = [partition for parts in found for partition in parts]
        client.assign(partitions)
        await client.commit(await _begin(client, partitions, moment.isoformat()))
    finally:
        await client.stop()


async def _partitions(client: Any, name: str) -> list[TopicPartition]:
    found = client.partitions_for_topic(name)
    if not found:
        await client._client.force_metadata_update()
        cluster = client._client.cluster
        found = cluster.partitions_for_topic(name)
    if not found:
        raise TopicMissing(f"there is no topic {name} on the broker; see: muster topics check")
    return [TopicPartition(name, number) for number in sorted(found)]


async def _begin(
    client: Any, partitions: list[TopicPartition], start: str
) -> dict[TopicPartition, int]:
    beginnings: dict[TopicPartition, int] = await client.beginning_offsets(partitions)
    if start == "earliest":
        return beginnings
    moment = _moment(start)
    found = await client.offsets_for_times(
        dict.fromkeys(partitions, int(moment.timestamp() * 1000))
    )
    ends = await client.end_offsets(partitions)
    return {part: found[part].offset if found.get(part) else ends[part] for part in partitions}


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SystemExit(f"--from: {text!r} is neither 'earliest' nor a time") from None
    if moment.tzinfo is None:
        raise SystemExit("--from: add a zone to the time, such as +01:00 or Z")
    return moment
