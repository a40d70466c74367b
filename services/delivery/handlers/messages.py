"""Single messages for outside events: one ledger row each, in a run of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.delivery.approving import settings_of
from services.delivery.domain.runs import NOT_TAKEN, Reason
from services.delivery.mail import is_address
from services.delivery.personal import EMAIL_FORMAT, TEXT
from services.delivery.settings import DeliverySettings
from services.delivery.store.ledger import LedgerStore, NewRow
from services.delivery.store.runs import RunStore
from services.delivery.store.templates import Current, TemplateStore
from services.delivery.tracking.copies import keep_message_copies
from shared.registry import Registry
from shared.uow import Work
from topics.delivery import Channel, MessageOutcome, Outcome, SendBatchMessage, SendMessage
from topics.phones import e164

registry = Registry()
# Those of batch events have a consumer of their own: real-time ones never wait behind them.
batch_registry = Registry(gives_way=True)


@registry.on_batch(SendMessage)
async def send_messages(commands: Sequence[SendMessage], work: Work) -> None:
    """Write the rows the senders take first; a message asked twice is sent once.

    These are answers to what somebody did (an order, a password): they go also to people who opted
    out of campaigns. A quarantined address is left out when its row is claimed.
    """
    await _take(commands, work)


@batch_registry.on_batch(SendBatchMessage)
async def send_batch_messages(commands: Sequence[SendBatchMessage], work: Work) -> None:
    """Write the rows that senders take when none of a real-time event waits."""
    await _take(commands, work, batch=True)


async def _take(commands: Sequence[SendMessage], work: Work, *, batch: bool = False) -> None:
    once = {command.message_id: command for command in commands}
    contents = await _contents(TemplateStore(work.connection), list(once.values()))
    fresh = await RunStore(work.connection).add_messages(
        list(once),
        [one.template_hash if (one := contents.get(message_id)) else None for message_id in once],
        retry_until=work.now + timedelta(hours=settings_of(work).sender_retry_hours),
        at=work.now,
    )
    rows = [
        _row(command, contents.get(command.message_id), settings_of(work))
        for command in once.values()
        if command.message_id in fresh
    ]
    await LedgerStore(work.connection).add(rows, work.now, batch=batch)
    await keep_message_copies(work, fresh, {one.template_hash for one in contents.values()})
    for row in rows:
        if row.outcome is not Outcome.PENDING:
            work.emit(
                MessageOutcome(
                    message_id=row.run_id,
                    outcome=row.outcome,
                    reason=row.reason,
                    at=work.now,
                    not_taken=row.reason in NOT_TAKEN,
                )
            )


async def _contents(
    templates: TemplateStore, commands: Sequence[SendMessage]
) -> dict[UUID, Current]:
    """Return the content of each message by its id: the one it names, or its template's."""
    named = {command.content_hash for command in commands if command.content_hash}
    kept = await templates.kept(named) if named else {}
    unnamed = {command.template_id for command in commands if command.content_hash is None}
    currents = await templates.currents(unnamed) if unnamed else {}
    found = {
        command.message_id: currents.get(command.template_id)
        if command.content_hash is None
        else kept.get(command.content_hash)
        for command in commands
    }
    return {message_id: content for message_id, content in found.items() if content}


def _row(command: SendMessage, content: Current | None, settings: DeliverySettings) -> NewRow:
    reason = _fault(command, content, settings)
    address = "" if reason or content is None else _address(command, content)
    return NewRow(
        run_id=command.message_id,
        member_id=command.message_id,
        recipient_key=command.recipient_key,
        address=address,
        merge={} if reason else _merge(command, address),
        outcome=Outcome.FAILED if reason else Outcome.PENDING,
        reason=reason,
        channel=command.channel,
    )


def _fault(command: SendMessage, content: Current | None, settings: DeliverySettings) -> str:
    """Return why a message cannot leave at all; nothing when it may."""
    if content is None:
        named = command.content_hash is not None
        return (Reason.UNKNOWN_CONTENT if named else Reason.UNKNOWN_TEMPLATE).value
    if content.channel is not command.channel:
        return Reason.WRONG_CHANNEL.value
    if command.channel is Channel.EMAIL:
        return "" if is_address(command.address) else Reason.BAD_ADDRESS.value
    if command.channel is Channel.SMS and settings.sms_gateway_url is None:
        return Reason.NO_GATEWAY.value
    return "" if _address(command, content) else Reason.BAD_ADDRESS.value


def _address(command: SendMessage, content: Current) -> str:
    """Return where a message goes: of a webhook, the name of its endpoint."""
    match command.channel:
        case Channel.SMS:
            return e164(command.address) or ""
        case Channel.WEBHOOK:
            return content.endpoint
    return command.address


def _merge(command: SendMessage, address: str) -> dict[str, Any]:
    """Return what a message is made of."""
    match command.channel:
        case Channel.SMS:
            return {"ctx": command.ctx, "contact": {"phone": address}}
        case Channel.WEBHOOK:
            received_at = command.received_at
            event = {
                "type": command.event_type,
                "external_id": command.external_id,
                "time": received_at.isoformat() if received_at else None,
            }
            return {"ctx": command.ctx, "event": event}
    merge = {"ctx": command.ctx, "contact": {"email": command.address}}
    return merge | {EMAIL_FORMAT: TEXT} if command.email_format == TEXT else merge
