"""One function per message of the actions service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from services.actions import moving
from services.actions.domain import local_date
from services.actions.store.actions import ActionStore
from services.actions.store.generations import GenerationStore
from services.actions.store.members import MemberStore
from services.actions.store.models import ModelStore
from services.actions.store.totals import TotalsStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.actions import (
    ActionModelState,
    ActionsRefused,
    GenerateActions,
    MoveActions,
    SaveActionModel,
    SetLinked,
)
from topics.targeting import SnapshotChunk

registry = Registry()

_OnCampaign: TypeAlias = SetLinked | GenerateActions | MoveActions


def _model_refused(command: SaveActionModel, refusal: Refused) -> ActionsRefused:
    return _refused(command.model_id, command, refusal)


def _campaign_refused(command: _OnCampaign, refusal: Refused) -> ActionsRefused:
    return _refused(command.campaign_id, command, refusal)


def _refused(subject_id: UUID, command: object, refusal: Refused) -> ActionsRefused:
    return ActionsRefused(
        subject_id=subject_id, command=type(command).__name__, reason=refusal.reason
    )


@registry.on(SaveActionModel, refusal=_model_refused)
async def save_model(command: SaveActionModel, work: Work) -> None:
    """Save an action model; its code belongs to no other one."""
    await require(work, command.actor, Right.MANAGE_ACTIONS)
    store = ModelStore(work.connection)
    owner = await store.code_owner(command.code)
    if owner is not None and owner != command.model_id:
        raise Refused(f"the code {command.code} is another model's: choose one that is free")
    version = await store.save(command, work.now)
    work.emit(
        ActionModelState(
            model_id=command.model_id,
            version=version,
            code=command.code,
            label=command.label,
            kind=command.kind,
        )
    )


@registry.on(SetLinked, refusal=_campaign_refused)
async def set_linked(command: SetLinked, work: Work) -> None:
    """Take a member out of what will be generated, or back in."""
    await require(work, command.actor, Right.MANAGE_ACTIONS)
    await TotalsStore(work.connection).lock(command.campaign_id)
    if await GenerationStore(work.connection).unfinished(command.campaign_id):
        raise Refused("the actions are being generated: cancel this member's action afterwards")
    if await ActionStore(work.connection).exists(command.campaign_id, command.member_id):
        raise Refused("this member's actions are generated: cancel them instead")
    await MemberStore(work.connection).set_linked(
        command.campaign_id,
        command.member_id,
        linked=command.linked,
        actor_id=command.actor.id,
        now=work.now,
    )


@registry.on_batch(SnapshotChunk)
async def keep_members(chunks: Sequence[SnapshotChunk], work: Work) -> None:
    """Keep slices of snapshots; a run that waits for the last one goes on by itself."""
    await MemberStore(work.connection).keep(chunks, work.now)


@registry.on(GenerateActions, refusal=_campaign_refused)
async def generate(command: GenerateActions, work: Work) -> None:
    """Make the job of a run; it starts when all slices of the snapshot are there."""
    await TotalsStore(work.connection).lock(command.campaign_id)
    models = await ModelStore(work.connection).among(command.model_ids)
    missing = set(command.model_ids) - {model.model_id for model in models}
    if missing:
        raise Refused(f"{len(missing)} of the campaign's action models are not saved: save them")
    await GenerationStore(work.connection).add(
        command, models, starts_on=local_date(work.now, work.settings.zone), now=work.now
    )


@registry.on(MoveActions, refusal=_campaign_refused)
async def move(command: MoveActions, work: Work) -> None:
    """Execute, cancel, suspend, resume or finish actions."""
    await require(work, command.actor, Right.MANAGE_ACTIONS)
    await moving.ask(command, work)
