"""``muster delivery bounces`` and ``quarantine``: what servers said, what it means, who is out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.choices import actor_of
from services.cli.letters import opened
from services.delivery.domain.qualification import LABELS
from services.delivery.store.bounce_messages import BounceMessage, BounceMessageStore
from services.delivery.store.quarantine import Entry, QuarantineStore
from shared.errors import Refused
from shared.http import carry_out
from shared.ids import recipient_key
from topics.bounces import (
    AddressStatus,
    ErrorReason,
    QualificationStatus,
    QualifyBounce,
    ReleaseAddress,
    Severity,
)
from topics.delivery import Channel
from topics.message import Actor, Command

bounces = typer.Typer(help="What servers said of messages that failed, and what it means.")
quarantine = typer.Typer(help="Addresses that get nothing after errors or a complaint.")
console = Console()

Operator = Annotated[str, typer.Option(help="who decides (e-mail)")]
Limit = Annotated[int, typer.Option(min=1, max=1000)]


@bounces.command("list")
def list_bounces(
    status: Annotated[QualificationStatus | None, typer.Option(help="of one status only")] = None,
    after: Annotated[int | None, typer.Option(help="the last id of the page before")] = None,
    limit: Limit = 100,
) -> None:
    """List the texts of bounces, how often they came, and what they mean."""

    async def find() -> list[BounceMessage]:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            store = BounceMessageStore(work.connection)
            return await store.page(status=status, after=after, limit=limit)

    _show(
        ("id", "count", "status", "reason", "type", "text"),
        [
            (one.text_id, one.count, one.status, _label(one.reason), one.severity, one.text)
            for one in asyncio.run(find())
        ],
        nothing="no bounce came yet",
    )


@bounces.command("qualify")
def qualify_bounce(
    text_id: int,
    operator: Operator,
    reason: Annotated[int, typer.Option(help="its number, such as 1 for an unknown user")],
    severity: Annotated[Severity, typer.Option("--type", help="hard, soft or ignored")],
    status: QualificationStatus = QualificationStatus.KEEP,
) -> None:
    """Say what a text means; it counts for what comes from now on."""
    if reason not in LABELS:
        known = ", ".join(f"{one.value} {words['en']}" for one, words in LABELS.items())
        raise typer.BadParameter(f"{reason} is none of {known}", param_hint="--reason")
    meant = ErrorReason(reason)

    def command(actor: Actor, _secret: bytes) -> QualifyBounce:
        return QualifyBounce(
            text_id=text_id, status=status, reason=meant, severity=severity, actor=actor
        )

    _carry_out(command, operator)
    console.print(f"text {text_id} means: {_label(meant)}, {severity}")


@quarantine.command("list")
def list_addresses(
    status: Annotated[AddressStatus | None, typer.Option(help="of one status only")] = None,
    after: Annotated[str | None, typer.Option(help="the last key of the page before")] = None,
    limit: Limit = 100,
) -> None:
    """List addresses that get nothing, by the keyed hash that stands for each."""

    async def find() -> list[Entry]:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            store = QuarantineStore(work.connection)
            return await store.page(status=status, after=after, limit=limit)

    _show(
        ("key", "channel", "status", "reason", "soft errors", "since"),
        [
            (
                one.recipient_key,
                one.channel,
                one.status,
                _label(one.reason),
                one.soft_errors,
                one.since.isoformat(timespec="seconds"),
            )
            for one in asyncio.run(find())
        ],
        nothing="no address is quarantined or denylisted",
    )


@quarantine.command("release")
def release(
    address: Annotated[str, typer.Argument(help="an e-mail address, or the key of a list")],
    operator: Operator,
    reason: Annotated[str, typer.Option(help="why; it goes into the journal")],
) -> None:
    """Release an address: messages go there again."""

    def command(actor: Actor, secret: bytes) -> ReleaseAddress:
        key = recipient_key(secret, Channel.EMAIL, address) if "@" in address else address
        return ReleaseAddress(recipient_key=key, reason=reason, actor=actor)

    _carry_out(command, operator)
    console.print("released")


def _carry_out(command: Callable[[Actor, bytes], Command], email: str) -> None:
    """Carry a command out as an operator, or say why not."""

    async def ask() -> None:
        actor = await actor_of(email)
        async with opened("delivery") as delivery:
            await carry_out(delivery, command(actor, delivery.settings.secret))

    try:
        asyncio.run(ask())
    except Refused as refusal:
        raise SystemExit(refusal.reason) from None


def _label(reason: ErrorReason) -> str:
    return f"{reason.value} {LABELS[reason]['en']}"


def _show(names: Sequence[str], rows: Sequence[Sequence[object]], *, nothing: str) -> None:
    table = Table(*names)
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table if rows else nothing)
