"""What the start page shows: rows of the read models, as text in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import asyncpg
from babel.dates import format_datetime
from babel.numbers import format_currency, format_decimal, get_currency_precision

from services.web.words import Badge, campaign_badge, policy_text, workflow_badge
from shared.database import Connection
from shared.french import in_french
from topics.workflows import WorkflowStatus

CAMPAIGNS: Final = 50
OTHERS: Final = 50


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as it is shown, in its zone, and for machines."""

    text: str
    iso: str


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """A campaign on the start page."""

    number: str
    label: str
    badge: Badge
    start: Moment
    end: Moment
    zone: str
    targeted: str
    sent: str | None
    waiting_for: str


@dataclass(frozen=True, slots=True)
class WorkflowLine:
    """A technical workflow on the start page."""

    name: str
    label: str
    service: str
    badge: Badge
    last_run: Moment | None
    next_run: Moment | None
    error: str
    late_since: Moment | None
    waiting: str
    policy: str
    can_start: bool


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A budget on the start page: reserved or committed, spent or invoiced, and left."""

    label: str
    allocated: str
    reserved: str
    spent: str
    left: str


@dataclass(frozen=True, slots=True)
class ApprovalLine:
    """A proof that waits for a decision."""

    campaign: str
    label: str
    count: str
    asked: Moment
    deadline: Moment


@dataclass(frozen=True, slots=True)
class Overview:
    """The start page's content; ``older`` is where the next page of campaigns begins."""

    campaigns: list[CampaignLine]
    approvals: list[ApprovalLine]
    budgets: list[BudgetLine]
    workflows: list[WorkflowLine]
    as_of: Moment
    older: int | None


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom texts are made: a language and the instance's zone."""

    language: str
    zone: ZoneInfo

    def moment(self, at: datetime, zone: ZoneInfo | None = None) -> Moment:
        """Return a time in a zone (the instance's, unless told)."""
        local = at.astimezone(zone or self.zone)
        text = format_datetime(local, "d MMM y HH:mm", locale=self.language)
        return Moment(text, at.astimezone(UTC).isoformat(timespec="seconds"))

    def count(self, number: int) -> str:
        """Return a whole number with the language's separators."""
        return format_decimal(number, locale=self.language)

    def money(self, minor: int, currency: str) -> str:
        """Return an amount of minor units with its currency."""
        amount = Decimal(minor).scaleb(-get_currency_precision(currency))
        return format_currency(amount, currency, locale=self.language)

    def campaign(self, row: asyncpg.Record) -> CampaignLine:
        """Return a campaign's line, its dates in its own zone."""
        zone = _zone(row["zone"])
        counts: dict[str, Any] = row["synthesis"]
        targeted = counts.get("messages_targeted", 0)
        sent = self.count(counts.get("messages_sent", 0)) if targeted else None
        target = counts.get("targeted") or row["records"]
        return CampaignLine(
            number=f"C-{row['number']}",
            label=row["label"],
            badge=campaign_badge(row["status"], self.language),
            start=self.moment(row["start_at"], zone),
            end=self.moment(row["end_at"], zone),
            zone=zone.key,
            targeted=self.count(target) if target is not None else "–",
            sent=f"{sent} / {self.count(targeted)}" if sent else None,
            waiting_for=self._waiting(row, zone),
        )

    def _waiting(self, row: asyncpg.Record, zone: ZoneInfo) -> str:
        """Return what a campaign waits for, in the service's words where no French is known."""
        reason: str = row["waiting_for"] or ""
        if self.language != "fr" or not row["waiting_code"]:
            return reason

        def name(field: str, value: str) -> str:
            if field == "status":
                return workflow_badge(value, self.language)["word"].lower()
            return self.moment(datetime.fromisoformat(value), zone).text if field == "at" else value

        return in_french(row["waiting_code"], row["waiting_values"], name) or reason

    def workflow(self, row: asyncpg.Record) -> WorkflowLine:
        """Return a workflow's line."""
        return WorkflowLine(
            name=row["name"],
            label=row["label_fr"] if self.language == "fr" else row["label"],
            service=row["service"],
            badge=workflow_badge(row["status"], self.language),
            last_run=self.moment(row["last_run_at"]) if row["last_run_at"] else None,
            next_run=self.moment(row["next_at"]) if row["next_at"] else None,
            error=row["error"],
            late_since=self.moment(row["late_since"]) if row["late_since"] else None,
            waiting=self.count(row["waiting"]) if row["waiting"] else "",
            policy=policy_text(row["failures_ignored"], row["failures"], self.language),
            can_start=row["status"] != WorkflowStatus.STARTED.value,
        )

    def budget(self, row: asyncpg.Record) -> BudgetLine:
        """Return a budget's line."""
        amounts = {
            name: self.money(row[f"{name}_minor"], row["currency"])
            for name in ("allocated", "reserved", "spent", "left")
        }
        return BudgetLine(label=row["label"], **amounts)

    def approval(self, row: asyncpg.Record) -> ApprovalLine:
        """Return the line of a proof that waits."""
        return ApprovalLine(
            campaign=f"C-{row['campaign_number']}",
            label=row["campaign_label"],
            count=self.count(row["count"]),
            asked=self.moment(row["requested_at"]),
            deadline=self.moment(row["deadline_at"]),
        )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError):
        return ZoneInfo("UTC")


async def read_overview(
    connection: Connection, reader: Reader, now: datetime, *, before: int | None = None
) -> Overview:
    """Return the start page's content: campaigns by number, highest first, below ``before``."""
    campaigns = await connection.fetch(
        "SELECT number, label, status, start_at, end_at, zone, records, synthesis, waiting_for,"
        " waiting_code, waiting_values"
        " FROM seen_campaigns WHERE $1::bigint IS NULL OR number < $1"
        " ORDER BY number DESC LIMIT $2",
        before,
        CAMPAIGNS,
    )
    approvals = await connection.fetch(
        "SELECT campaign_number, campaign_label, count, requested_at, deadline_at"
        " FROM seen_approvals WHERE outcome = 'pending' ORDER BY deadline_at LIMIT $1",
        OTHERS,
    )
    budgets = await connection.fetch(
        "SELECT label, currency, allocated_minor, left_minor,"
        " reserved_minor + committed_minor AS reserved_minor,"
        " spent_minor + invoiced_minor AS spent_minor"
        " FROM seen_budgets ORDER BY budget_id DESC LIMIT $1",
        OTHERS,
    )
    workflows = await connection.fetch(
        # A state is told when a run did something: a time that has passed is not the next one.
        # Those that stand still or are late come first.
        "SELECT name, service, label, label_fr, status, last_run_at, error, failures,"
        " failures_ignored, CASE WHEN status = 'started' THEN l.since END AS late_since, c.waiting,"
        " CASE WHEN next_at > now() THEN next_at END AS next_at"
        " FROM seen_workflows LEFT JOIN seen_late l USING (service)"
        " LEFT JOIN (SELECT waiting_workflow AS name, count(*) AS waiting FROM seen_campaigns"
        "            WHERE waiting_workflow IS NOT NULL GROUP BY 1) c USING (name)"
        " ORDER BY status = 'started' AND l.since IS NULL, name LIMIT 200"
    )
    full = len(campaigns) == CAMPAIGNS
    return Overview(
        campaigns=[reader.campaign(row) for row in campaigns],
        approvals=[reader.approval(row) for row in approvals],
        budgets=[reader.budget(row) for row in budgets],
        workflows=[reader.workflow(row) for row in workflows],
        as_of=reader.moment(now),
        older=campaigns[-1]["number"] if full else None,
    )
