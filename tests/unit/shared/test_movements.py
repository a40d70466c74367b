"""Every movement of a ledger has a name in both languages."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.budget.domain import ledger
from services.stock import domain as stock
from services.stock.pages import LedgerRow
from shared.movements import LABELS


@pytest.mark.parametrize("kind", sorted({*ledger.EntryKind, *stock.EntryKind}))
def test_a_movement_has_a_name_in_english_and_french(kind: str) -> None:
    english, french = LABELS[kind]
    assert english
    assert french
    assert english != french


def test_a_row_of_a_ledger_carries_both_names() -> None:
    row = LedgerRow(
        seq=1,
        cause=uuid4(),
        kind=stock.EntryKind.DRAW,
        account=stock.Account.RESERVED,
        quantity=-2,
        in_stock=8,
        booked_at=datetime(2026, 3, 14, tzinfo=UTC),
    )
    shown = row.model_dump()
    assert shown["label"] == "taken from its reservation"
    assert shown["label_fr"] == "pris sur sa réservation"
