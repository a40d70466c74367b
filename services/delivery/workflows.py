"""deliveryMgt: expires and reminds approvals, starts deliveries, fills ledgers, extracts letters.

Each call does one bounded piece of work. With deliveryMgt stopped, all of it waits as rows.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.delivery.approving import DEADLINE, ESCALATION, REMINDER, SNOOZE, TIMERS, settings_of
from services.delivery.course import overdue, remind
from services.delivery.domain.approvals import is_open
from services.delivery.domain.runs import StartAsked, not_granted, start_refusal
from services.delivery.lettering import addressee, letter_source
from services.delivery.seeding import plant
from services.delivery.store.again import AgainStore
from services.delivery.store.approvals import ApprovalStore
from services.delivery.store.deliveries import DeliveryStore
from services.delivery.store.ledger import LedgerStore
from services.delivery.store.pressure import PressureStore
from services.delivery.store.purge import PurgeStore
from services.delivery.store.runs import Run, RunStore
from services.delivery.store.snapshots import SnapshotStore
from services.delivery.store.templates import TemplateStore
from services.delivery.tracking.copies import keep_copies
from services.delivery.waving import WAVE, open_wave, plan_waves
from shared.timers import take_due
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow
from topics.delivery import ApprovalKind, DeliveryRefused, DeliveryStarted
from topics.letters import LetterSource
from topics.supplier import ExtractionRow, ExtractRows

FORGOTTEN: Final = (
    "the rows of an earlier run of this campaign were removed, so nobody knows who got it;"
    " create another campaign"
)
STARTS_A_STEP: Final = 20
CHUNKS_EXTRACTED_A_STEP: Final = 20
CHUNKS_DROPPED_A_STEP: Final = 200
ROWS_AGAIN_A_STEP: Final = 5_000
ROWS_PURGED_A_STEP: Final = 5_000
RUNS_PURGED_A_STEP: Final = 100


async def deliveries_in_campaigns(work: Work) -> Step:
    """Do the first of deliveryMgt's pieces that has something to do."""
    # Who is planned to get what is known before a ledger is filled: pressure rules may count it.
    before = (_overdue, _remind, _wake, _start, _forecast, _fill)
    for piece in (*before, open_wave, _again, _extract, _tidy, _forget, _purge):
        done = await piece(work)
        if done:
            return Step(rows_in=done, rows_out=len(work.emitted), more=True)
    return Step()


async def _overdue(work: Work) -> int:
    """Escalate what is to be escalated, and end what nobody answered."""
    due = [*await take_due(work, ESCALATION), *await take_due(work, DEADLINE)]
    for approval_id in dict.fromkeys(UUID(timer.key) for timer in due):
        approval = await ApprovalStore(work.connection).lock(approval_id)
        if approval is not None and is_open(approval):
            await overdue(work, approval)
    return len(due)


async def _remind(work: Work) -> int:
    """Send due reminders; after a long stop the latest of an approval stands for all of them."""
    latest: dict[UUID, int] = {}
    due = await take_due(work, REMINDER)
    for timer in due:
        approval_id, _, number = timer.key.partition(":")
        latest[UUID(approval_id)] = max(int(number), latest.get(UUID(approval_id), 0))
    for key, last in latest.items():
        await remind(work, key, last)
    return len(due)


async def _wake(work: Work) -> int:
    """Remind those whose time to be reminded again has come."""
    due = await take_due(work, SNOOZE)
    for timer in due:
        approval_id, _, operator_id = timer.key.partition(":")
        await remind(work, UUID(approval_id), to=UUID(operator_id))
    return len(due)


async def _start(work: Work) -> int:
    """Start or refuse runs whose snapshot is here; the others wait for its chunks."""
    runs = RunStore(work.connection)
    waiting: list[UUID] = []
    started = 0
    while started < STARTS_A_STEP:
        run = await runs.lock_one("state = 'waiting'", *waiting)
        if run is None:
            break
        if await _start_one(work, run):
            started += 1
        else:
            waiting.append(run.run_id)
    return started


async def _start_one(work: Work, run: Run) -> bool:
    if run.campaign_id is None or run.delivery_id is None or run.snapshot_id is None:
        return False
    arrived = await SnapshotStore(work.connection).arrived(run.snapshot_id)
    approvals = ApprovalStore(work.connection)
    approval = await approvals.lock_latest(run.campaign_id, ApprovalKind.PROOF)
    others = {kind: await approvals.lock_latest(run.campaign_id, kind) for kind in run.approvals}
    delivery = await DeliveryStore(work.connection).find(run.delivery_id)
    asked = StartAsked(
        content_hash=run.content_hash or "",
        content_now=delivery.content_hash if delivery else None,
        snapshot_hash=run.snapshot_hash or "",
        count=run.count,
        # Hashes and the approval are judged at once; the members once all have come.
        members=arrived.members if arrived.chunks >= run.chunks else run.count,
        snapshot_at=arrived.first_at or work.now,
    )
    days = settings_of(work).snapshot_max_age_days
    refusal = start_refusal(asked, approval, max_age_days=days, now=work.now)
    refusal = refusal or not_granted(others, run.snapshot_id)
    if refusal is not None:
        await _refuse(work, run, run.campaign_id, run.delivery_id, refusal)
        return True
    complete = arrived.chunks >= run.chunks and not any(map(is_open, others.values()))
    if not complete or approval is None or delivery is None:
        return False
    runs = RunStore(work.connection)
    if await runs.forgotten(run):
        await _refuse(work, run, run.campaign_id, run.delivery_id, FORGOTTEN)
        return True
    if not await runs.take_rest(run):
        return False
    await runs.change(
        run.run_id,
        state="started",
        approval_id=approval.approval_id,
        template_hash=delivery.template_hash,
        supplier_service_id=delivery.supplier_service_id,
        started_at=work.now,
        retry_until=work.now + timedelta(hours=settings_of(work).sender_retry_hours),
    )
    work.emit(
        DeliveryStarted(campaign_id=run.campaign_id, run_id=run.run_id, delivery_id=run.delivery_id)
    )
    return True


async def _refuse(work: Work, run: Run, campaign_id: UUID, delivery_id: UUID, reason: str) -> None:
    await RunStore(work.connection).change(
        run.run_id, state="refused", stop_reason=reason, finished_at=work.now
    )
    work.emit(
        DeliveryRefused(
            campaign_id=campaign_id,
            delivery_id=delivery_id,
            command="StartDelivery",
            reason=reason,
        )
    )


async def _forecast(work: Work) -> int:
    """Note whom some chunks of planned campaigns are meant for."""
    return await PressureStore(work.connection).forecast(settings_of(work).fill_chunks)


async def _forget(work: Work) -> int:
    """Forget whom plans were meant for that are plans no more."""
    return await PressureStore(work.connection).forget(ROWS_PURGED_A_STEP)


async def _fill(work: Work) -> int:
    """Put some chunks of a started run's snapshot into its ledger."""
    runs = RunStore(work.connection)
    run = await runs.lock_one("state = 'started' AND NOT filled")
    if run is None:
        return 0
    until = min(run.next_chunk + settings_of(work).fill_chunks, run.chunks)
    ledger = LedgerStore(work.connection)
    earlier = await runs.taken_by(run)
    pressure, zone = PressureStore(work.connection), settings_of(work).zone
    windows = await pressure.windows(run, at=work.now, zone=zone)
    rows = await ledger.fill(run, until_chunk=until, at=work.now, earlier=earlier, windows=windows)
    await keep_copies(work, run, range(run.next_chunk, until))
    await runs.change(run.run_id, next_chunk=until, filled=until == run.chunks)
    if until == run.chunks:
        await _plan_letters(work, run)
        await plan_waves(work, run)
        await plant(work, run)
    await runs.mark(run.run_id)
    return max(rows, 1)


async def _again(work: Work) -> int:
    """Put some rows of a run that is sent again into the queue."""
    runs = RunStore(work.connection)
    run = await runs.lock_one("again_scope IS NOT NULL AND NOT paused")
    if run is None:
        return 0
    taken = await AgainStore(work.connection).take(run, ROWS_AGAIN_A_STEP, work.now)
    last = taken.rows < ROWS_AGAIN_A_STEP
    await runs.change(
        run.run_id, again_after=taken.last, again_scope=None if last else run.again_scope
    )
    await runs.mark(run.run_id)
    return max(taken.rows, 1)


async def _plan_letters(work: Work, run: Run) -> None:
    """Fix how many letters go to the supplier and in how many chunks, once all rows are known."""
    letters = await LedgerStore(work.connection).letters_count(run.run_id)
    size = settings_of(work).extraction_rows
    await RunStore(work.connection).change(
        run.run_id, letters_total=letters, letters_chunks=-(-letters // size)
    )


async def _extract(work: Work) -> int:
    """Hand some chunks of letters to the supplier; none while paused, none after a stop."""
    run = await RunStore(work.connection).lock_one(
        "state = 'started' AND filled AND letters_next < letters_chunks AND NOT paused"
        " AND stop_reason IS NULL AND letters_outcome IS NULL"
    )
    if run is None:
        return 0
    after, index = run.letters_after, run.letters_next
    last = min(index + CHUNKS_EXTRACTED_A_STEP, run.letters_chunks)
    content = await TemplateStore(work.connection).content(run.template_hash or "")
    letter = letter_source(content)
    while index < last:
        after = await _extract_chunk(work, run, index, after, letter)
        index += 1
    runs = RunStore(work.connection)
    await runs.change(run.run_id, letters_next=index, letters_after=after)
    if index == run.letters_chunks:
        await runs.mark(run.run_id)  # it is prepared now
    return index - run.letters_next


async def _extract_chunk(
    work: Work, run: Run, index: int, after: UUID | None, letter: LetterSource | None
) -> UUID | None:
    if run.campaign_id is None or run.delivery_id is None or run.supplier_service_id is None:
        return after
    size = settings_of(work).extraction_rows
    rows = await LedgerStore(work.connection).letters(run.run_id, after=after, limit=size)
    work.emit(
        ExtractRows(
            campaign_id=run.campaign_id,
            campaign_number=run.campaign_number or 0,
            campaign_label=run.campaign_label,
            run_id=run.run_id,
            delivery_id=run.delivery_id,
            service_id=run.supplier_service_id,
            index=index,
            chunks=run.letters_chunks,
            rows=tuple(_addressee(member_id, merge) for member_id, merge in rows),
            letter=letter,
        )
    )
    return rows[-1][0] if rows else after


def _addressee(member_id: UUID, merge: dict[str, dict[str, str]]) -> ExtractionRow:
    return ExtractionRow(recipient_id=member_id, **asdict(addressee(merge)))


async def _tidy(work: Work) -> int:
    """Remove snapshots that no run needs any more: they hold personal data."""
    days = settings_of(work).snapshot_max_age_days + 1
    return await SnapshotStore(work.connection).drop_chunks(
        unused_since=work.now - timedelta(days=days), limit=CHUNKS_DROPPED_A_STEP
    )


async def _purge(work: Work) -> int:
    """Remove rows of runs that ended long ago: they hold addresses and personal data."""
    store = PurgeStore(work.connection)
    before = work.now - timedelta(days=settings_of(work).ledger_days)
    gone = 0
    for run_id in await store.lock_old(before, RUNS_PURGED_A_STEP):
        rows = await store.rows_of(run_id, ROWS_PURGED_A_STEP - gone)
        gone += max(rows, 1)
        if rows == 0:
            await store.done(run_id, work.now)
        if gone >= ROWS_PURGED_A_STEP:
            break
    return gone


WORKFLOWS: Final = (
    TechnicalWorkflow(
        name="deliveryMgt",
        label="Jobs on deliveries in campaigns",
        label_fr="Traitements sur les diffusions dans les opérations",
        package="Campaign",
        run=deliveries_in_campaigns,
        timers=(*TIMERS, WAVE),
    ),
)
