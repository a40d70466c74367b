"""Budgets of before the levels: what they held and spent is on its level afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import asyncpg

from services.budget.app import SERVICE
from services.budget.invariants import broken
from shared.migrations import migrate
from tests.instances import Instance

# A budget with a campaign that is over and holds again, and one whose hold was refused.
_ROWS = """
SET search_path = budget;
INSERT INTO budgets (budget_id, version, label, currency, allocated_minor, reserved_minor,
                     spent_minor)
VALUES ('00000000-0000-0000-0000-000000000001', 1, 'Spring', 'EUR', 1000, 200, 300);
INSERT INTO holds (hold_id, campaign_id, campaign_label, budget_id, status, amount_minor, asked_at)
SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000002', 'Mailing',
       '00000000-0000-0000-0000-000000000001', status, amount, now()
FROM (VALUES ('held', 200), ('refused', 0), ('released', 0)) hold (status, amount);
INSERT INTO holds (hold_id, campaign_id, campaign_label, budget_id, status, asked_at)
VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000002',
        'Mailing', '00000000-0000-0000-0000-000000000001', 'committed', now());
INSERT INTO cost_lines (hold_id, structure_id, campaign_id, budget_id, position, category, label,
                        formula, driver, unit_price, quantity, amount_minor)
VALUES ('00000000-0000-0000-0000-000000000003', gen_random_uuid(),
        '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 0, 'mail',
        'E-mails', 'linear', 'emails', 1, 3, 300);
INSERT INTO ledger_entries (budget_id, cause, kind, account, amount_minor, booked_at)
SELECT '00000000-0000-0000-0000-000000000001', cause, kind, account, amount, now()
FROM (VALUES ('a', 'allocate', 'allocated', 1000), ('b', 'reserve', 'reserved', 350),
             ('b', 'commit', 'reserved', -300), ('b', 'release', 'reserved', -50),
             ('b', 'spend', 'spent', 300), ('c', 'reserve', 'reserved', 200))
    entry (cause, kind, account, amount);
"""


async def test_what_was_held_and_spent_before_the_levels_adds_up_after_them(
    instance: Instance, tmp_path: Path
) -> None:
    shutil.copy(SERVICE.migrations / "0001_budget.pre.sql", tmp_path)
    settings = instance.settings()
    await migrate(settings, {"budget": tmp_path})
    owner = await asyncpg.connect(instance.database_url)
    try:
        await owner.execute(_ROWS)
        await migrate(settings, {"budget": SERVICE.migrations})
        assert await broken(owner) == []
        (expense,) = await owner.fetch(
            "SELECT kind, stage, held_minor, computed_minor, booked_spent FROM expenses"
        )
        assert tuple(expense) == ("delivery", "finished", 200, 300, 300)
        statuses = await owner.fetch("SELECT DISTINCT status FROM holds ORDER BY 1")
        assert [row["status"] for row in statuses] == ["held", "refused", "released", "spent"]
    finally:
        await owner.close()
