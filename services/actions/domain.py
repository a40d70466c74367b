"""What actions are: which members a model fits, their states and moves, when they are late.

What one model makes (source: ARTIS CRM, "Les campagnes"; AFAS Profit, "Générer une action"):

* actions on sites: one per member that is a site or a contact. The target group decides: a group
  of contacts has one action per contact, so that two contacts of a site are both called.
* deals on sites: one per site, however many of its contacts are members.
* actions on deals: one per member that is a deal.

Members of another kind are left out, and so are unlinked ones. Opting out of e-mail does not take a
member out: nobody is mailed by an action.

Dossier items follow the model: none, one per contact (a member without a contact has one for its
site), or one for the whole action of the campaign.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from topics.actions import ActionCounts, ActionMove, Filing, ModelKind
from topics.targeting import Counts

ROWS_PER_STEP: Final = 20_000
MAX_MODELS: Final = 20
"""As many as ``GenerateActions`` takes."""
MEMBERS_PER_CHUNK: Final = 500
ORDINALS_PER_CHUNK: Final = 1_000
"""Slices are numbered apart, so that the slice of a member is read off its ordinal."""


class ActionStatus(StrEnum):
    """How an action stands. Executed: done, the report is open; finished: the report is closed."""

    WAITING = "waiting"
    SUSPENDED = "suspended"
    EXECUTED = "executed"
    FINISHED = "finished"
    CANCELLED = "cancelled"


NEXT: Final = (ActionStatus.WAITING, ActionStatus.SUSPENDED)
"""The states of the next actions; results show all."""

MOVES: Final[dict[ActionMove, dict[ActionStatus, ActionStatus]]] = {
    ActionMove.EXECUTE: {ActionStatus.WAITING: ActionStatus.EXECUTED},
    ActionMove.CANCEL: {
        ActionStatus.WAITING: ActionStatus.CANCELLED,
        ActionStatus.SUSPENDED: ActionStatus.CANCELLED,
    },
    ActionMove.SUSPEND: {ActionStatus.WAITING: ActionStatus.SUSPENDED},
    ActionMove.RESUME: {ActionStatus.SUSPENDED: ActionStatus.WAITING},
    ActionMove.FINISH: {ActionStatus.EXECUTED: ActionStatus.FINISHED},
}

FITS: Final[dict[ModelKind, tuple[Counts, ...]]] = {
    ModelKind.ACTION_ON_SITE: (Counts.SITES, Counts.CONTACTS),
    ModelKind.DEAL_ON_SITE: (Counts.SITES, Counts.CONTACTS),
    ModelKind.ACTION_ON_DEAL: (Counts.DEALS,),
}


@dataclass(frozen=True, slots=True)
class Model:
    """An action model as it is saved."""

    model_id: UUID
    version: int
    code: str
    label: str
    kind: ModelKind
    reason: str
    subject: str
    sender: str
    recipient: str
    delay_days: int
    filing: Filing
    item_type: str
    processed: bool
    business_line: str
    market: str
    product: str


@dataclass(frozen=True, slots=True)
class Totals:
    """A campaign's counter row."""

    revision: int = 0
    waiting: int = 0
    suspended: int = 0
    executed: int = 0
    finished: int = 0
    cancelled: int = 0
    deals: int = 0
    dossier_items: int = 0

    @property
    def generated(self) -> int:
        """The sum of the five states."""
        return self.waiting + self.suspended + self.executed + self.finished + self.cancelled

    def of(self, status: ActionStatus) -> int:
        """Return how many actions are in a state."""
        number: int = getattr(self, status.value)
        return number

    def counts(self) -> ActionCounts:
        """Return the totals as messages carry them."""
        return ActionCounts(
            generated=self.generated,
            waiting=self.waiting,
            suspended=self.suspended,
            executed=self.executed,
            finished=self.finished,
            cancelled=self.cancelled,
            deals=self.deals,
            dossier_items=self.dossier_items,
        )


@dataclass(frozen=True, slots=True)
class Generated:
    """How many rows a step of a generation wrote."""

    actions: int = 0
    deals: int = 0
    dossier_items: int = 0


def sources(move: ActionMove) -> tuple[ActionStatus, ...]:
    """Return the states a move leaves."""
    return tuple(MOVES[move])


def target(move: ActionMove) -> ActionStatus:
    """Return the state a move leads to; each move has one."""
    (status,) = set(MOVES[move].values())
    return status


def movable(move: ActionMove, totals: Totals) -> int:
    """Return how many of a campaign's actions a move could take."""
    return sum(totals.of(status) for status in sources(move))


def nothing_to_move(move: ActionMove) -> str:
    """Return why a move did nothing, and what would be right."""
    states = " or ".join(status.value for status in sources(move))
    return f"no action could be moved: to {move}, an action must be {states}"


def chunks_per_step(models: Iterable[tuple[ModelKind, Filing]]) -> int:
    """Return how many slices of a snapshot one transaction takes: at most 20,000 rows are written.

    Each member costs a row per model, and another where the model files an item per contact.
    """
    rows = sum(1 + (filing is Filing.PER_CONTACT) for _, filing in models)
    return max(1, ROWS_PER_STEP // (MEMBERS_PER_CHUNK * max(rows, 1)))


def ordinal(index: int, position: int) -> int:
    """Return the place of a member in its snapshot."""
    return index * ORDINALS_PER_CHUNK + position


def is_overdue(status: ActionStatus, due_on: date, today: date) -> bool:
    """Whether an action that is still to be done should have been done before today."""
    return status in NEXT and due_on < today


def local_date(moment: datetime, zone: ZoneInfo) -> date:
    """Return the calendar day of a moment in the instance's zone."""
    return moment.astimezone(zone).date()


def id_prefix(moment: datetime, run_id: UUID) -> str:
    """Return the first 24 characters of the UUIDv7 ids a run makes at a moment.

    Time, then 24 bits of the run's random ones; the database adds the last 12 digits, a counter
    that grows with the members (RFC 9562, section 6.2).
    """
    time, run = f"{int(moment.timestamp() * 1000):012x}", run_id.hex[-6:]
    return f"{time[:8]}-{time[8:]}-7{run[:3]}-8{run[3:]}-"
