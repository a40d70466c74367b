"""What must hold of the stock rows: each query returns the rows that break its sentence."""

from __future__ import annotations

from typing import Final

from shared.database import Connection

_LEVELS: Final = """
SELECT l.line_id, l.initial, l.delivered, l.consumed, l.reserved
FROM stock_lines l LEFT JOIN LATERAL (
    SELECT coalesce(sum(quantity) FILTER (WHERE account = 'initial'), 0) AS initial,
           coalesce(sum(quantity) FILTER (WHERE account = 'delivered'), 0) AS delivered,
           coalesce(sum(quantity) FILTER (WHERE account = 'consumed'), 0) AS consumed,
           coalesce(sum(quantity) FILTER (WHERE account = 'reserved'), 0) AS reserved
    FROM ledger_entries e WHERE e.line_id = l.line_id) sum ON true
WHERE (l.initial, l.delivered, l.consumed, l.reserved)
      IS DISTINCT FROM (sum.initial, sum.delivered, sum.consumed, sum.reserved)
"""
_RESERVED: Final = """
SELECT l.line_id, l.reserved, coalesce(sum(r.rest), 0) AS held
FROM stock_lines l LEFT JOIN reservations r ON r.line_id = l.line_id AND r.status = 'held'
GROUP BY l.line_id HAVING l.reserved <> coalesce(sum(r.rest), 0)
"""
_CONSUMED: Final = """
SELECT l.line_id, l.consumed, coalesce(sum(c.taken), 0) AS taken
FROM stock_lines l LEFT JOIN reservations r ON r.line_id = l.line_id
LEFT JOIN consumptions c ON c.reservation_id = r.reservation_id
GROUP BY l.line_id HAVING l.consumed <> coalesce(sum(c.taken), 0)
"""
_ORDERS: Final = """
SELECT l.line_id, l.delivered, l.on_order
FROM stock_lines l LEFT JOIN orders o ON o.line_id = l.line_id
GROUP BY l.line_id
HAVING l.delivered <> coalesce(sum(o.quantity) FILTER (WHERE o.received_at IS NOT NULL), 0)
    OR l.on_order <> coalesce(sum(o.quantity) FILTER (WHERE o.received_at IS NULL), 0)
"""
# The rows of one cause are booked together, so levels are compared after each cause.
_NEVER_BELOW: Final = """
SELECT line_id, cause, in_stock, available FROM (
    SELECT line_id, cause, last_value(seq) OVER cause_entries AS last_seq, seq,
           sum(CASE account WHEN 'consumed' THEN -quantity WHEN 'reserved' THEN 0 ELSE quantity END)
               OVER line_entries AS in_stock,
           sum(CASE WHEN account IN ('consumed', 'reserved') THEN -quantity ELSE quantity END)
               OVER line_entries AS available
    FROM ledger_entries
    WINDOW line_entries AS (PARTITION BY line_id ORDER BY seq),
           cause_entries AS (PARTITION BY line_id, cause, booked_at ORDER BY seq
                             ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) entry
WHERE seq = last_seq AND (in_stock < 0 OR available < 0)
"""

INVARIANTS: Final[dict[str, str]] = {
    "I7 a stock line's levels are the sums of its ledger": _LEVELS,
    "I7 what a line has reserved is the sum of its reservations": _RESERVED,
    "I7 what a line has consumed is the sum of its consumptions": _CONSUMED,
    "I7 what a line received and expects is the sum of its orders": _ORDERS,
    "I7 no stock was ever below zero or reserved twice": _NEVER_BELOW,
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
