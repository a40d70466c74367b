"""Campaigns and approvals as the command line prints them, for people or as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from services.campaign.api import CampaignDetail, CampaignPage
from services.cli.environment import settings_or_exit
from services.delivery.approval_wire import ApprovalView
from topics.campaign import CampaignState
from topics.delivery import ApprovalKind, ApprovalOutcome

console = Console()

JOURNAL_LINES: Final = 10


def show_list(page: CampaignPage, *, as_json: bool) -> None:
    """Print a page of campaigns."""
    if as_json:
        typer.echo(page.model_dump_json())
        return
    table = Table("campaign", "state", "label", "start", "end", "waits for")
    for state in page.campaigns:
        dates = (_local(state, state.start_at), _local(state, state.end_at))
        waits = state.waiting_for or ""
        table.add_row(f"C-{state.number}", state.status, state.label, *dates, waits)
    console.print(table if table.row_count else "no campaigns")


def show(detail: CampaignDetail, *, as_json: bool) -> None:
    """Print a campaign."""
    if as_json:
        typer.echo(detail.model_dump_json())
        return
    state = detail.state
    console.print(f"C-{state.number} {state.label}: {state.status}", markup=False, highlight=False)
    dates = f"{_local(state, state.start_at)} → {_local(state, state.end_at)} ({state.zone})"
    console.print(dates, highlight=False)
    if state.waves is not None:
        console.print(f"waves: {state.waves.opened} of {state.waves.total} open", highlight=False)
    if state.waiting_for:
        console.print(state.waiting_for, markup=False, highlight=False, soft_wrap=True)
    if state.records is not None:
        _print_pairs(state, "target", ("records", "reachable", "deals"))
    if state.control_members:
        console.print(f"control group: {state.control_members} get nothing", highlight=False)
    sums = {name: count for name, count in state.synthesis.model_dump().items() if count}
    if sums:
        _print_values("results", sums)
    for line in detail.journal[:JOURNAL_LINES]:
        at = _local(state, line.at)
        console.print(f"  {at} {line.type} {line.detail}", markup=False, highlight=False)


def _print_pairs(item: BaseModel, title: str, names: tuple[str, ...]) -> None:
    _print_values(title, {name: getattr(item, name) for name in names})


def _print_values(title: str, values: dict[str, Any]) -> None:
    said = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in values.items())
    console.print(f"{title}: {said}", highlight=False, soft_wrap=True)


def show_approval(view: ApprovalView, *, as_json: bool) -> None:
    """Print an approval: what it is bound to, where to see it, how it stands."""
    if as_json:
        typer.echo(view.model_dump_json())
        return
    of = view.kind.replace("_", " ")
    of = f"{of} {view.proof_number}" if view.kind is ApprovalKind.PROOF else of
    name = f"C-{view.campaign_number} {view.campaign_label}"
    console.print(f"{name}: {of}, revision {view.revision}, {view.outcome}", markup=False)
    _print_pairs(view, "bound to", ("count", "content_hash", "snapshot_hash"))
    for warning in view.warnings:
        console.print(f"look at: {warning.text}", markup=False, highlight=False, soft_wrap=True)
    if view.proof_path:
        where = settings_or_exit().public_url.rstrip("/")
        console.print(f"see it: {where}{view.proof_path}", soft_wrap=True)
    if view.outcome is ApprovalOutcome.PENDING:
        console.print(f"open until {view.deadline_at.isoformat(timespec='minutes')}")
    elif view.reason:
        console.print(f"reason: {view.reason}", markup=False, soft_wrap=True)


def _local(state: CampaignState, at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo(state.zone)):%Y-%m-%d %H:%M}"
