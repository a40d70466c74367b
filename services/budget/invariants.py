"""What must hold of the budget rows: each query returns the rows that break its sentence."""

from __future__ import annotations

from typing import Final

from shared.database import Connection

_BALANCES: Final = """
SELECT b.budget_id, b.allocated_minor, b.reserved_minor, b.spent_minor,
       sum.allocated, sum.reserved, sum.spent
FROM budgets b LEFT JOIN LATERAL (
    SELECT coalesce(sum(amount_minor) FILTER (WHERE account = 'allocated'), 0) AS allocated,
           coalesce(sum(amount_minor) FILTER (WHERE account = 'reserved'), 0) AS reserved,
           coalesce(sum(amount_minor) FILTER (WHERE account = 'spent'), 0) AS spent
    FROM ledger_entries e WHERE e.budget_id = b.budget_id) sum ON true
WHERE (b.allocated_minor, b.reserved_minor, b.spent_minor)
      IS DISTINCT FROM (sum.allocated, sum.reserved, sum.spent)
"""
_HOLDS: Final = """
SELECT b.budget_id, b.reserved_minor, coalesce(sum(h.amount_minor), 0) AS held
FROM budgets b LEFT JOIN holds h ON h.budget_id = b.budget_id AND h.status = 'held'
GROUP BY b.budget_id HAVING b.reserved_minor <> coalesce(sum(h.amount_minor), 0)
"""
_LINES: Final = """
SELECT b.budget_id, b.spent_minor, coalesce(sum(l.amount_minor), 0) AS lines
FROM budgets b LEFT JOIN cost_lines l ON l.budget_id = b.budget_id
GROUP BY b.budget_id HAVING b.spent_minor <> coalesce(sum(l.amount_minor), 0)
"""
_LIMIT: Final = """
SELECT budget_id, seq, cause, left_minor FROM (
    SELECT budget_id, seq, cause, kind, sum(
        CASE account WHEN 'allocated' THEN amount_minor ELSE -amount_minor END
    ) OVER (PARTITION BY budget_id ORDER BY seq) AS left_minor
    FROM ledger_entries) entry
WHERE kind = 'reserve' AND left_minor < 0
"""

INVARIANTS: Final[dict[str, str]] = {
    "I7 a budget's balances are the sums of its ledger": _BALANCES,
    "I7 what a budget has reserved is the sum of its holds": _HOLDS,
    "I7 what a budget has spent is the sum of its cost lines": _LINES,
    "I7 no hold goes past its budget's limit": _LIMIT,
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
