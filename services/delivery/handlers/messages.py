"""Single messages for outside events: one ledger row each, in a run of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.delivery.approving import settings_of
from services.delivery.domain.runs import Reason
from services.delivery.mail import is_address
from services.delivery.store.ledger import LedgerStore, NewRow
from services.delivery.store.runs import RunStore
from services.delivery.store.templates import TemplateStore
from services.delivery.tracking.copies import keep_message_copies
from shared.registry import Registry
from shared.uow import Work
from topics.delivery import MessageOutcome, Outcome, SendMessage

registry = Registry()


@registry.on_batch(SendMessage)
async def send_messages(commands: Sequence[SendMessage], work: Work) -> None:
    """Write the rows the sender takes first; a message asked twice is sent once.

    These are answers to what somebody did (an order, a password): they go also to people who opted
    out of campaigns. A quarantined address is to be left out here once there is a quarantine.
    """
    hashes = await TemplateStore(work.connection).hashes({c.template_id for c in commands})
    once = {command.message_id: command for command in commands}
    fresh = await RunStore(work.connection).add_messages(
        list(once),
        [hashes.get(command.template_id) for command in once.values()],
        retry_until=work.now + timedelta(hours=settings_of(work).sender_retry_hours),
        at=work.now,
    )
    rows = [
        _row(command, known=command.template_id in hashes)
        for command in once.values()
        if command.message_id in fresh
    ]
    await LedgerStore(work.connection).add(rows, work.now)
    await keep_message_copies(work, fresh, set(hashes.values()))
    for row in rows:
        if row.outcome is not Outcome.PENDING:
            work.emit(
                MessageOutcome(
                    message_id=row.run_id, outcome=row.outcome, reason=row.reason, at=work.now
                )
            )


def _row(command: SendMessage, *, known: bool) -> NewRow:
    reason = ""
    if not known:
        reason = Reason.UNKNOWN_TEMPLATE.value
    elif not is_address(command.address):
        reason = Reason.BAD_ADDRESS.value
    return NewRow(
        run_id=command.message_id,
        member_id=command.message_id,
        recipient_key=command.recipient_key,
        address="" if reason else command.address,
        merge={} if reason else {"ctx": command.ctx, "contact": {"email": command.address}},
        outcome=Outcome.FAILED if reason else Outcome.PENDING,
        reason=reason,
    )
