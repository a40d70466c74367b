"""Whole topics read again, with the inboxes as they are or emptied: nothing may happen twice."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka import TopicPartition

from services.cli.catalogue import find
from services.cli.replaying import members_of
from shared import kafka
from shared.registry import Registry
from shared.settings import Settings
from tests.faults import checks
from tests.faults.scenario import Stage
from tests.waiting import eventually

LAG_SECONDS: Final = 90.0
# What must be the same before and after: everything that happened in the world.
EFFECTS: Final[dict[str, str]] = {
    "attempts": "SELECT count(*) FROM delivery.attempts",
    "ledger": "SELECT count(*) FROM delivery.ledger",
    "sent": "SELECT count(*) FROM delivery.ledger WHERE outcome = 'sent'",
    "runs": "SELECT count(*) FROM delivery.runs",
    "proofs": "SELECT count(*) FROM delivery.proofs",
    "approvals": "SELECT count(*) FROM delivery.approvals WHERE outcome = 'approved'",
    "actions": "SELECT count(*) FROM actions.actions WHERE status = 'executed'",
    "dossier items": "SELECT count(*) FROM actions.dossier_items",
    "budget movements": "SELECT count(*) FROM budget.ledger_entries",
    "spent": "SELECT sum(spent_minor) FROM budget.budgets",
    "stock movements": "SELECT count(*) FROM stock.ledger_entries",
    "events": "SELECT count(*) FROM events_status.event_history",
    "finished campaigns": "SELECT count(*) FROM campaign.campaigns WHERE status = 'finished'",
    "snapshots": "SELECT count(*) FROM targeting.snapshots",
}


async def effects(stage: Stage) -> dict[str, Any]:
    """Return what happened in a world, in numbers."""
    rig = stage.world.rig
    found = {name: await rig.value(query) for name, query in EFFECTS.items()}
    if "supplier" in stage.services:
        found["router mails"] = await rig.value("SELECT count(*) FROM supplier.mail_attempts")
    caught = await stage.world.sink.read()
    return found | {"mails": sum(caught.values())}


async def replay(stage: Stage, *, forget: bool) -> list[str]:
    """Have every service read all its topics again; return what changed, in words.

    With ``forget`` the inboxes are emptied first, as if the replay came after their retention.
    """
    before = await effects(stage)
    rig = stage.world.rig
    await rig.stop(*(rig.workers[name, 1] for name in stage.services))
    await asyncio.gather(*(rewind(rig.settings, *reader) for reader in _readers(stage)))
    if forget:
        for name in stage.services:
            await rig.owner.execute(f"DELETE FROM {name}.inbox")
    for name in stage.services:
        stage.world.start(name)
    await rig.ready(*stage.services)
    await eventually(lambda: _caught_up(stage), seconds=LAG_SECONDS, what="the replay's end")
    await rig.drained(*stage.services, seconds=LAG_SECONDS)
    await eventually(lambda: _caught_up(stage), seconds=LAG_SECONDS, what="the answers' end")
    await stage.journal.read()
    if forget:
        await stage.journal.forget(stage.services)
    after = await effects(stage)
    changed = [
        f"I4 a replay changed {name}: {before[name]} to {after[name]}"
        for name in before
        if before[name] != after[name]
    ]
    caught = await checks.mails(stage.world)
    return (
        changed
        + caught.broken
        + stage.journal.broken
        + await checks.invariants(stage.world, stage.services, stage.journal)
    )


def _readers(stage: Stage) -> list[tuple[str, Registry]]:
    """Return the consumers of a stage's services, by name."""
    return [reader for name in stage.services for reader in find(name).registries.items()]


async def rewind(settings: Settings, name: str, registry: Registry) -> None:
    """Have a consumer read all its topics from their beginning, once its group has no members."""
    await eventually(lambda: _left(settings, name), what=f"{name}'s group being without members")
    client = kafka.consumer(settings, [], group=f"muster.{name}", instance=None)
    await client.start()
    try:
        partitions = _partitions(settings, registry)
        client.assign(partitions)
        beginnings = await client.beginning_offsets(partitions)
        await client.commit(beginnings)
    finally:
        await client.stop()


async def _left(settings: Settings, name: str) -> bool:
    return not await members_of(settings, name)


def _partitions(settings: Settings, registry: Registry) -> list[TopicPartition]:
    prefix = settings.kafka_namespace
    return [
        TopicPartition(prefix + topic.name, number)
        for topic in registry.topics
        for number in range(topic.partitions)
    ]


async def _caught_up(stage: Stage) -> bool:
    settings = stage.world.rig.settings
    return not any([await behind(settings, *reader) for reader in _readers(stage)])


async def behind(settings: Settings, name: str, registry: Registry) -> bool:
    """Whether a consumer has records still to read.

    The last offsets of a partition may be transaction marks, which no reader is ever handed.
    """
    client = kafka.consumer(settings, [], group=f"muster.{name}", instance=None)
    await client.start()
    try:
        partitions = _partitions(settings, registry)
        client.assign(partitions)
        ends = await client.end_offsets(partitions)
        for part in partitions:
            client.seek(part, await client.committed(part) or 0)
        while any([await client.position(part) < ends[part] for part in partitions]):
            if await client.getmany(timeout_ms=200):
                return True
    finally:
        await client.stop()
    return False
