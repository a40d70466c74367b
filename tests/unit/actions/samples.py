"""Builders of messages for the tests of actions."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from topics.actions import GenerateActions, ModelKind, SaveActionModel
from topics.message import Actor, Via
from topics.operators import OperatorState, Role
from topics.targeting import Counts, Member, SiteRecord, SnapshotChunk

MANAGER_ID = UUID("00000000-0000-7000-8000-000000000001")
REVIEWER_ID = UUID("00000000-0000-7000-8000-000000000002")
MANAGER = Actor(id=str(MANAGER_ID), via=Via.WEB)
REVIEWER = Actor(id=str(REVIEWER_ID), via=Via.WEB)


def operators() -> list[OperatorState]:
    return [
        OperatorState(operator_id=MANAGER_ID, version=1, name="Maude", roles=(Role.MANAGER,)),
        OperatorState(operator_id=REVIEWER_ID, version=1, name="René", roles=(Role.REVIEWER,)),
    ]


def a_model(kind: ModelKind = ModelKind.ACTION_ON_SITE, **more: Any) -> SaveActionModel:
    code = f"M{uuid4().hex[:8].upper()}"
    fields = {"model_id": uuid4(), "actor": MANAGER, "code": code, "label": "Call", "kind": kind}
    return SaveActionModel(**fields | more)


def a_site(number: int) -> SiteRecord:
    return SiteRecord(
        site_id=UUID(int=10_000_000 + number),
        name=f"Site {number}",
        postal_code="59000",
        town="Lille",
        phone="+33 3 20 00 00 00",
    )


def a_member(number: int, *, site: int | None = None, kind: Counts = Counts.CONTACTS) -> Member:
    contact = kind is not Counts.SITES
    return Member(
        member_id=UUID(int=1_000_000_000 + number),
        kind=kind,
        site=a_site(number if site is None else site),
        contact_id=UUID(int=2_000_000_000 + number) if contact else None,
        deal_id=UUID(int=1_000_000_000 + number) if kind is Counts.DEALS else None,
        first_name="Anne" if contact else "",
        last_name=f"Person {number}" if contact else "",
        email=f"person{number}@sample.example" if contact else None,
        mobile="06" if contact else "",
    )


def chunks_of(
    campaign_id: UUID, snapshot_id: UUID, members: list[Member], size: int = 500
) -> list[SnapshotChunk]:
    return [
        SnapshotChunk(
            campaign_id=campaign_id,
            snapshot_id=snapshot_id,
            index=start // size,
            members=tuple(members[start : start + size]),
        )
        for start in range(0, len(members), size)
    ]


def a_generation(
    campaign_id: UUID, snapshot_id: UUID, chunks: int, *model_ids: UUID
) -> GenerateActions:
    return GenerateActions(
        campaign_id=campaign_id,
        run_id=uuid4(),
        snapshot_id=snapshot_id,
        snapshot_hash="0" * 64,
        chunks=chunks,
        model_ids=model_ids,
    )
