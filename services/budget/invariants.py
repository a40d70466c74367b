"""What must hold of the budget rows: each query returns the rows that break its sentence."""

from __future__ import annotations

from typing import Final

from shared.database import Connection

_BALANCES: Final = """
SELECT b.budget_id, b.allocated_minor, b.planned_minor, b.reserved_minor, b.committed_minor,
       b.spent_minor, b.invoiced_minor, sum.*
FROM budgets b LEFT JOIN LATERAL (
    SELECT coalesce(sum(amount_minor) FILTER (WHERE account = 'allocated'), 0) AS allocated,
           coalesce(sum(amount_minor) FILTER (WHERE account = 'planned'), 0) AS planned,
           coalesce(sum(amount_minor) FILTER (WHERE account = 'reserved'), 0) AS reserved,
           coalesce(sum(amount_minor) FILTER (WHERE account = 'committed'), 0) AS committed,
           coalesce(sum(amount_minor) FILTER (WHERE account = 'spent'), 0) AS spent,
           coalesce(sum(amount_minor) FILTER (WHERE account = 'invoiced'), 0) AS invoiced
    FROM ledger_entries e WHERE e.budget_id = b.budget_id) sum ON true
WHERE (b.allocated_minor, b.planned_minor, b.reserved_minor, b.committed_minor, b.spent_minor,
       b.invoiced_minor)
      IS DISTINCT FROM (sum.allocated, sum.planned, sum.reserved, sum.committed, sum.spent,
       sum.invoiced)
"""
# A rung is made of what expenses have on it and of what live holds hold there.
_RUNGS: Final = """
SELECT b.budget_id, b.planned_minor, b.reserved_minor, b.committed_minor, b.spent_minor,
       b.invoiced_minor, e.planned, e.reserved + h.reserved AS reserved,
       e.committed + h.committed AS committed, e.spent, e.invoiced
FROM budgets b LEFT JOIN LATERAL (
    SELECT coalesce(sum(booked_planned), 0) AS planned,
           coalesce(sum(booked_reserved), 0) AS reserved,
           coalesce(sum(booked_committed), 0) AS committed,
           coalesce(sum(booked_spent), 0) AS spent,
           coalesce(sum(booked_invoiced), 0) AS invoiced
    FROM expenses x WHERE x.budget_id = b.budget_id) e ON true LEFT JOIN LATERAL (
    SELECT coalesce(sum(amount_minor) FILTER (WHERE status IN ('pending', 'held')), 0) AS reserved,
           coalesce(sum(amount_minor) FILTER (WHERE status = 'committed'), 0) AS committed
    FROM holds y WHERE y.budget_id = b.budget_id) h ON true
WHERE (b.planned_minor, b.reserved_minor, b.committed_minor, b.spent_minor, b.invoiced_minor)
      IS DISTINCT FROM
      (e.planned, e.reserved + h.reserved, e.committed + h.committed, e.spent, e.invoiced)
"""
_HELD: Final = """
SELECT campaign_id, budget_id, coalesce(e.held_minor, 0) AS expense, coalesce(h.held, 0) AS holds
FROM (SELECT campaign_id, budget_id, held_minor FROM expenses WHERE kind = 'delivery') e
FULL JOIN (
    SELECT campaign_id, budget_id, sum(amount_minor) AS held FROM holds
    WHERE amount_minor > 0 GROUP BY 1, 2) h USING (campaign_id, budget_id)
WHERE coalesce(e.held_minor, 0) <> coalesce(h.held, 0)
"""
_LINES: Final = """
SELECT campaign_id, budget_id, coalesce(e.computed_minor, 0) AS expense,
       coalesce(l.lines, 0) AS lines
FROM (SELECT campaign_id, budget_id, computed_minor FROM expenses WHERE kind = 'delivery') e
FULL JOIN (
    SELECT campaign_id, budget_id, sum(amount_minor) AS lines FROM cost_lines GROUP BY 1, 2) l
    USING (campaign_id, budget_id)
WHERE coalesce(e.computed_minor, 0) <> coalesce(l.lines, 0)
"""
# An amount is on one rung: what was paid is no longer spent.
_SPENT: Final = """
SELECT object_id, budget_id, computed_minor, paid_minor, booked_spent, booked_invoiced
FROM expenses
WHERE kind = 'delivery' AND (booked_invoiced <> paid_minor OR booked_spent <> greatest(0,
    CASE WHEN status = 'specified' AND stage = 'finished' AND real IS NOT NULL
         THEN (real ->> 'amount_minor')::bigint ELSE coalesce(computed_minor, 0) END
    - paid_minor))
"""
_LIMIT: Final = """
SELECT budget_id, seq, cause, more, left_minor FROM (
    SELECT budget_id, seq, cause, kind, may_overrun,
           sum(CASE account WHEN 'allocated' THEN amount_minor WHEN 'planned' THEN 0
                            ELSE -amount_minor END)
               OVER (PARTITION BY budget_id ORDER BY seq) AS left_minor,
           sum(CASE WHEN account IN ('allocated', 'planned') THEN 0 ELSE amount_minor END)
               OVER (PARTITION BY budget_id, cause, kind) AS more,
           max(seq) OVER (PARTITION BY budget_id, cause, kind) AS last
    FROM ledger_entries) entry
WHERE kind IN ('reserve', 'commit') AND seq = last AND more > 0 AND left_minor < 0
  AND NOT may_overrun
"""
_TASKS: Final = """
SELECT e.object_id, e.budget_id, t.status, e.computed_minor, l.lines FROM expenses e
LEFT JOIN tasks t ON t.task_id = e.object_id LEFT JOIN LATERAL (
    SELECT coalesce(sum(amount_minor), 0) AS lines FROM task_lines x
    WHERE x.task_id = e.object_id) l ON true
WHERE e.kind = 'task' AND (coalesce(e.computed_minor, 0) <> l.lines
      OR (t.status = 'finished') IS DISTINCT FROM (e.stage = 'finished'))
"""
_PAID: Final = """
SELECT kind, object_id, budget_id, coalesce(e.paid_minor, 0) AS expense, coalesce(c.paid, 0) AS paid
FROM (SELECT kind, object_id, budget_id, paid_minor FROM expenses) e FULL JOIN (
    SELECT kind, object_id, budget_id, sum(amount_minor) AS paid FROM invoice_charges
    GROUP BY 1, 2, 3) c USING (kind, object_id, budget_id)
WHERE coalesce(e.paid_minor, 0) <> coalesce(c.paid, 0)
"""
_APPROVED: Final = """
SELECT hold_id, campaign_id, budget_id, status FROM holds
WHERE requested_by IS NOT NULL AND decided_by IS NOT NULL
  AND requested_by ->> 'id' = decided_by ->> 'id'
"""
# A hold whose money is gone keeps no goods, and one that stands lacks none that it was refused.
_GOODS: Final = """
SELECT g.hold_id, g.line_id, h.status AS hold, g.status
FROM hold_goods g JOIN holds h USING (hold_id)
WHERE (g.status = 'refused' AND h.status IN ('held', 'committed', 'spent'))
   OR (g.status IN ('asked', 'held') AND h.status IN ('spent', 'refused', 'released'))
"""

INVARIANTS: Final[dict[str, str]] = {
    "I7 a budget's balances are the sums of its ledger": _BALANCES,
    "I7 each level of a budget is what its expenses and holds have on it": _RUNGS,
    "I7 what a delivery holds is the sum of its holds": _HELD,
    "I7 what a delivery cost is the sum of its cost lines": _LINES,
    "I7 a delivery's cost is spent until it is invoiced": _SPENT,
    "I7 a finished task cost the sum of its cost lines": _TASKS,
    "I7 what is invoiced is what invoices that were paid charge": _PAID,
    "I7 no hold goes past its budget's limit": _LIMIT,
    "I7 a hold's goods stand and fall with it": _GOODS,
    "I7 nobody approves the money that they asked for": _APPROVED,
}
SHOWN: Final = 20


async def broken(connection: Connection) -> list[str]:
    """Return what does not hold, one line a row, at most 20 of each; empty when all does."""
    found = []
    for sentence, query in INVARIANTS.items():
        for row in await connection.fetch(f"{query} LIMIT {SHOWN}"):
            facts = ", ".join(f"{name} {value}" for name, value in row.items())
            found.append(f"{sentence}: {facts}")
    return found
