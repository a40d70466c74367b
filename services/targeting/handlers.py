"""What targeting does with each message."""

from __future__ import annotations

from dataclasses import replace

from services.targeting import jobs
from services.targeting.criteria import compile_criteria
from services.targeting.domain import Definition, Targeting
from services.targeting.fields import VIEWS
from services.targeting.guard import SqlRefused, check_sql
from services.targeting.snapshots import SnapshotStore
from services.targeting.store import Consent, ConsentStore, TargetingStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.targeting import (
    ConsentChanged,
    Counts,
    CountTarget,
    Criterion,
    FreezeSnapshot,
    RecordConsent,
    SaveTargeting,
    TargetingKind,
    TargetingRefused,
    TargetingState,
    TargetRefused,
)

registry = Registry()


def _not_saved(command: SaveTargeting, refusal: Refused) -> TargetingRefused:
    return TargetingRefused(
        targeting_id=command.targeting_id,
        actor=command.actor,
        reason=refusal.reason,
        field=refusal.field,
    )


@registry.on(SaveTargeting, refusal=_not_saved)
async def save(command: SaveTargeting, work: Work) -> None:
    """Save a targeting; the same one twice changes nothing, an older one neither."""
    await require(work, command.actor, Right.MANAGE_TARGETINGS)
    if command.kind is TargetingKind.SQL:
        await require(work, command.actor, Right.DIRECT_SQL)
    if "\x00" in command.label:
        raise Refused("the label holds a character that no text has (NUL)", field="label")
    definition = checked(command.counts, command.kind, command.criteria, command.sql)
    store = TargetingStore(work.connection)
    before = await store.find(command.targeting_id, lock=True)
    saved_at = work.cause.time if work.cause and work.cause.time else work.now
    after = Targeting(
        command.targeting_id, 1, command.label, definition, command.actor.id, saved_at
    )
    if before is not None:
        after = _changed(before, after)
    if after is not before:
        await store.save(after)
    work.emit(state_of(after))


def _changed(before: Targeting, after: Targeting) -> Targeting:
    same = (before.label, before.definition) == (after.label, after.definition)
    if same or after.saved_at < before.saved_at:
        return before
    return replace(after, version=before.version + 1)


def checked(
    counts: Counts, kind: TargetingKind, criteria: tuple[Criterion, ...], sql: str | None
) -> Definition:
    """Return a definition that may run.

    Raises:
        Refused: a criterion makes no sense, or the SQL asks for more than it may.
    """
    if kind is TargetingKind.CRITERIA:
        if sql is not None:
            raise Refused("criteria and SQL do not go together: leave one out", field="sql")
        compile_criteria(criteria)
        return Definition(counts, kind, criteria)
    if criteria:
        raise Refused("criteria and SQL do not go together: leave one out", field="criteria")
    if not sql:
        raise Refused("write the query: one SELECT whose first column is the id", field="sql")
    try:
        return Definition(counts, kind, (), check_sql(sql, views=VIEWS))
    except SqlRefused as refused:
        raise Refused(refused.reason, field="sql", code="sql_refused") from None


def state_of(targeting: Targeting) -> TargetingState:
    """Return a targeting's state for lists and selects."""
    return TargetingState(
        targeting_id=targeting.targeting_id,
        version=targeting.version,
        label=targeting.label,
        counts=targeting.definition.counts,
        kind=targeting.definition.kind,
    )


@registry.on(CountTarget)
async def count(command: CountTarget, work: Work) -> None:
    """Have the target counted; the answer follows."""
    await jobs.add_count(work, command.campaign_id, command.targeting_id)


@registry.on(FreezeSnapshot)
async def freeze(command: FreezeSnapshot, work: Work) -> None:
    """Have the snapshot made; asked again, the one that was made is published again."""
    store = SnapshotStore(work.connection)
    if not await store.add(work, command):
        snapshot = await store.find(command.snapshot_id)
        assert snapshot is not None, "it was there a moment ago, and nothing deletes it"
        if snapshot.status == "refused":
            work.emit(
                TargetRefused(
                    campaign_id=snapshot.campaign_id,
                    targeting_id=snapshot.targeting_id,
                    snapshot_id=snapshot.snapshot_id,
                    reason=snapshot.reason,
                )
            )
            return
        if snapshot.status == "frozen":
            await store.publish_again(command.snapshot_id)
    await jobs.add_freeze(work, command.snapshot_id, command.campaign_id, command.targeting_id)


@registry.on(RecordConsent)
async def record_consent(command: RecordConsent, work: Work) -> None:
    """Note a consent and answer with the one that holds: the latest."""
    await require(work, command.actor, Right.RECORD_CONSENT)
    said = Consent(command.recipient_key, command.channel, command.opted_out, command.at)
    held = await ConsentStore(work.connection).record(said, command.actor.id)
    work.emit(
        ConsentChanged(
            recipient_key=held.recipient_key,
            channel=held.channel,
            opted_out=held.opted_out,
            at=held.at,
        )
    )
