"""Deliveries: prepared, started, paused, resumed, stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from services.delivery.approving import SERVICE, settings_of, withdraw, withdraw_files
from services.delivery.domain.content import content_hash
from services.delivery.domain.runs import RunKind
from services.delivery.handlers.templates import prepared
from services.delivery.progress import finish_unstarted, publish_progress
from services.delivery.store.again import AgainStore
from services.delivery.store.causes import first_time
from services.delivery.store.deliveries import Delivery, DeliveryStore
from services.delivery.store.runs import Run, RunStore
from services.delivery.store.templates import TemplateStore
from services.delivery.waving import lift_gate
from shared import tracing
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from shared.workflows import wake
from topics.delivery import (
    Channel,
    DeliveryRefused,
    PauseDelivery,
    PrepareDelivery,
    RequestApproval,
    ResumeDelivery,
    SendAgain,
    SetDeliveryPace,
    StartDelivery,
    StopDelivery,
    WithdrawApproval,
)

registry = Registry()


def _refused(
    command: PrepareDelivery | StartDelivery | SendAgain, refusal: Refused
) -> DeliveryRefused:
    return DeliveryRefused(
        campaign_id=command.campaign_id,
        delivery_id=command.delivery_id,
        command=type(command).__name__,
        reason=refusal.reason,
        field=refusal.field,
    )


@registry.on(PrepareDelivery, refusal=_refused)
async def prepare_delivery(command: PrepareDelivery, work: Work) -> None:
    """Give a campaign its content; other content than before voids its approval."""
    template = await TemplateStore(work.connection).find(command.template_id)
    if template is None:
        raise Refused("there is no such template; save it first", field="template_id")
    if template.channel != Channel.EMAIL:
        why = f"this template is for {template.channel}; a campaign takes one for e-mail"
        raise Refused(why, field="template_id")
    deliveries = DeliveryStore(work.connection)
    before = await deliveries.lock(command.delivery_id)
    if before is not None and before.campaign_id != command.campaign_id:
        raise Refused("this delivery belongs to another campaign", field="delivery_id")
    if await deliveries.has_started(command.delivery_id):
        raise Refused("this delivery is on its way; its content cannot change any more")
    if not await first_time(work):
        return
    delivery = Delivery(
        delivery_id=command.delivery_id,
        campaign_id=command.campaign_id,
        template_id=command.template_id,
        supplier_service_id=command.supplier_service_id,
        template_hash=template.template_hash,
        content_hash=content_hash(template.template_hash, command.supplier_service_id),
        proofs=before.proofs if before else 0,
    )
    await deliveries.save(delivery)
    work.emit(prepared(delivery, send_doubles=template.send_doubles))
    if before is not None and before.content_hash != delivery.content_hash:
        await withdraw(work, command.campaign_id, "its content was changed", by=SERVICE)


@registry.on(StartDelivery, refusal=_refused)
async def start_delivery(command: StartDelivery, work: Work) -> None:
    """Note that a delivery is to start; deliveryMgt checks its approval and starts it."""
    delivery = await DeliveryStore(work.connection).lock(command.delivery_id)
    if delivery is None or delivery.campaign_id != command.campaign_id:
        raise Refused("there is no such delivery; prepare it first", field="delivery_id")
    hours = settings_of(work).sender_retry_hours
    run = Run(
        run_id=command.run_id,
        kind=RunKind.CAMPAIGN,
        state="waiting",
        campaign_id=command.campaign_id,
        campaign_number=command.campaign_number,
        campaign_label=command.campaign_label,
        delivery_id=command.delivery_id,
        template_hash=delivery.template_hash,
        content_hash=command.content_hash,
        snapshot_id=command.snapshot_id,
        snapshot_hash=command.snapshot_hash,
        count=command.count,
        chunks=command.chunks,
        supplier_service_id=delivery.supplier_service_id,
        retry_until=work.now + timedelta(hours=hours),
        rate_per_minute=command.rate_per_minute,
        waves=command.waves,
        wave_until=None if command.waves is None else 0,
        approvals=command.approvals,
        weight=command.weight,
    )
    runs = RunStore(work.connection)
    if await runs.add(run, work.now) or await _ask_again(run, work):
        if (traceparent := tracing.current()) is not None:
            await runs.change(run.run_id, traceparent=traceparent)
        await wake(work, "deliveryMgt")


async def _ask_again(run: Run, work: Work) -> bool:
    """Let a run that was refused wait again; return whether there was one."""
    runs = RunStore(work.connection)
    before = await runs.lock(run.run_id)
    if before is None or before.state != "refused" or not await first_time(work):
        return False
    await runs.change(
        run.run_id,
        state="waiting",
        stop_reason=None,
        content_hash=run.content_hash,
        snapshot_id=run.snapshot_id,
        snapshot_hash=run.snapshot_hash,
        count=run.count,
        chunks=run.chunks,
        waves=run.waves.model_dump(mode="json") if run.waves is not None else None,
        wave_until=run.wave_until,
        approvals=[kind.value for kind in run.approvals],
        weight=run.weight,
    )
    return True


@registry.on(PauseDelivery)
async def pause_delivery(command: PauseDelivery, work: Work) -> None:
    """Hand over no more messages of a campaign; what a server has in hand still arrives."""
    await _set_paused(command, work, paused=True)


@registry.on(ResumeDelivery)
async def resume_delivery(command: ResumeDelivery, work: Work) -> None:
    """Go on with a paused delivery."""
    await _set_paused(command, work, paused=False)


async def _set_paused(command: PauseDelivery | ResumeDelivery, work: Work, *, paused: bool) -> None:
    if not await _permitted(command, work):
        return
    runs = RunStore(work.connection)
    await runs.halt_seeds(command.campaign_id, paused=paused)
    for run in await runs.lock_under_way(command.campaign_id):
        await runs.change(run.run_id, paused=paused)
        await publish_progress(work, run, paused=paused)
    await wake(work, "deliveryMgt")


@registry.on(SetDeliveryPace)
async def set_delivery_pace(command: SetDeliveryPace, work: Work) -> None:
    """Change how fast a campaign's messages may leave; other campaigns do not notice."""
    if not await _permitted(command, work):
        return
    runs = RunStore(work.connection)
    for run in await runs.lock_under_way(command.campaign_id):
        await runs.change(run.run_id, rate_per_minute=command.rate_per_minute)
        await publish_progress(work, run, paused=run.paused)


@registry.on(SendAgain, refusal=_refused)
async def send_again(command: SendAgain, work: Work) -> None:
    """Note which recipients of a run are sent to again; deliveryMgt puts them into the queue."""
    await require(work, command.actor, Right.MANAGE_CAMPAIGNS)
    runs = RunStore(work.connection)
    run = await runs.lock(command.run_id)
    if (
        run is None
        or run.kind is not RunKind.CAMPAIGN
        or (run.campaign_id, run.delivery_id) != (command.campaign_id, command.delivery_id)
    ):
        raise Refused("there is no such run of this delivery", field="run_id")
    if run.state not in {"started", "finished"}:
        raise Refused(f"this run is {run.state}: nothing of it was sent yet", field="run_id")
    if run.again_scope is not None:
        raise Refused("this run is being sent again already", field="run_id")
    if not await AgainStore(work.connection).approved(run.run_id):
        raise Refused("its approval is no longer in force, or its rows were removed since")
    if not await first_time(work):
        return
    if run.stop_reason is not None:
        await lift_gate(work, run)
    await runs.change(
        run.run_id,
        state="started",
        finished_at=None,
        stop_reason=None,
        again_scope=command.scope.value,
        again_asked_at=work.now,
        again_after=None,
        retry_until=work.now + timedelta(hours=settings_of(work).sender_retry_hours),
    )
    await publish_progress(
        work, replace(run, state="started", again_scope=command.scope.value), paused=run.paused
    )
    await wake(work, "deliveryMgt")


@registry.on(StopDelivery)
async def stop_delivery(command: StopDelivery, work: Work) -> None:
    """End a delivery: nothing more leaves, what has not left becomes Ignored or is left over."""
    if not await _permitted(command, work):
        return
    runs = RunStore(work.connection)
    for run in await runs.lock_under_way(command.campaign_id):
        if command.run_id not in {None, run.run_id}:
            continue
        rest = "left" if command.leave_rest and run.rest is None else run.rest
        await runs.change(run.run_id, stop_reason=command.reason, rest=rest)
        if run.state == "waiting":
            await finish_unstarted(work, run)
        else:
            await runs.mark(run.run_id)
    await runs.halt_seeds(command.campaign_id, of_run=command.run_id, stop_reason=command.reason)
    await withdraw_files(work, command.campaign_id, command.reason, by=command.actor)
    await wake(work, "deliveryMgt")


Halting = PauseDelivery | ResumeDelivery | SetDeliveryPace | StopDelivery
"""Commands that name a campaign and its manager, and touch its runs under way."""


async def _permitted(command: Halting, work: Work) -> bool:
    """Return whether to act: the actor may, and the command was not carried out before."""
    try:
        await require(work, command.actor, Right.MANAGE_CAMPAIGNS)
    except Refused as refusal:
        await refuse_for_campaign(command, refusal, work)
        return False
    return await first_time(work)


async def refuse_for_campaign(
    command: Halting | WithdrawApproval | RequestApproval,
    refusal: Refused,
    work: Work,
) -> None:
    """Answer a refused command that names a campaign only."""
    work.refusals.append(refusal)
    for delivery in await DeliveryStore(work.connection).page(
        campaign_id=command.campaign_id, after=None, limit=10
    ):
        work.emit(
            DeliveryRefused(
                campaign_id=command.campaign_id,
                delivery_id=delivery.delivery_id,
                command=type(command).__name__,
                reason=refusal.reason,
            )
        )
