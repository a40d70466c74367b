"""A run is prepared once its recipients are known and its letters are with the supplier."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from services.delivery.domain.runs import RunKind
from services.delivery.store.runs import Run

FILLING = Run(
    run_id=uuid4(),
    kind=RunKind.CAMPAIGN,
    state="started",
    campaign_id=uuid4(),
    campaign_number=1,
    campaign_label="Autumn",
    delivery_id=uuid4(),
    template_hash=None,
    content_hash=None,
    snapshot_id=None,
    snapshot_hash=None,
    count=10,
    chunks=2,
    retry_until=datetime(2026, 8, 4, tzinfo=UTC),
)


def test_recipients_and_letters_are_waited_for() -> None:
    assert not FILLING.prepared
    assert replace(FILLING, filled=True).prepared
    with_letters = replace(FILLING, filled=True, letters_chunks=2, letters_next=1)
    assert not with_letters.prepared
    assert replace(with_letters, letters_next=2).prepared


def test_what_was_stopped_or_refused_by_the_supplier_prepares_nothing_more() -> None:
    assert replace(FILLING, stop_reason="enough").prepared
    refused = replace(FILLING, filled=True, letters_chunks=2, letters_outcome="failed")
    assert refused.prepared
