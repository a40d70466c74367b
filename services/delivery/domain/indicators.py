"""Indicators of a delivery's e-mails: the formulas, over what was counted from rows.

Proofs and their readers are runs of their own and never counted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.delivery.domain.runs import Reason
from topics.delivery import Outcome

LEFT_OUT: Final = frozenset(
    {"double", "no_address", "opted_out", "quarantine", "denylisted"}
    | {Reason.EARLIER_RUN.value, Reason.PRESSURE.value}
)
"""Why the analysis leaves somebody out, as the ledger says it."""
COMPLAINED: Final = frozenset({"denylisted"})
HARD: Final = frozenset({"user_unknown"})
SOFT: Final = frozenset(
    {"unreachable", "mailbox_full", "invalid_domain", "account_disabled", "not_connected"}
    # Refused, and unreachable: what the sender itself says of them.
    | {"refused", Reason.REFUSED_BY_SERVER.value, Reason.DEFERRED_TOO_LONG.value}
)


@dataclass(frozen=True, slots=True)
class Counted:
    """What rows say of a delivery's e-mails.

    Attributes:
        rows: recipients by outcome and reason (its first word).
        text_only: recipients of messages without HTML, whose opens nobody sees.
        opens: recipients who opened; ``machine_opens`` those of whom only machines did.
        clicks: recipients who clicked a link; ``machine_clicks`` those of whom only machines did.
        clicks_total: clicks.
        click_persons: browsers that clicked, as far as they can be told apart.
        opt_outs, mirror_pages, transactions: events.
        amount_minor: of the transactions, in minor units.
        complaints: reported by mailbox providers, beside what the ledger says.
        new_quarantines: addresses that this delivery brought into quarantine.
    """

    rows: Mapping[tuple[Outcome, str], int] = field(default_factory=dict)
    text_only: int = 0
    opens: int = 0
    machine_opens: int = 0
    clicks: int = 0
    machine_clicks: int = 0
    clicks_total: int = 0
    click_persons: int = 0
    opt_outs: int = 0
    mirror_pages: int = 0
    transactions: int = 0
    amount_minor: int = 0
    complaints: int = 0
    new_quarantines: int = 0

    def of(self, outcome: Outcome, reasons: frozenset[str] | None = None) -> int:
        """Return how many recipients have an outcome, for some reasons or any."""
        return sum(
            count
            for (found, reason), count in self.rows.items()
            if found is outcome and (reasons is None or reason in reasons)
        )


@dataclass(frozen=True, slots=True)
class Indicators:
    """A delivery's indicators; a rate is ``None`` when there is nothing to divide by."""

    total_target: int
    rejected: int
    to_deliver: int
    processed: int
    success: int
    opens: int
    machine_opens: int
    estimated_opens: int
    clicks: int
    machine_clicks: int
    clicks_total: int
    click_persons: int
    forwards: int
    reactivity: float | None
    estimated_reactivity: float | None
    opt_outs: int
    mirror_pages: int
    transactions: int
    amount_minor: int
    complaints: int
    hard_bounces: int
    soft_bounces: int
    new_quarantines: int


def indicators(counted: Counted) -> Indicators:
    """Return the indicators of what was counted."""
    total = sum(counted.rows.values())
    rejected = counted.of(Outcome.IGNORED, LEFT_OUT)
    to_deliver = total - rejected
    prepared = counted.of(Outcome.PENDING) + counted.of(Outcome.AMBIGUOUS)
    success = counted.of(Outcome.SENT)
    estimated = estimated_opens(counted.opens, to_deliver, counted.text_only)
    return Indicators(
        total_target=total,
        rejected=rejected,
        to_deliver=to_deliver,
        processed=prepared + counted.of(Outcome.FAILED) + success,
        success=success,
        opens=counted.opens,
        machine_opens=counted.machine_opens,
        estimated_opens=estimated,
        clicks=counted.clicks,
        machine_clicks=counted.machine_clicks,
        clicks_total=counted.clicks_total,
        click_persons=counted.click_persons,
        forwards=max(counted.click_persons - counted.clicks, 0),
        reactivity=ratio(counted.clicks, counted.opens),
        estimated_reactivity=ratio(counted.clicks, estimated),
        opt_outs=counted.opt_outs,
        mirror_pages=counted.mirror_pages,
        transactions=counted.transactions,
        amount_minor=counted.amount_minor,
        complaints=counted.complaints + counted.of(Outcome.FAILED, COMPLAINED),
        hard_bounces=counted.of(Outcome.FAILED, HARD),
        soft_bounces=counted.of(Outcome.FAILED, SOFT),
        new_quarantines=counted.new_quarantines,
    )


def estimated_opens(opens: int, to_deliver: int, text_only: int) -> int:
    """Return how many opened, had those with text only opened as the others did."""
    if to_deliver == text_only:
        return 0
    # Half up, as people round; Python's own rounds halves to even.
    return (2 * opens * to_deliver + to_deliver - text_only) // (2 * (to_deliver - text_only))


def ratio(part: int, whole: int) -> float | None:
    """Return a part of a whole, such as 0.25; ``None`` of nothing."""
    return part / whole if whole else None
